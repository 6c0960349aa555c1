/* Where spools are kept if nobody says: a directory that is made, and is this user's alone. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "../temporary.h"
#include "agent/spool_place.h"

#define SOMEBODY 54321

struct fixture {
    char directory[TEMPORARY_MAX];
    bool root; /* the effective user is changed to somebody and back */
};

static void become(uid_t uid)
{
    assert_int_equal(seteuid(uid), 0);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!temporary_directory(fixture->directory, "place-test"))
        return -1;
    fixture->root = geteuid() == 0;
    unsetenv("STATE_DIRECTORY");
    unsetenv("XDG_STATE_HOME");
    setenv("HOME", fixture->directory, 1);
    if (fixture->root && (chown(fixture->directory, SOMEBODY, (gid_t)-1) || seteuid(SOMEBODY)))
        return -1;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    char command[TEMPORARY_MAX + 16];
    if (fixture->root && seteuid(0))
        return -1;
    snprintf(command, sizeof command, "rm -rf '%s'", fixture->directory);
    int failed = system(command); /* NOLINT(cert-env33-c): a name of our own */
    free(fixture);
    return failed;
}

static void must_be(const char *path, const struct fixture *fixture, const char *below)
{
    char expected[SPOOL_PLACE_MAX];
    struct stat status;
    snprintf(expected, sizeof expected, "%s%s", fixture->directory, below);
    assert_string_equal(path, expected);
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISDIR(status.st_mode));
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(status.st_uid, geteuid());
}

static void test_given(void **state)
{
    (void)state;
    char path[SPOOL_PLACE_MAX];
    setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1);
    assert_int_equal(spool_place_settle("given", path, NULL), 0);
    assert_string_equal(path, "given");
    assert_int_equal(spool_place_settle(NULL, path, NULL), 0);
    assert_string_equal(path, "/var/lib/one");
    char *long_name = calloc(SPOOL_PLACE_MAX + 1, 1);
    memset(long_name, 'x', SPOOL_PLACE_MAX);
    assert_int_equal(spool_place_settle(long_name, path, NULL), ERROR_INPUT);
    free(long_name);
}

static void test_made_for_this_user(void **state)
{
    const struct fixture *fixture = *state;
    char path[SPOOL_PLACE_MAX], state_home[TEMPORARY_MAX + 8];
    for (int i = 0; i < 2; i++) { /* made, and found again */
        assert_int_equal(spool_place_settle(NULL, path, NULL), 0);
        must_be(path, fixture, "/.local/state/tcp-flowgen");
    }
    setenv("XDG_STATE_HOME", "not/absolute", 1);
    assert_int_equal(spool_place_settle(NULL, path, NULL), 0);
    must_be(path, fixture, "/.local/state/tcp-flowgen");
    snprintf(state_home, sizeof state_home, "%s/a/b", fixture->directory);
    setenv("XDG_STATE_HOME", state_home, 1);
    assert_int_equal(spool_place_settle(NULL, path, NULL), 0);
    must_be(path, fixture, "/a/b/tcp-flowgen");
}

static void test_what_others_may_have_put_there(void **state)
{
    const struct fixture *fixture = *state;
    char path[SPOOL_PLACE_MAX], elsewhere[TEMPORARY_MAX + 8];
    struct error err;
    assert_int_equal(spool_place_settle(NULL, path, &err), 0);
    assert_int_equal(chmod(path, 0770), 0);
    assert_int_equal(spool_place_settle(NULL, path, &err), ERROR_INPUT);
    assert_non_null(strstr(err.what, "open to others (mode 0770)"));
    assert_non_null(strstr(err.cure, "--spool"));

    assert_int_equal(rmdir(path), 0);
    snprintf(elsewhere, sizeof elsewhere, "%s/else", fixture->directory);
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(symlink(elsewhere, path), 0);
    assert_int_equal(spool_place_settle(NULL, path, &err), ERROR_INPUT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("dangling", path), 0);
    assert_int_equal(spool_place_settle(NULL, path, &err), ERROR_INPUT);
    assert_int_equal(unlink(path), 0);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(spool_place_settle(NULL, path, &err), ERROR_INPUT);
    assert_int_equal(unlink(path), 0);
    if (!fixture->root)
        skip();
    become(0);
    assert_int_equal(mkdir(path, 0700), 0);
    become(SOMEBODY);
    assert_int_equal(spool_place_settle(NULL, path, &err), ERROR_INPUT);
    assert_non_null(strstr(err.what, "belongs to uid 0 (root)"));
}

