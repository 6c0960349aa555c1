/* Responder and prober over loopback, and what a stranger may send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe/packet.h"
#include "probe/prober.h"
#include "probe/responder.h"
#include "util/clock.h"

#define QUIET_MS 50 /* no answer so long after a request that has none to get is none */
#define SOON_MS  5000

static const uint8_t key_bytes[PROBE_KEY_SIZE] = {42};
static const uint8_t secret[SECRET_SIZE] = {255}, other_secret[SECRET_SIZE] = {255, 1};

struct bed {
    struct responder *responder;
    uint16_t port;
    struct hmac *key;
    int fd; /* a stranger's or the master's */
};

static struct probe_announcement announcement(void)
{
    return (struct probe_announcement){
        .secret = secret, .key = key_bytes, .address = "127.0.0.1", .sources = {"127.0.0.1"}};
}

static int open_socket(const char *from)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    inet_pton(AF_INET, from, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void send_to(int fd, uint16_t port, const void *data, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    assert_int_equal(sendto(fd, data, size, 0, (struct sockaddr *)&address, sizeof address), size);
}

/* The size of the answer; 0: there is none. */
static ssize_t answer(int fd, uint8_t *data, size_t room, int wait_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, wait_ms) != 1)
        return 0;
    ssize_t size = recv(fd, data, room, MSG_DONTWAIT);
    return size < 0 ? 0 : size;
}

static void make_request(struct bed *bed, uint64_t sequence, uint8_t data[PROBE_PACKET_SIZE])
{
    const struct probe_packet request = {.kind = PROBE_REQUEST, .sequence = sequence};
    assert_true(probe_packet_write(&request, bed->key, data));
}

static struct probe_packet must_answer(struct bed *bed, uint64_t sequence)
{
    uint8_t data[PROBE_PACKET_SIZE + 1];
    struct probe_packet reply;
    make_request(bed, sequence, data);
    int64_t before = clock_now();
    send_to(bed->fd, bed->port, data, PROBE_PACKET_SIZE);
    assert_int_equal(answer(bed->fd, data, sizeof data, SOON_MS), PROBE_PACKET_SIZE);
    assert_true(probe_packet_read(&reply, PROBE_REPLY, bed->key, data, PROBE_PACKET_SIZE));
    assert_int_equal(reply.sequence, sequence);
    assert_true(reply.received_ns >= before && reply.sent_ns >= reply.received_ns);
    assert_true(reply.sent_ns <= clock_now());
    return reply;
}

static void must_be_silent(struct bed *bed, int fd, const uint8_t *data, size_t size)
{
    uint8_t reply[256];
    send_to(fd, bed->port, data, size);
    assert_int_equal(answer(fd, reply, sizeof reply, QUIET_MS), 0);
}

static int setup_with(void **state, int64_t silence_ns)
{
    struct bed *bed = calloc(1, sizeof *bed);
    const struct probe_announcement ours = announcement();
    if (responder_create(&bed->responder, silence_ns, NULL) ||
        responder_add(bed->responder, &ours, &bed->port, NULL))
        return -1;
    bed->key = hmac_new(key_bytes, PROBE_KEY_SIZE);
    bed->fd = open_socket("127.0.0.1");
    *state = bed;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, PROBE_SILENCE_NS);
}

static int setup_impatient(void **state)
{
    return setup_with(state, 300 * NS_PER_MS);
}

static int teardown(void **state)
{
    struct bed *bed = *state;
    close(bed->fd);
    hmac_free(bed->key);
    responder_destroy(bed->responder);
    free(bed);
    return 0;
}

/* ---- the responder ---- */

static void answers_its_master(void **state)
{
    struct bed *bed = *state;
    assert_false(must_answer(bed, 1).has_previous);
    struct probe_packet second = must_answer(bed, 2), third = must_answer(bed, 3);
    assert_true(second.received_by_kernel && third.received_by_kernel);
    /* When the last reply left, by the kernel, is nearer the truth than what it said itself. */
    assert_true(third.has_previous && third.previous_sent_ns >= second.sent_ns);
    assert_true(third.previous_sent_ns <= third.received_ns);
    assert_false(must_answer(bed, 9).has_previous); /* it cannot know whether we had the last */
}

