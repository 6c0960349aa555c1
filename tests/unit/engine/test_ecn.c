/* What TCP_INFO says at both ends, and that the sysctl is as it was, in a network namespace of
 * the test's own. */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/ecn.h"
#include "engine/ecn_guardian.h"
#include "util/cleanup.h"

#define SYSCTL "/proc/sys/net/ipv4/tcp_ecn"

static int sysctl_get(void)
{
    CLEANUP_FCLOSE FILE *file = fopen(SYSCTL, "re");
    int mode = -1;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &mode), 1);
    return mode;
}

/* Whether this kernel knows the mode. */
static bool sysctl_set(int mode)
{
    CLEANUP_CLOSE int fd = open(SYSCTL, O_WRONLY | O_CLOEXEC);
    char digit = (char)('0' + mode);
    assert_true(fd >= 0);
    return write(fd, &digit, 1) == 1;
}

static int listener(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    assert_int_equal(bind(fd, (struct sockaddr *)address, size), 0);
    assert_int_equal(listen(fd, 1024), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
    return fd;
}

static int opener(struct ecn *ecn, const struct sockaddr_in *address, bool want)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int status = ecn_connect(ecn, fd, (const struct sockaddr *)address, sizeof *address, want);
    assert_true(fd >= 0 && (status == 0 || errno == EINPROGRESS));
    return fd;
}

static bool has_ecn(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    struct pollfd established = {.fd = fd, .events = POLLOUT};
    assert_int_equal(poll(&established, 1, 5000), 1);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info.tcpi_options & TCPI_OPT_ECN;
}

/* Three connections, the middle one alone with ECN. */
static void check_three(int mode)
{
    struct sockaddr_in address;
    struct ecn *ecn;
    CLEANUP_CLOSE int listening = listener(&address);

    assert_int_equal(ecn_create(&ecn, NULL, NULL), 0);
    for (int i = 0; i < 3; i++) {
        bool want = i == 1;
        CLEANUP_CLOSE int opened = opener(ecn, &address, want);
        CLEANUP_CLOSE int accepted = accept(listening, NULL, NULL);
        assert_int_equal(sysctl_get(), mode);
        /* A listener with mode 0 accepts ECN only by the chance of sharing lo with the opener. */
        if (mode != 0 || !want) {
            assert_int_equal(has_ecn(opened), want);
            assert_int_equal(has_ecn(accepted), want);
        }
    }
    ecn_destroy(ecn);
}

static void test_only_one_of_three(void **state)
{
    (void)state;
    netns_enter();
    for (int mode = 0; mode <= 5; mode++) {
        if (!sysctl_set(mode)) {
            print_message("this kernel has no tcp_ecn %d\n", mode);
            continue;
        }
        check_three(mode);
        assert_int_equal(ecn_can_connect(true, NULL), 0);
        assert_int_equal(ecn_can_connect(false, NULL), 0);
    }
}

static void test_accepting(void **state)
{
    (void)state;
    struct error err = {0};
    netns_enter();
    assert_true(sysctl_set(2));
    assert_int_equal(ecn_can_accept(&err), 0);
    assert_true(sysctl_set(1));
    assert_int_equal(ecn_can_accept(&err), 0);
    assert_true(sysctl_set(0));
    assert_int_equal(ecn_can_accept(&err), ERROR_AGENT);
    assert_non_null(strstr(err.cure, "net.ipv4.tcp_ecn=2"));
}

static void test_connect_errors_pass_through(void **state)
{
    (void)state;
    struct sockaddr_in address;
    struct ecn *ecn;
    netns_enter();
    assert_true(sysctl_set(2));
    assert_int_equal(ecn_create(&ecn, NULL, NULL), 0);
    close(listener(&address));

    for (int want = 0; want < 2; want++) {
        CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_STREAM, 0);
        errno = 0;
        assert_int_equal(ecn_connect(ecn, fd, (struct sockaddr *)&address, sizeof address, want),
                         -1);
        assert_int_equal(errno, ECONNREFUSED);
        assert_int_equal(sysctl_get(), 2);
    }
    ecn_destroy(ecn);
}

/* Without the right to write, what the host gives anyway works, and the rest names the cure. */
static void unprivileged(void **state)
{
    const struct sockaddr_in *address = *state;
    struct error err = {0};
    struct ecn *ecn;

    assert_int_equal(setuid(65534), 0);
    assert_int_equal(ecn_can_connect(false, &err), 0);
    assert_int_equal(ecn_can_connect(true, &err), ERROR_AGENT);
    assert_non_null(strstr(err.cure, "CAP_NET_ADMIN"));
    assert_int_equal(ecn_can_accept(&err), 0);

    assert_int_equal(ecn_create(&ecn, NULL, &err), 0);
    CLEANUP_CLOSE int plain = opener(ecn, address, false);
    assert_false(has_ecn(plain));
    CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(ecn_connect(ecn, fd, (const struct sockaddr *)address, sizeof *address, true),
                     -1);
    assert_int_equal(errno, EACCES);
    ecn_destroy(ecn);
}