static void test_without_a_home(void **state)
{
    const struct fixture *fixture = *state;
    char path[SPOOL_PLACE_MAX], expected[64];
    static const char *const homes[] = {NULL, "", "relative", "/nonexistent", "/proc"};
    if (!fixture->root)
        skip(); /* this user's own may be there */
    snprintf(expected, sizeof expected, "/var/tmp/tcp-flowgen-%d", SOMEBODY);
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
        if (homes[i])
            setenv("HOME", homes[i], 1);
        else
            unsetenv("HOME");
        assert_int_equal(spool_place_settle(NULL, path, NULL), 0);
        assert_string_equal(path, expected);
    }
    assert_int_equal(rmdir(path), 0);
    become(0);
    assert_int_equal(mkdir(path, 0755), 0); /* somebody else was first */
    become(SOMEBODY);
    assert_int_equal(spool_place_settle(NULL, path, NULL), ERROR_INPUT);
    become(0);
    assert_int_equal(rmdir(path), 0);
}

static void test_what_is_no_directory(void **state)
{
    const struct fixture *fixture = *state;
    struct agent_options agent = {.spool_directory = "/etc/passwd"};
    struct error err;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(spool_place_check(&agent, &err), ERROR_INPUT);
        assert_non_null(strstr(err.what, "Not a directory"));
        assert_string_equal(err.cure, "start the agent with another --spool");
        if (fixture->root)
            become(0);
    }
}

static void test_room_of_a_disk(void **state)
{
    const struct fixture *fixture = *state;
    struct spool_bounds bounds = {.directory = fixture->directory};
    struct error err;
    struct statvfs disk;
    assert_int_equal(statvfs(fixture->directory, &disk), 0);
    const uint64_t half = (uint64_t)disk.f_blocks * disk.f_frsize / 2;
    const uint64_t room = spool_place_room(&bounds, &err);
    assert_true(room < half);
    assert_true(strstr(err.what, "of their disk free, and it has") ||
                strstr(err.what, "(half of the disk)"));
    if (room < 1000000)
        skip();
    bounds.max = 1000000;
    assert_int_equal(spool_place_room(&bounds, &err), 750000);
    bounds.directory = "/proc"; /* a file system without a size */
    bounds.max = 0;
    assert_int_equal(spool_place_room(&bounds, &err), UINT64_MAX);
}

#define UNIT 4096 /* bytes: files take whole blocks */

/* A spool of so many units. */
static void put(const struct fixture *fixture, const char *run, const char *caller, off_t size)
{
    char path[SPOOL_PLACE_MAX];
    assert_int_equal(spool_place_path(fixture->directory, run, caller, path, NULL), 0);
    const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(size ? posix_fallocate(fd, 0, size * UNIT) : 0, 0);
    close(fd);
}

static uint64_t room_of(const struct fixture *fixture, const char *caller)
{
    const struct agent_options agent = {.spool_directory = fixture->directory,
                                        .spool_max = 1024 * UNIT};
    const struct spool_bounds bounds = spool_place_bounds(&agent, caller);
    return spool_place_room(&bounds, NULL);
}

/* In a directory that others may write to: files that are not this user's, or no files, and sizes
 * without bytes. */