static void answers_nobody_else(void **state)
{
    struct bed *bed = *state;
    uint8_t data[2 * PROBE_PACKET_SIZE] = {0};
    must_answer(bed, 10);
    must_be_silent(bed, bed->fd, data, PROBE_PACKET_SIZE);

    static const uint8_t other_bytes[PROBE_KEY_SIZE] = {43};
    struct hmac *ours = bed->key, *other = hmac_new(other_bytes, PROBE_KEY_SIZE);
    bed->key = other;
    make_request(bed, 11, data);
    bed->key = ours;
    hmac_free(other);
    must_be_silent(bed, bed->fd, data, PROBE_PACKET_SIZE);

    make_request(bed, 11, data);
    int stranger = open_socket("127.0.0.2");
    must_be_silent(bed, stranger, data, PROBE_PACKET_SIZE);
    close(stranger);

    must_be_silent(bed, bed->fd, data, PROBE_PACKET_SIZE - 1);
    must_be_silent(bed, bed->fd, data, PROBE_PACKET_SIZE + 1);
    must_be_silent(bed, bed->fd, data, 2 * PROBE_PACKET_SIZE);
    must_be_silent(bed, bed->fd, data, 0);

    make_request(bed, 10, data); /* once more */
    must_be_silent(bed, bed->fd, data, PROBE_PACKET_SIZE);
    make_request(bed, 9, data);
    must_be_silent(bed, bed->fd, data, PROBE_PACKET_SIZE);
    const struct probe_packet reply = {.kind = PROBE_REPLY, .sequence = 11};
    assert_true(probe_packet_write(&reply, bed->key, data));
    must_be_silent(bed, bed->fd, data, PROBE_PACKET_SIZE);

    must_answer(bed, 11); /* none of this did any harm */
}

static int setup_less_impatient(void **state)
{
    return setup_with(state, 1200 * NS_PER_MS);
}

/* This process is stopped, as by Ctrl-Z. */
static void stop_for(int64_t ns)
{
    const struct timespec length = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    const pid_t stopped = getpid(), waker = fork();
    assert_true(waker >= 0);
    if (waker == 0) {
        nanosleep(&length, NULL);
        _exit(kill(stopped, SIGCONT));
    }
    raise(SIGSTOP);
    assert_int_equal(waitpid(waker, NULL, 0), waker);
}

static void is_not_silent_while_we_are_stopped(void **state)
{
    const struct timespec moment = {.tv_nsec = 100 * NS_PER_MS};
    must_answer(*state, 1);
    stop_for(1700 * NS_PER_MS);
    nanosleep(&moment, NULL);
    must_answer(*state, 2);
}

static void is_gone_with_its_run(void **state)
{
    struct bed *bed = *state;
    uint8_t data[PROBE_PACKET_SIZE];
    must_answer(bed, 1);
    responder_remove(bed->responder, other_secret);
    must_answer(bed, 2);
    responder_remove(bed->responder, secret);
    make_request(bed, 3, data);
    must_be_silent(bed, bed->fd, data, sizeof data);
    int fd = open_socket("127.0.0.1"); /* the port is free: nothing listens there */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(bed->port)};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    close(bed->fd);
    bed->fd = open_socket("127.0.0.2");
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, data, sizeof data, 0), sizeof data);
    assert_int_equal(recv(fd, data, sizeof data, 0), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
}

static void is_forgotten_when_nobody_asks(void **state)
{
    struct bed *bed = *state;
    uint8_t data[PROBE_PACKET_SIZE];
    must_answer(bed, 1);
    usleep(2 * 1000 * 1000); /* it looks about once a second */
    make_request(bed, 2, data);
    must_be_silent(bed, bed->fd, data, sizeof data);
}

