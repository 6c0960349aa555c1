/* The gate's thread, when it stood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <semaphore.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "rpc/rpc_gate.h"
#include "util/clock.h"

static struct {
    struct rpc_gate *gate;
    struct rpc_watch standing, waiting;
    bool added;
    char order[4];
    sem_t over;
} stood;

static void note(char what)
{
    stood.order[strlen(stood.order)] = what;
}

static void on_standing(struct rpc_watch *watch, uint32_t events)
{
    (void)events;
    eventfd_t count;
    const struct timespec stands = {.tv_nsec = 400 * NS_PER_MS};
    eventfd_read(watch->fd, &count);
    nanosleep(&stands, NULL);
    eventfd_write(stood.waiting.fd, 1); /* it has come meanwhile */
    note('s');
}

static void on_waiting(struct rpc_watch *watch, uint32_t events)
{
    eventfd_t count;
    note(events ? 'w' : 'd');
    if (events)
        eventfd_read(watch->fd, &count);
    else
        sem_post(&stood.over);
}

static void add(void *arg)
{
    (void)arg;
    stood.waiting.due_ns = rpc_gate_now(stood.gate) + 200 * NS_PER_MS;
    stood.added = !rpc_gate_add(stood.gate, &stood.standing, EPOLLIN) &&
                  !rpc_gate_add(stood.gate, &stood.waiting, EPOLLIN);
}

static void leave(void *arg)
{
    (void)arg;
    rpc_gate_remove(stood.gate, &stood.standing);
    rpc_gate_remove(stood.gate, &stood.waiting);
}

static void test_what_waits_comes_before_what_is_due(void **state)
{
    (void)state;
    stood.standing = (struct rpc_watch){
        .fd = eventfd(1, EFD_CLOEXEC), .due_ns = INT64_MAX, .ready = on_standing};
    stood.waiting = (struct rpc_watch){.fd = eventfd(0, EFD_CLOEXEC), .ready = on_waiting};
    sem_init(&stood.over, 0, 0);
    assert_int_equal(rpc_gate_create(&stood.gate, NULL), 0);
    rpc_gate_do(stood.gate, add, NULL);
    assert_true(stood.added);
    sem_wait(&stood.over);
    rpc_gate_do(stood.gate, leave, NULL);
    assert_string_equal(stood.order, "swd");
    rpc_gate_destroy(stood.gate);
    close(stood.standing.fd);
    close(stood.waiting.fd);
    sem_destroy(&stood.over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_waits_comes_before_what_is_due)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
