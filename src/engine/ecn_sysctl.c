/* net.ipv4.tcp_ecn around connect(), so that one flow's SYN asks for ECN and its neighbour's does
 * not.
 *
 * The lock is flock() on the network namespace itself (/proc/thread-self/ns/net): one inode in the
 * kernel, so agents exclude each other even from different mount namespaces, and no file's name
 * can be squatted on.  Connects that need no change share it; one that writes has it alone.
 *
 * While a foreign value stands in the sysctl, a journal says so: a file of this user's own, with
 * the old value and the new.  Who is killed in between leaves it, and the next to come puts the
 * old value back, unless somebody has set another one meanwhile. */
#include "engine/ecn_sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"

#define SYSCTL    "/proc/sys/net/ipv4/tcp_ecn"
#define NAMESPACE "/proc/thread-self/ns/net"

/* A lock is held for microseconds; who holds it longer was stopped, or means ill. */
#define LOCK_WAIT_NS  NS_PER_S
#define LOCK_PAUSE_NS (20 * NS_PER_US)

/* What to write so that a SYN asks (ask) or does not (plain), and accepting stays as it is.  Values
 * as in the kernel's ip-sysctl.rst; 3 to 5 accept AccECN, 3 also asks for it, 4 asks for classic
 * ECN. */
static const struct {
    int ask, plain;
} modes[] = {{1, 0}, {1, 2}, {1, 2}, {4, 5}, {4, 5}, {4, 5}};

int ecn_sysctl_mode_for(int mode, bool want)
{
    if (mode >= (int)COUNT_OF(modes)) /* of a kernel to come */
        return want ? modes[2].ask : modes[2].plain;
    return want ? modes[mode].ask : modes[mode].plain;
}

static bool mode_known(int mode)
{
    return mode >= 0 && mode <= 9;
}

/* The mode, or -1 with errno set. */
static int mode_read(const struct ecn_sysctl *ecn)
{
    char text[16] = "";
    if (pread(ecn->sysctl, text, sizeof text - 1, 0) < 0)
        return -1;
    int mode = atoi(text);
    if (!mode_known(mode)) {
        errno = ENOTSUP;
        return -1;
    }
    return mode;
}

static int mode_write(const struct ecn_sysctl *ecn, int mode)
{
    char text[2] = {(char)('0' + mode), '\n'};
    if (ecn->write_error) {
        errno = ecn->write_error;
        return -1;
    }
    return pwrite(ecn->sysctl, text, sizeof text, 0) < 0 ? -1 : 0;
}

/* LOCK_SH or LOCK_EX, waiting at most LOCK_WAIT_NS.  0, or -1 with errno set. */
static int lock_take(const struct ecn_sysctl *ecn, int operation)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    int64_t deadline = 0;

    while (flock(ecn->lock, operation | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -1;
        if (deadline == 0)
            deadline = clock_now() + LOCK_WAIT_NS;
        else if (clock_now() > deadline) {
            errno = EBUSY;
            return -1;
        }
        nanosleep(&pause, NULL);
    }
    return 0;
}

static void lock_drop(const struct ecn_sysctl *ecn)
{
    int saved = errno;
    flock(ecn->lock, LOCK_UN);
    errno = saved;
}

/* Where this user's journal of this network namespace is, or would be; "" if nowhere. */
static void journal_place(struct ecn_sysctl *ecn)
{
    static const char *const folders[] = {"/run", "/run/lock", "/tmp"};
    struct stat namespace;

    if (fstat(ecn->lock, &namespace) != 0)
        return;
    for (size_t i = 0; i < COUNT_OF(folders) && !ecn->journal[0]; i++) {
        if (access(folders[i], W_OK | X_OK) == 0)
            snprintf(ecn->journal, sizeof ecn->journal, "%s/tcp-flowgen-ecn-%ju-%u", folders[i],
                     (uintmax_t) namespace.st_ino, (unsigned)geteuid());
    }
}

/* Best effort: where it cannot be written the connection is made all the same. */
static void journal_begin(const struct ecn_sysctl *ecn, int old_mode, int new_mode)
{
    CLEANUP_CLOSE int fd =
        open(ecn->journal, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0)
        dprintf(fd, "%d %d %" PRIu64 "\n", old_mode, new_mode, ecn->cookie);
}

static void journal_end(const struct ecn_sysctl *ecn)
{
    int saved = errno;
    unlink(ecn->journal);
    errno = saved;
}

static bool journal_exists(const struct ecn_sysctl *ecn)
{
    return access(ecn->journal, F_OK) == 0;
}

/* Whether the journal tells of a mode to put back.  The folder may be open to others: what is not
 * a plain file of this user's own says nothing; nor does what tells of another namespace, gone
 * since, whose inode number is used again. */