static void a_new_one_replaces_the_runs_last(void **state)
{
    struct bed *bed = *state;
    const struct probe_announcement again = announcement();
    uint8_t data[PROBE_PACKET_SIZE];
    uint16_t port;
    must_answer(bed, 5);
    assert_int_equal(responder_add(bed->responder, &again, &port, NULL), 0);
    make_request(bed, 6, data);
    must_be_silent(bed, bed->fd, data, sizeof data);
    bed->port = port;
    must_answer(bed, 1);
}

static void takes_only_so_many(void **state)
{
    struct bed *bed = *state;
    struct probe_announcement more = announcement();
    struct error err;
    uint16_t port;
    uint8_t theirs[SECRET_SIZE] = {0};
    more.secret = theirs;
    for (int i = 1; i < PROBES_MAX; i++) {
        theirs[0] = (uint8_t)i;
        assert_int_equal(responder_add(bed->responder, &more, &port, &err), 0);
    }
    theirs[0] = PROBES_MAX;
    assert_int_equal(responder_add(bed->responder, &more, &port, &err), ERROR_AGENT);
    must_answer(bed, 1);
}

static void refuses_announcements_that_cannot_be(void **state)
{
    struct bed *bed = *state;
    static const char *const addresses[] = {
        "",   "host.example",    "0.0.0.0",    "224.0.0.1", "ff02::1",
        "::", "255.255.255.255", "127.0.0.1 ", "1.2.3.4:5"};
    uint16_t port;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct probe_announcement hostile = announcement();
        hostile.secret = other_secret;
        hostile.address = addresses[i];
        assert_int_equal(responder_add(bed->responder, &hostile, &port, NULL), ERROR_INPUT);
        hostile.address = "127.0.0.1";
        hostile.sources[1] = addresses[i];
        assert_int_equal(responder_add(bed->responder, &hostile, &port, NULL), ERROR_INPUT);
    }
    struct probe_announcement elsewhere = announcement();
    elsewhere.address = "192.0.2.1"; /* RFC 5737: nobody's */
    assert_int_equal(responder_add(bed->responder, &elsewhere, &port, NULL), ERROR_SYSTEM);
    elsewhere.anywhere = true;
    assert_int_equal(responder_add(bed->responder, &elsewhere, &port, NULL), 0);
}

static void chooses_a_port_of_the_range(void **state)
{
    struct bed *bed = *state;
    struct probe_announcement within = announcement();
    uint16_t port, free_port = bed->port;
    responder_remove(bed->responder, secret);
    within.port_first = free_port;
    within.port_last = (uint16_t)(free_port + 1);
    assert_int_equal(responder_add(bed->responder, &within, &port, NULL), 0);
    assert_in_range(port, within.port_first, within.port_last);
    bed->port = port;
    must_answer(bed, 1);
    within.secret = other_secret;
    within.port_first = within.port_last = port; /* it is taken */
    assert_int_equal(responder_add(bed->responder, &within, &port, NULL), ERROR_SYSTEM);
}

/* However many are asked for, with the right key at that. */
static void answers_only_so_many_a_second(void **state)
{
    struct bed *bed = *state;
    uint8_t data[PROBE_PACKET_SIZE];
    const int asked = 20000;
    int answered = 0;
    int64_t start = clock_now();
    for (int i = 1; i <= asked; i++) {
        make_request(bed, (uint64_t)i, data);
        send_to(bed->fd, bed->port, data, sizeof data);
        while (answer(bed->fd, data, sizeof data, 0))
            answered++;
    }
    while (answer(bed->fd, data, sizeof data, QUIET_MS))
        answered++;
    int64_t allowed = 400 + (clock_now() - start) * 4000 / NS_PER_S;
    assert_in_range(answered, 100, allowed);
}

/* ---- the prober ---- */

static void tell(void *arg)
{
    eventfd_write(*(int *)arg, 1);
}

struct side {
    struct prober *prober;
    struct probe_target *target;
    int over; /* eventfd */
};