static void test_what_is_no_spool(void **state)
{
    const struct fixture *fixture = *state;
    char path[4][SPOOL_PLACE_MAX];
    for (int i = 0; i < 4; i++)
        assert_int_equal(spool_place_path(fixture->directory,
                                          (const char *[]){"1", "2", "3", "4"}[i], "uid 7", path[i],
                                          NULL),
                         0);
    const uint64_t before = room_of(fixture, "uid 7");
    assert_int_equal(mkdir(path[0], 0700), 0);
    assert_int_equal(symlink("/etc/passwd", path[1]), 0);
    if (fixture->root) {
        become(0);
        put(fixture, "3", "uid 7", 500);
        become(SOMEBODY);
    }
    assert_int_equal(spool_place_stock(fixture->directory, "uid 7", 100).spools, 0);
    const int fd = open(path[3], O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, INT64_C(1) << 30), 0);
    close(fd);
    assert_int_equal(spool_place_stock(fixture->directory, "uid 7", 100).own_spools, 1);
    assert_int_equal(room_of(fixture, "uid 7"), before);
}

static void test_who_may_write_there(void **state)
{
    const struct fixture *fixture = *state;
    static const mode_t shared[] = {0770, 0702, 01777}, own[] = {0700, 0755};
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        assert_int_equal(chmod(fixture->directory, shared[i]), 0);
        assert_true(spool_place_is_shared(fixture->directory));
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        assert_int_equal(chmod(fixture->directory, own[i]), 0);
        assert_false(spool_place_is_shared(fixture->directory));
    }
    assert_false(spool_place_is_shared("/")); /* root's */
    assert_false(spool_place_is_shared("/nowhere"));
    if (!fixture->root)
        return;
    become(0);
    assert_true(spool_place_is_shared(fixture->directory)); /* somebody's */
}

/* However many take what they can: the next one has room. */
static void test_none_takes_it_all(void **state)
{
    const struct fixture *fixture = *state;
    const struct agent_options agent = {.spool_directory = fixture->directory,
                                        .spool_max = 1024 * UNIT};
    static const char *const callers[] = {"uid 1000", "192.0.2.7", "fd00::/64", "uid 100"};
    static const off_t room[] = {768, 192, 48, 12};
    struct error err;
    for (size_t i = 0; i < sizeof callers / sizeof *callers; i++) {
        assert_int_equal(spool_place_admit(&agent, callers[i], &err), 0);
        assert_int_equal(room_of(fixture, callers[i]), room[i] * UNIT);
        put(fixture, "1", callers[i], room[i] / 2);
        put(fixture, "2", callers[i], room[i] - room[i] / 2);
        assert_int_equal(spool_place_admit(&agent, callers[i], &err), ERROR_AGENT);
        assert_non_null(strstr(err.what, callers[i]));
        assert_non_null(strstr(err.cure, "delete those of runs that nobody needs"));
    }
    assert_int_equal(spool_place_admit(&agent, "uid 10", &err), 0);
    const struct spool_stock stock = spool_place_stock(fixture->directory, "uid 100", 100);
    assert_int_equal(stock.spools, 8);
    assert_int_equal(stock.own_spools, 2);
    assert_int_equal(stock.own_bytes, 12 * UNIT);
}

static void test_none_takes_all_files(void **state)
{
    const struct fixture *fixture = *state;
    const struct agent_options agent = {.spool_directory = fixture->directory};
    char run[16];
    struct error err;
    for (int i = 0; i < SPOOLS_MAX / 4 * 3; i++) {
        snprintf(run, sizeof run, "%d", i);
        put(fixture, run, "uid 1000", 0);
    }
    assert_int_equal(spool_place_admit(&agent, "uid 1000", &err), ERROR_AGENT);
    assert_non_null(strstr(err.what, "3072 of them of runs of uid 1000"));
    assert_int_equal(spool_place_admit(&agent, "uid 1001", &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_given, setup, teardown),
        cmocka_unit_test_setup_teardown(test_made_for_this_user, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_others_may_have_put_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_a_home, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_room_of_a_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_spool, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_may_write_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_none_takes_it_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_none_takes_all_files, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
