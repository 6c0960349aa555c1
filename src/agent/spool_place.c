#include "agent/spool_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/units.h"
#include "util/users.h"

#define OWN_NAME  "tcp-flowgen"
#define FLOOR_MAX UINT64_C(10000000000) /* 5 % of a very large disk would be much */

/* ---- the directory ---- */

__attribute__((format(printf, 2, 3))) static bool print(char path[SPOOL_PLACE_MAX],
                                                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(path, SPOOL_PLACE_MAX, format, args);
    va_end(args);
    return size < SPOOL_PLACE_MAX;
}

/* The variable's path, or NULL: there is none, or it depends on where one stands. */
static const char *absolute(const char *variable)
{
    const char *path = getenv(variable);
    return path && path[0] == '/' ? path : NULL;
}

/* False: this user has no place for what programs keep. */
static bool name_own(char path[SPOOL_PLACE_MAX])
{
    const char *state = absolute("XDG_STATE_HOME"), *home = absolute("HOME");
    if (geteuid() == 0)
        return print(path, "/var/lib/" OWN_NAME);
    if (state)
        return print(path, "%s/" OWN_NAME, state);
    return home && print(path, "%s/.local/state/" OWN_NAME, home);
}

/* With what leads there.  False: it cannot be. */
static bool make(char path[SPOOL_PLACE_MAX])
{
    for (char *at = path + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        const bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
        *at = '/';
        if (!made)
            return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* Others may have been there before. */
static int verify(const char *path, struct error *err)
{
    struct stat status;
    char owner[USERS_TEXT_MAX];
    if (lstat(path, &status))
        error_set_errno(err, ERROR_INPUT, errno, path, "cannot make a directory for spools");
    else if (!S_ISDIR(status.st_mode))
        error_set(err, ERROR_INPUT, path, "this, where spools would be kept, is no directory");
    else if (status.st_uid != geteuid())
        error_set(err, ERROR_INPUT, path,
                  "this directory, where spools would be kept, belongs to %s",
                  users_text(status.st_uid, owner));
    else if (status.st_mode & (S_IRWXG | S_IRWXO))
        error_set(err, ERROR_INPUT, path,
                  "this directory, where spools would be kept, is open to others (mode %04o)",
                  (unsigned)status.st_mode & 07777u);
    else
        return 0;
    return error_cure(err, "move it away, have it be yours alone (chmod 700), or start the agent "
                           "with another --spool");
}

int spool_place_settle(const char *asked_for, char path[SPOOL_PLACE_MAX], struct error *err)
{
    const char *service = absolute("STATE_DIRECTORY");
    if (asked_for || service) {
        /* systemd may name several. */
        const int size = asked_for ? (int)strlen(asked_for) : (int)strcspn(service, ":");
        if (print(path, "%.*s", size, asked_for ? asked_for : service))
            return 0;
        return error_set(err, ERROR_INPUT, "--spool", "the path is too long");
    }
    if (name_own(path) && make(path))
        return verify(path, err);
    print(path, "/var/tmp/" OWN_NAME "-%u", (unsigned)geteuid());
    make(path); /* else there is nothing to verify */
    return verify(path, err);
}

int spool_place_check(const struct agent_options *agent, struct error *err)
{
    const char *directory = agent->spool_directory;
    struct stat status;
    int why = 0;
    const bool there = stat(directory, &status) == 0;
    if (there && !S_ISDIR(status.st_mode))
        why = ENOTDIR;
    else if (!there || access(directory, W_OK | X_OK))
        why = errno;
    if (!why)
        return 0;
    error_set_errno(err, ERROR_INPUT, why, directory, "no spool can be kept there");
    return error_cure(err, "%sstart the agent with another --spool",
                      why == ENOENT   ? "make that directory, or "
                      : why == EACCES ? "let this user write there, or "
                                      : "");
}

/* ---- its room ---- */

struct spool_bounds spool_place_bounds(const struct agent_options *agent)
{
    return (struct spool_bounds){.directory = agent->spool_directory, .max = agent->spool_max};
}

struct spool_stock spool_place_stock(const char *directory, uint64_t entries_max)
{
    struct spool_stock stock = {0};
    DIR *dir = opendir(directory);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct stat status;
        stock.cut = entries_max-- == 0;
        if (stock.cut)
            break;
        if (fnmatch("tcp-flowgen-*.spool", entry->d_name, 0) == 0 &&
            fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
            stock.spools++;
            stock.bytes += (uint64_t)status.st_size;
        }
    }
    if (dir)
        closedir(dir);
    return stock;
}

static uint64_t room_of_quota(const struct spool_bounds *bounds, struct error *err)
{
    char most[UNITS_TEXT_MAX], taken[UNITS_TEXT_MAX];
    const uint64_t bytes = spool_place_stock(bounds->directory, UINT64_MAX).bytes;
    error_set(err, ERROR_AGENT, bounds->directory,
              "spools may have %s there (--spool-max), and have %s", units_bytes(bounds->max, most),
              units_bytes(bytes, taken));
    error_cure(err, "delete those of runs that nobody needs, or raise it");
    return bytes < bounds->max ? bounds->max - bytes : 0;
}

static uint64_t room_of_disk(const struct spool_bounds *bounds, struct error *err)
{
    char least[UNITS_TEXT_MAX], left[UNITS_TEXT_MAX];
    struct statvfs disk;
    if (statvfs(bounds->directory, &disk)) {
        error_set_errno(err, ERROR_AGENT, errno, bounds->directory, "its disk cannot be asked");
        return UINT64_MAX; /* who writes there will see */
    }
    if (!disk.f_blocks)
        return UINT64_MAX; /* it has no bounds, or none that it tells */
    const uint64_t all = (uint64_t)disk.f_blocks * disk.f_frsize;
    const uint64_t free = (uint64_t)disk.f_bavail * disk.f_frsize;
    const uint64_t floor = all / 20 < FLOOR_MAX ? all / 20 : FLOOR_MAX;
    error_set(err, ERROR_AGENT, bounds->directory,
              "spools leave %s of their disk free, and it has %s free", units_bytes(floor, least),
              units_bytes(free, left));
    error_cure(err, "make room there, or start the agent with another --spool");
    const uint64_t room = free > floor ? free - floor : 0;
    return disk.f_frsize ? room - room % disk.f_frsize : room; /* files take whole blocks */
}

/* Small spools may use up what a file system has for files before its bytes. */
static int check_files(const char *directory, struct error *err)
{
    struct statvfs disk;
    if (statvfs(directory, &disk) || !disk.f_files || disk.f_favail > disk.f_files / 20)
        return 0;
    error_set(err, ERROR_AGENT, directory, "spools leave 5 %% of the files that its disk can have");
    return error_cure(err, "delete some there, or start the agent with another --spool");
}

uint64_t spool_place_room(const struct spool_bounds *bounds, struct error *err)
{
    struct error other;
    const uint64_t disk = room_of_disk(bounds, err);
    if (!bounds->max)
        return disk;
    const uint64_t quota = room_of_quota(bounds, &other);
    if (quota >= disk)
        return disk;
    if (err)
        *err = other;
    return quota;
}

int spool_place_admit(const struct agent_options *agent, struct error *err)
{
    const struct spool_bounds bounds = spool_place_bounds(agent);
    int failed = spool_place_check(agent, err);
    if (!failed)
        failed = check_files(agent->spool_directory, err);
    if (failed)
        return failed;
    return spool_place_room(&bounds, err) ? 0 : ERROR_AGENT;
}
