/* What the kernel counts by CPU is summed over all of them, however many there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/cpu.h"

/* As softnet_stat has them; the last columns vary with the kernel. */
static int softnet_of(unsigned cpus)
{
    int fd = memfd_create("softnet_stat", MFD_CLOEXEC);
    assert_true(fd >= 0);
    for (unsigned i = 0; i < cpus; i++) {
        dprintf(fd, "%08x %08x %08x", 0xffffff00u + i % 256, i, i * 16);
        for (int column = 0; column < 12; column++)
            dprintf(fd, " %08x", column < 9 ? 0 : i);
        dprintf(fd, "\n");
    }
    return fd;
}

static struct softnet_counters read_softnet(int fd)
{
    const struct cpu_reader reader = {.stat_fd = -1, .softnet_fd = fd};
    struct softnet_counters first, counters;
    cpu_read_softnet(&reader, &first);
    cpu_read_softnet(&reader, &counters); /* it is read again and again */
    assert_memory_equal(&first, &counters, sizeof counters);
    if (fd >= 0)
        close(fd);
    return counters;
}

static void softnet_is_summed_over_all_cpus(void **state)
{
    (void)state;
    const unsigned many[] = {1, 2, 30, 31, 466, 1024, 8192};
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        const int64_t sum = (int64_t)many[i] * (many[i] - 1) / 2;
        const struct softnet_counters counters = read_softnet(softnet_of(many[i]));
        assert_int_equal(counters.dropped, sum);
        assert_int_equal(counters.squeezed, sum * 16);
    }
}

/* The kernel hands out a page at a time, of its own file. */
static void the_kernels_own_file_is_read(void **state)
{
    (void)state;
    struct cpu_reader reader;
    struct softnet_counters counters;
    struct cpu_times times;
    cpu_reader_open(&reader);
    cpu_read_softnet(&reader, &counters);
    assert_int_equal(counters.dropped < 0, reader.softnet_fd < 0);
    cpu_read_times(&reader, &times);
    assert_true(times.idle_ns > 0);
    cpu_reader_close(&reader);
}

static void what_is_not_there_is_not_known(void **state)
{
    (void)state;
    const int without[] = {-1, open("/dev/null", O_RDONLY | O_CLOEXEC),
                           open("/", O_RDONLY | O_CLOEXEC)};
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        const struct softnet_counters counters = read_softnet(without[i]);
        assert_int_equal(counters.dropped, -1);
        assert_int_equal(counters.squeezed, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softnet_is_summed_over_all_cpus),
        cmocka_unit_test(the_kernels_own_file_is_read),
        cmocka_unit_test(what_is_not_there_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
