#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../temporary.h"
#include "format/pcapng.h"

/* Written by hand after draft-ietf-opsawg-pcapng; little-endian. */
static const uint8_t GOLDEN[] = {
    /* section: type, length, magic, 1.0, length unknown */
    0x0a, 0x0d, 0x0d, 0x0a, 48, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff,
    /* comment "hey", application "me", end */
    1, 0, 3, 0, 'h', 'e', 'y', 0, 4, 0, 2, 0, 'm', 'e', 0, 0, 0, 0, 0, 0, 48, 0, 0, 0,
    /* interface: Ethernet, 192 bytes, "eth0", nanoseconds, end */
    1, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 192, 0, 0, 0, 2, 0, 4, 0, 'e', 't', 'h', '0', 9, 0, 1, 0,
    9, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0,
    /* packet: interface, time, 5 of 1514 bytes */
    6, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0, 0x04, 0x03, 0x02, 0x01, 0x08, 0x07, 0x06, 0x05, 5, 0, 0, 0,
    0xea, 5, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0, 40, 0, 0, 0,
    /* statistics: interface, time of the last packet, received 1 + 2, dropped 2, end */
    5, 0, 0, 0, 52, 0, 0, 0, 0, 0, 0, 0, 0x04, 0x03, 0x02, 0x01, 0x08, 0x07, 0x06, 0x05, 4, 0, 8, 0,
    3, 0, 0, 0, 0, 0, 0, 0, 5, 0, 8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 52, 0, 0, 0};

static const struct pcapng_about ABOUT = {
    .comment = "hey", .application = "me", .interface = "eth0", .link_type = 1, .snap_length = 192};

struct place {
    char directory[TEMPORARY_MAX], path[TEMPORARY_PATH_MAX], temporary[TEMPORARY_PATH_MAX + 8];
    int fd; /* of the directory */
};

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    if (!place || !temporary_directory(place->directory, "pcapng-test"))
        return -1;
    snprintf(place->path, sizeof place->path, "%s/a.pcapng", place->directory);
    snprintf(place->temporary, sizeof place->temporary, "%s.tmp", place->path);
    place->fd = open(place->directory, O_DIRECTORY | O_CLOEXEC);
    *state = place;
    return place->fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    unlink(place->path);
    unlink(place->temporary);
    rmdir(place->directory);
    close(place->fd);
    free(place);
    return 0;
}

static void test_golden(void **state)
{
    const struct place *place = *state;
    const uint16_t one = 1;
    if (!*(const uint8_t *)&one)
        skip(); /* the file is in this machine's order */
    struct pcapng *file;
    assert_int_equal(pcapng_open(&file, place->fd, "a.pcapng", &ABOUT, NULL), 0);
    assert_int_equal(pcapng_packet(file, INT64_C(0x0102030405060708), 1514, 5,
                                   (const uint8_t *)"\1\2\3\4\5", NULL),
                     0);
    assert_int_not_equal(access(place->path, F_OK), 0);
    assert_int_equal(pcapng_close(file, 2, NULL), 0);
    assert_int_not_equal(access(place->temporary, F_OK), 0);

    uint8_t bytes[sizeof GOLDEN + 1];
    FILE *stream = fopen(place->path, "r");
    assert_non_null(stream);
    const size_t size = fread(bytes, 1, sizeof bytes, stream);
    fclose(stream);
    assert_int_equal(size, sizeof GOLDEN);
    assert_memory_equal(bytes, GOLDEN, sizeof GOLDEN);
}

static void test_given_up(void **state)
{
    const struct place *place = *state;
    struct pcapng *file;
    assert_int_equal(pcapng_open(&file, place->fd, "a.pcapng", &ABOUT, NULL), 0);
    pcapng_abort(file);
    assert_int_not_equal(access(place->temporary, F_OK), 0);
    pcapng_abort(NULL);
}

static void test_no_place(void **state)
{
    struct pcapng *file;
    struct error err = {0};
    const struct place *place = *state;
    assert_int_equal(rmdir(place->directory), 0);
    assert_int_equal(pcapng_open(&file, place->fd, "a.pcapng", &ABOUT, &err), ERROR_SYSTEM);
    assert_string_equal(err.where, "a.pcapng.tmp");
}

static void test_full_disk(void **state)
{
    struct pcapng *file;
    struct error err = {0};
    const struct place *place = *state;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){64, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const int opened = pcapng_open(&file, place->fd, "a.pcapng", &ABOUT, NULL);
    const int failed = opened ? opened : pcapng_close(file, 0, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(opened, 0);
    assert_int_equal(failed, ERROR_SYSTEM);
    assert_int_not_equal(access(place->path, F_OK), 0);
    assert_int_not_equal(access(place->temporary, F_OK), 0);
}

/* Others may write where the file will be. */
static void test_a_link_in_the_way(void **state)
{
    struct pcapng *file;
    struct stat status;
    const struct place *place = *state;
    char victim[sizeof place->path + 8];
    snprintf(victim, sizeof victim, "%s.victim", place->path);
    const int fd = open(victim, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_int_equal(write(fd, "precious", 8), 8);
    close(fd);
    assert_int_equal(symlink(victim, place->temporary), 0);
    assert_int_equal(pcapng_open(&file, place->fd, "a.pcapng", &ABOUT, NULL), 0);
    assert_int_equal(pcapng_close(file, 0, NULL), 0);
    assert_int_equal(lstat(place->path, &status), 0);
    assert_true(S_ISREG(status.st_mode));
    assert_int_equal(stat(victim, &status), 0);
    assert_int_equal(status.st_size, 8);
    unlink(victim);
}

/* Who may write beside the directory puts a link in its place while the file is written. */
static void test_a_directory_that_is_exchanged(void **state)
{
    struct pcapng *file;
    const struct place *place = *state;
    char moved[TEMPORARY_PATH_MAX], victim[TEMPORARY_PATH_MAX], path[TEMPORARY_PATH_MAX + 16];
    snprintf(moved, sizeof moved, "%s.moved", place->directory);
    snprintf(victim, sizeof victim, "%s.victim", place->directory);
    assert_int_equal(mkdir(victim, 0700), 0);
    assert_int_equal(pcapng_open(&file, place->fd, "a.pcapng", &ABOUT, NULL), 0);
    assert_int_equal(rename(place->directory, moved), 0);
    assert_int_equal(symlink(victim, place->directory), 0);
    assert_int_equal(pcapng_close(file, 0, NULL), 0);
    assert_int_equal(pcapng_open(&file, place->fd, "a.pcapng", &ABOUT, NULL), 0);
    pcapng_abort(file);
    assert_int_equal(rmdir(victim), 0); /* nothing is in it */
    snprintf(path, sizeof path, "%s/a.pcapng", moved);
    assert_int_equal(unlink(path), 0);
    unlink(place->directory);
    assert_int_equal(rmdir(moved), 0); /* nor is a NAME.tmp here */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_golden, setup, teardown),
        cmocka_unit_test_setup_teardown(test_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_link_in_the_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_that_is_exchanged, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
