#include "agent/spool_place.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
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
#define KEPT_MAX  FLOOR_MAX             /* likewise, a quarter of what is left */

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

bool spool_place_is_shared(const char *directory)
{
    struct stat status;
    if (stat(directory, &status))
        return false;
    return status.st_mode & (S_IWGRP | S_IWOTH) ||
           (status.st_uid != geteuid() && status.st_uid != 0);
}

/* ---- its room ---- */

struct spool_bounds spool_place_bounds(const struct agent_options *agent, const char *caller)
{
    struct spool_bounds bounds = {.directory = agent->spool_directory, .max = agent->spool_max};
    snprintf(bounds.caller, sizeof bounds.caller, "%s", caller);
    return bounds;
}

/* The caller as the end of a name has him, behind the last "-": never a number alone, as keys are
 * users and addresses. */
static void write_tag(const char *caller, char tag[SPOOL_CALLER_MAX])
{
    size_t i = 0;
    for (; caller[i] && i + 1 < SPOOL_CALLER_MAX; i++)
        tag[i] = isalnum((unsigned char)caller[i]) || strchr(".:", caller[i]) ? caller[i] : '_';
    tag[i] = '\0';
}

int spool_place_path(const char *directory, const char *run, const char *caller,
                     char path[SPOOL_PLACE_MAX], struct error *err)
{
    char tag[SPOOL_CALLER_MAX];
    write_tag(caller, tag);
    /* Two agents on one machine may have ends of one run. */
    if (print(path, "%s/tcp-flowgen-%s-%d-%s.spool", directory, run, getpid(), tag))
        return 0;
    return error_set(err, ERROR_SYSTEM, directory, "the path is too long");
}

static bool is_of(const char *name, const char *tag)
{
    const char *last = strrchr(name, '-') + 1;
    const size_t size = strlen(tag);
    return size && strncmp(last, tag, size) == 0 && strcmp(last + size, ".spool") == 0;
}

/* Others may put files of any name there.  A size may be without bytes; and where a file grows,
 * some file systems have more for it than its size for a while. */
static bool look(int directory, const char *name, uint64_t *bytes)
{
    struct stat status;
    if (fnmatch("tcp-flowgen-*.spool", name, 0) ||
        fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW))
        return false;
    const uint64_t size = (uint64_t)status.st_size, on_disk = (uint64_t)status.st_blocks * 512;
    *bytes = size < on_disk ? size : on_disk;
    return S_ISREG(status.st_mode) && status.st_uid == geteuid();
}

struct spool_stock spool_place_stock(const char *directory, const char *caller,
                                     uint64_t entries_max)
{
    struct spool_stock stock = {0};
    char tag[SPOOL_CALLER_MAX];
    write_tag(caller ? caller : "", tag);
    DIR *dir = opendir(directory);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        uint64_t bytes;
        stock.cut = entries_max-- == 0;
        if (stock.cut)
            break;
        if (!look(dirfd(dir), entry->d_name, &bytes))
            continue;
        const bool own = is_of(entry->d_name, tag);
        stock.spools++;
        stock.bytes += bytes;
        stock.own_spools += own;
        stock.own_bytes += own ? bytes : 0;
    }
    if (dir)
        closedir(dir);
    return stock;
}

static uint64_t room_of_quota(const struct spool_bounds *bounds, uint64_t disk, uint64_t bytes,
                              struct error *err)
{
    char most[UNITS_TEXT_MAX], taken[UNITS_TEXT_MAX];
    const uint64_t max = bounds->max ? bounds->max : disk / 2;
    error_set(err, ERROR_AGENT, bounds->directory, "spools may have %s there (%s), and have %s",
              units_bytes(max, most), bounds->max ? "--spool-max" : "half of the disk",
              units_bytes(bytes, taken));
    error_cure(err, "delete those of runs that nobody needs, or %s",
               bounds->max ? "raise it" : "start the agent with --spool-max");
    return bytes < max ? max - bytes : 0;
}