static bool journal_read(const struct ecn_sysctl *ecn, int *old_mode, int *new_mode)
{
    struct stat file;
    char text[32] = "";
    uint64_t cookie;
    CLEANUP_CLOSE int fd = open(ecn->journal, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    return fd >= 0 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_uid == geteuid() &&
           read(fd, text, sizeof text - 1) > 0 &&
           sscanf(text, "%d %d %" SCNu64, old_mode, new_mode, &cookie) == 3 &&
           cookie == ecn->cookie && mode_known(*old_mode) && mode_known(*new_mode);
}

/* Puts back what a killed process left; 1 if there was something, -1 if it cannot.  Under LOCK_EX.
 */
static int repair(const struct ecn_sysctl *ecn, int *old_mode, int *new_mode)
{
    if (!journal_exists(ecn))
        return 0;
    if (!journal_read(ecn, old_mode, new_mode) || mode_read(ecn) != *new_mode) {
        journal_end(ecn);
        return 0;
    }
    if (mode_write(ecn, *old_mode))
        return -1;
    journal_end(ecn);
    return 1;
}

int ecn_sysctl_repair(const struct ecn_sysctl *ecn, char *text, size_t size)
{
    int old_mode, new_mode;
    if (!journal_exists(ecn))
        return 0;
    if (lock_take(ecn, LOCK_EX))
        return -1;
    const int status = repair(ecn, &old_mode, &new_mode);
    lock_drop(ecn);
    if (status > 0)
        snprintf(text, size, "net.ipv4.tcp_ecn stood at %d, set back to %d", new_mode, old_mode);
    return status;
}

static uint64_t namespace_cookie(void)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size))
        return 0;
    return cookie;
}

void ecn_sysctl_close(struct ecn_sysctl *ecn)
{
    cleanup_close(&ecn->lock);
    cleanup_close(&ecn->sysctl);
}

int ecn_sysctl_open(struct ecn_sysctl *ecn, struct error *err)
{
    *ecn = (struct ecn_sysctl){.sysctl = -1, .lock = -1};
    ecn->sysctl = open(SYSCTL, O_RDWR | O_CLOEXEC);
    if (ecn->sysctl < 0) {
        ecn->write_error = errno;
        ecn->sysctl = open(SYSCTL, O_RDONLY | O_CLOEXEC);
    }
    if (ecn->sysctl < 0)
        return error_set_errno(err, ERROR_SYSTEM, errno, SYSCTL, "cannot open it");
    ecn->lock = open(NAMESPACE, O_RDONLY | O_CLOEXEC);
    if (ecn->lock < 0)
        return error_set_errno(err, ERROR_SYSTEM, errno, NAMESPACE, "cannot open it");
    if (!ecn->write_error) {
        ecn->cookie = namespace_cookie();
        journal_place(ecn);
    }
    return 0;
}

/* Connects with tcp_ecn as wanted; alone, since whoever connected meanwhile would have it, too. */
static int connect_alone(const struct ecn_sysctl *ecn, int fd, const struct sockaddr *peer,
                         socklen_t size, bool want)
{
    int old_mode, new_mode;
    if (lock_take(ecn, LOCK_EX))
        return -1;
    repair(ecn, &old_mode, &new_mode);
    old_mode = mode_read(ecn);
    if (old_mode < 0)
        return -1;
    new_mode = ecn_sysctl_mode_for(old_mode, want);
    if (new_mode == old_mode)
        return connect(fd, peer, size);

    journal_begin(ecn, old_mode, new_mode);
    if (mode_write(ecn, new_mode)) {
        journal_end(ecn);
        return -1;
    }
    int status = connect(fd, peer, size), saved = errno;
    if (mode_write(ecn, old_mode) == 0)
        journal_end(ecn);
    errno = saved;
    return status;
}

int ecn_sysctl_connect(const struct ecn_sysctl *ecn, int fd, const struct sockaddr *peer,
                       socklen_t size, bool want)
{
    if (lock_take(ecn, LOCK_SH))
        return -1;
    int mode = mode_read(ecn), status;
    if (mode >= 0 && ecn_sysctl_mode_for(mode, want) == mode && !journal_exists(ecn))
        status = connect(fd, peer, size);
    else
        status = connect_alone(ecn, fd, peer, size, want);
    lock_drop(ecn);
    return status;
}

int ecn_sysctl_settled(const struct ecn_sysctl *ecn)
{
    int old_mode, new_mode;
    if (lock_take(ecn, LOCK_EX))
        return -1;
    repair(ecn, &old_mode, &new_mode);
    const int mode = mode_read(ecn);
    lock_drop(ecn);
    return mode;
}