static void open_side(struct side *side, uint16_t port)
{
    side->over = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(prober_create(&side->prober, tell, &side->over, NULL), 0);
    assert_int_equal(probe_target_open(&side->target, side->prober, "127.0.0.1", NULL), 0);
    assert_string_equal(probe_target_source(side->target), "127.0.0.1");
    assert_int_equal(probe_target_aim(side->target, port, key_bytes, NULL), 0);
}

static void close_side(struct side *side)
{
    probe_target_close(side->target);
    prober_destroy(side->prober);
    close(side->over);
}

static struct probe_burst burst(struct side *side, size_t count)
{
    struct probe_burst burst;
    eventfd_t told;
    probe_target_burst(side->target, count);
    assert_int_equal(eventfd_read(side->over, &told), 0);
    assert_true(probe_target_take(side->target, &burst));
    assert_false(probe_target_take(side->target, &burst));
    return burst;
}

/* Both have the same clock here: the offset is 0, and the bound has to hold that. */
static void exchanges_say_the_truth(void **state)
{
    struct bed *bed = *state;
    struct side side;
    open_side(&side, bed->port);
    for (int i = 0; i < 20; i++) {
        struct probe_burst made = burst(&side, PROBE_BURST_MAX);
        assert_string_equal(made.failure, "");
        assert_int_equal(made.count, PROBE_BURST_MAX);
        for (size_t k = 0; k < made.count; k++) {
            const struct clock_exchange *e = &made.exchanges[k];
            assert_true(e->t1 <= e->t2 && e->t2 <= e->t3 && e->t3 <= e->t4);
            assert_int_equal(e->method, CLOCK_UDP_KERNEL);
        }
        struct clock_point point = clock_best(made.exchanges, made.count);
        assert_true(point.offset_ns <= point.bound_ns && -point.offset_ns <= point.bound_ns);
        assert_true(point.bound_ns < NS_PER_MS);
    }
    close_side(&side);
}

static void says_why_there_is_no_answer(void **state)
{
    struct bed *bed = *state;
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    struct side side;
    assert_int_equal(getsockname(bed->fd, (struct sockaddr *)&address, &size), 0);
    open_side(&side, ntohs(address.sin_port)); /* bed->fd hears it and says nothing */
    struct probe_burst made = burst(&side, 4);
    assert_int_equal(made.count, 0);
    assert_non_null(strstr(made.failure, "does not answer"));
    close_side(&side);

    uint16_t port = bed->port;
    responder_remove(bed->responder, secret);
    open_side(&side, port);
    made = burst(&side, 4);
    assert_int_equal(made.count, 0);
    assert_non_null(strstr(made.failure, "nothing listens"));
    close_side(&side);
}

static void a_burst_can_be_given_up(void **state)
{
    struct bed *bed = *state;
    struct side side;
    open_side(&side, bed->port);
    for (int i = 0; i < 200; i++) {
        probe_target_burst(side.target, PROBE_BURST_MAX);
        probe_target_close(side.target);
        assert_int_equal(probe_target_open(&side.target, side.prober, "127.0.0.1", NULL), 0);
        assert_int_equal(probe_target_aim(side.target, bed->port, key_bytes, NULL), 0);
    }
    close_side(&side);
}

#define TEST(name)           cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_IMPATIENT(name) cmocka_unit_test_setup_teardown(name, setup_impatient, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_its_master),
        TEST(answers_nobody_else),
        cmocka_unit_test_setup_teardown(is_not_silent_while_we_are_stopped, setup_less_impatient,
                                        teardown),
        TEST(is_gone_with_its_run),
        TEST_IMPATIENT(is_forgotten_when_nobody_asks),
        TEST(a_new_one_replaces_the_runs_last),
        TEST(takes_only_so_many),
        TEST(refuses_announcements_that_cannot_be),
        TEST(chooses_a_port_of_the_range),
        TEST(answers_only_so_many_a_second),
        TEST(exchanges_say_the_truth),
        TEST(says_why_there_is_no_answer),
        TEST(a_burst_can_be_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
