#include "engine/sample_read.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "util/clock.h"

enum { FD = 7, LENGTH = 232 };

/* A kernel whose TCP_INFO is the number of the read, and which takes as long as the test says. */
static int64_t now_ns;
static int64_t takes_ns[4];
static unsigned char reads;

int64_t __wrap_clock_now(void);
int64_t __wrap_clock_now(void)
{
    return now_ns;
}

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
    assert_int_equal(fd, FD);
    assert_int_equal(level, IPPROTO_TCP);
    if (option != TCP_INFO) {
        *size = 0;
        now_ns += NS_PER_S; /* is not to count */
        return 0;
    }
    now_ns += takes_ns[reads++];
    memset(value, reads, LENGTH);
    *size = LENGTH;
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    now_ns = NS_PER_S;
    reads = 0;
    for (size_t i = 0; i < sizeof takes_ns / sizeof *takes_ns; i++)
        takes_ns[i] = NS_PER_US;
    return 0;
}

static void check_read(unsigned char number, int64_t t_ns)
{
    struct sample sample;
    memset(&sample, 0xff, sizeof sample);
    sample_read(FD, &sample);
    assert_int_equal(reads, number);
    assert_int_equal(sample.t_ns, t_ns);
    assert_int_equal(sample.info_length, LENGTH);
    assert_int_equal(sample.cc_length, 0);
    assert_int_equal(sample.info[0], number);
    assert_int_equal(sample.info[LENGTH - 1], number);
    assert_int_equal(sample.info[LENGTH], 0);
}

static void test_time_is_behind_the_values(void **state)
{
    (void)state;
    check_read(1, NS_PER_S + NS_PER_US);
}

/* The thread was preempted before it could look at the clock: that sample would be milliseconds
 * old. */
static void test_held_up_reads_again(void **state)
{
    (void)state;
    takes_ns[0] = 120 * NS_PER_MS;
    check_read(2, NS_PER_S + 120 * NS_PER_MS + NS_PER_US);
}

static void test_held_up_each_time(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        takes_ns[i] = NS_PER_MS;
    check_read(3, NS_PER_S + 3 * NS_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_time_is_behind_the_values, set_up),
        cmocka_unit_test_setup(test_held_up_reads_again, set_up),
        cmocka_unit_test_setup(test_held_up_each_time, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