static uint64_t room_of_disk(const struct spool_bounds *bounds, const struct statvfs *disk,
                             struct error *err)
{
    char least[UNITS_TEXT_MAX], left[UNITS_TEXT_MAX];
    const uint64_t all = (uint64_t)disk->f_blocks * disk->f_frsize;
    const uint64_t free = (uint64_t)disk->f_bavail * disk->f_frsize;
    const uint64_t floor = all / 20 < FLOOR_MAX ? all / 20 : FLOOR_MAX;
    error_set(err, ERROR_AGENT, bounds->directory,
              "spools leave %s of their disk free, and it has %s free", units_bytes(floor, least),
              units_bytes(free, left));
    error_cure(err, "make room there, or start the agent with another --spool");
    const uint64_t room = free > floor ? free - floor : 0;
    return disk->f_frsize ? room - room % disk->f_frsize : room; /* files take whole blocks */
}

/* Of what is left, for other callers than one who has so much. */
static uint64_t kept_for_others(uint64_t own, uint64_t left, uint64_t most)
{
    const uint64_t part = (own + left) / 4;
    const uint64_t kept = part < most ? part : most;
    return kept < left ? kept : left;
}

/* Takes their part of the room, and tells it beside what bounds the room. */
static uint64_t leave_to_others(const struct spool_bounds *bounds, uint64_t own, uint64_t room,
                                struct error *err)
{
    char part[UNITS_TEXT_MAX], taken[UNITS_TEXT_MAX];
    const uint64_t kept = kept_for_others(own, room, KEPT_MAX);
    if (err && room) {
        const size_t used = strlen(err->what);
        snprintf(err->what + used, sizeof err->what - used,
                 "; of the rest %s are kept for other callers than %s, whose spools have %s",
                 units_bytes(kept, part), bounds->caller[0] ? bounds->caller : "this one",
                 units_bytes(own, taken));
    }
    return room - kept;
}

uint64_t spool_place_room(const struct spool_bounds *bounds, struct error *err)
{
    struct statvfs disk;
    struct error other = {0};
    /* A disk that does not tell its size has no bounds: who writes there will see. */
    const bool known = statvfs(bounds->directory, &disk) == 0 && disk.f_blocks;
    if (!known && !bounds->max) {
        error_set(err, ERROR_AGENT, bounds->directory,
                  "its disk does not tell how much room it has");
        return UINT64_MAX;
    }
    const struct spool_stock stock =
        spool_place_stock(bounds->directory, bounds->caller, UINT64_MAX);
    const uint64_t size = known ? (uint64_t)disk.f_blocks * disk.f_frsize : 0;
    const uint64_t quota = room_of_quota(bounds, size, stock.bytes, err);
    const uint64_t left = known ? room_of_disk(bounds, &disk, &other) : UINT64_MAX;
    if (left < quota && err)
        *err = other;
    return leave_to_others(bounds, stock.own_bytes, left < quota ? left : quota, err);
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

/* A count of them must stay cheap. */
static int check_number(const char *directory, const char *caller, struct error *err)
{
    const struct spool_stock stock = spool_place_stock(directory, caller, UINT64_MAX);
    const uint64_t left = stock.spools < SPOOLS_MAX ? SPOOLS_MAX - stock.spools : 0;
    if (left > kept_for_others(stock.own_spools, left, SPOOLS_MAX))
        return 0;
    error_set(err, ERROR_AGENT, directory,
              "%" PRIu64 " spools stand there, %" PRIu64
              " of them of runs of %s: of the %d that an "
              "agent keeps at most, the rest is for other callers",
              stock.spools, stock.own_spools, caller, SPOOLS_MAX);
    return error_cure(err,
                      "delete those of runs that nobody needs (`tcp-flowgen recover` with that "
                      "directory lists them), or start the agent with another --spool");
}

int spool_place_admit(const struct agent_options *agent, const char *caller, struct error *err)
{
    const struct spool_bounds bounds = spool_place_bounds(agent, caller);
    int failed = spool_place_check(agent, err);
    if (!failed)
        failed = check_files(agent->spool_directory, err);
    if (!failed)
        failed = check_number(agent->spool_directory, caller, err);
    if (failed)
        return failed;
    return spool_place_room(&bounds, err) ? 0 : ERROR_AGENT;
}