static void test_unprivileged(void **state)
{
    (void)state;
    struct sockaddr_in address;
    netns_enter();
    assert_true(sysctl_set(2));
    int listening = listener(&address);

    pid_t child = fork();
    if (child == 0) {
        const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(unprivileged, &address)};
        _exit(cmocka_run_group_tests(tests, NULL, NULL));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(listening);
}

/* A process that the kernel kills inside connect(), when tcp_ecn stands at the wrong value. */
static void crash_connecting(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = COUNT_OF(code), .filter = code};
    pid_t child = fork();
    if (child == 0) {
        const struct sockaddr_in address = {.sin_family = AF_INET};
        struct ecn *ecn;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (ecn_create(&ecn, NULL, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
            ecn_connect(ecn, fd, (const struct sockaddr *)&address, sizeof address, true);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status)) {
        print_message("needs seccomp filters\n");
        skip();
    }
    assert_int_equal(WTERMSIG(status), SIGSYS);
    assert_int_equal(sysctl_get(), 1);
}

static void test_left_over_is_put_back(void **state)
{
    (void)state;
    struct ecn *first, *second;
    struct sockaddr_in address;
    netns_enter();
    int listening = listener(&address);
    assert_true(sysctl_set(2));
    assert_int_equal(ecn_create(&first, NULL, NULL), 0);

    /* By whoever starts, */
    crash_connecting();
    assert_int_equal(ecn_create(&second, NULL, NULL), 0);
    assert_int_equal(sysctl_get(), 2);
    ecn_destroy(second);

    /* by whoever connects, with or without, */
    for (int want = 0; want < 2; want++) {
        crash_connecting();
        CLEANUP_CLOSE int opened = opener(first, &address, want);
        assert_int_equal(sysctl_get(), 2);
        assert_int_equal(has_ecn(opened), want);
    }

    /* by whoever asks, */
    crash_connecting();
    assert_int_equal(ecn_can_connect(false, NULL), 0);
    assert_int_equal(sysctl_get(), 2);

    /* and by whoever cares, who says so. */
    char text[256];
    crash_connecting();
    assert_true(ecn_repair(text, sizeof text));
    assert_non_null(strstr(text, "set back to 2"));
    assert_int_equal(sysctl_get(), 2);
    assert_false(ecn_repair(text, sizeof text));

    /* But what a person has set since stays. */
    crash_connecting();
    assert_true(sysctl_set(0));
    assert_int_equal(ecn_create(&second, NULL, NULL), 0);
    assert_int_equal(sysctl_get(), 0);
    ecn_destroy(second);
    ecn_destroy(first);
    close(listening);
}

/* A namespace that is gone had the inode number that this one has. */
static void test_journal_of_another_namespace(void **state)
{
    (void)state;
    struct stat namespace;
    char path[64], text[256];
    netns_enter();
    assert_true(sysctl_set(1));
    assert_int_equal(stat("/proc/self/ns/net", &namespace), 0);
    snprintf(path, sizeof path, "/run/tcp-flowgen-ecn-%ju-%u", (uintmax_t) namespace.st_ino,
             (unsigned)geteuid());
    FILE *journal = fopen(path, "we");
    assert_non_null(journal);
    fprintf(journal, "2 1 1\n");
    fclose(journal);
    assert_int_equal(ecn_can_connect(true, NULL), 0);
    assert_false(ecn_repair(text, sizeof text));
    assert_int_equal(sysctl_get(), 1);
    assert_int_not_equal(access(path, F_OK), 0);
}

#define CROWD_THREADS  4
#define CROWD_CONNECTS 50

static void *crowd(void *arg)
{
    struct ecn *ecn;
    size_t wrong = ecn_create(&ecn, NULL, NULL) != 0;

    for (int i = 0; i < CROWD_CONNECTS && !wrong; i++) {
        CLEANUP_CLOSE int fd = opener(ecn, arg, i % 3 == 0);
        wrong += has_ecn(fd) != (i % 3 == 0);
    }
    ecn_destroy(ecn);
    return (void *)wrong;
}

static void test_threads_exclude_each_other(void **state)
{
    (void)state;
    struct sockaddr_in address;
    pthread_t threads[CROWD_THREADS];
    netns_enter();
    assert_true(sysctl_set(2));
    int listening = listener(&address);

    for (int i = 0; i < CROWD_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd, &address), 0);
    for (int i = 0; i < CROWD_THREADS; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_int_equal(sysctl_get(), 2);
    close(listening);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_one_of_three),
        cmocka_unit_test(test_accepting),
        cmocka_unit_test(test_connect_errors_pass_through),
        cmocka_unit_test(test_unprivileged),
        cmocka_unit_test(test_left_over_is_put_back),
        cmocka_unit_test(test_journal_of_another_namespace),
        cmocka_unit_test(test_threads_exclude_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
