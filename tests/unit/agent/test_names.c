/* Look-ups that hang hold up nobody but who asked, and not for long. */
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/names.h"
#include "util/address.h"
#include "util/clock.h"

/* A name server that answers when it is told to; none of its names exists. */
static sem_t asked, answer;

static int look_up(const char *host, int flags, struct addrinfo **out)
{
    if (strcmp(host, "known") == 0)
        return host_lookup("127.0.0.1", flags, out);
    sem_post(&asked);
    while (sem_wait(&answer))
        continue;
    return EAI_NONAME;
}

static int setup(void **state)
{
    sem_init(&asked, 0, 0);
    sem_init(&answer, 0, 0);
    return names_create((struct names **)state, look_up, NULL);
}

static int teardown(void **state)
{
    names_release(*state);
    usleep(50000); /* the last thread lets the memory go */
    return 0;
}

static struct names_caller caller(void *names, const char *key, int64_t wait_ns)
{
    struct names_caller caller = {.names = names, .until_ns = clock_now() + wait_ns};
    snprintf(caller.key, sizeof caller.key, "%s", key);
    return caller;
}

struct request {
    struct names_caller caller;
    const char *why;
    pthread_t thread;
};

static void *ask(void *arg)
{
    struct request *request = arg;
    struct addrinfo *found = NULL;
    request->why = names_find(&request->caller, "slow", &found);
    return NULL;
}

static void begin(struct request *request, void *names, const char *key, int64_t wait_ns)
{
    request->caller = caller(names, key, wait_ns);
    assert_int_equal(pthread_create(&request->thread, NULL, ask, request), 0);
}

static void test_found(void **state)
{
    struct names_caller one = caller(*state, "one", NS_PER_S);
    struct addrinfo *found = NULL;
    assert_null(names_find(&one, "known", &found));
    assert_int_equal(found->ai_family, AF_INET);
    freeaddrinfo(found);
    assert_null(names_find(&one, "192.0.2.1", &found)); /* nobody is asked */
    freeaddrinfo(found);
    sem_post(&answer);
    assert_string_equal(names_find(&one, "unknown", &found), gai_strerror(EAI_NONAME));
}

static void test_in_time(void **state)
{
    struct names_caller one = caller(*state, "one", 100 * NS_PER_MS);
    struct addrinfo *found = NULL;
    assert_string_equal(names_find(&one, "slow", &found),
                        "the name server does not answer in time");
    assert_true(clock_now() >= one.until_ns);
    sem_post(&answer);
}

static void test_cancelled(void **state)
{
    struct request request;
    begin(&request, *state, "one", 600 * NS_PER_S);
    sem_wait(&asked);
    names_cancel(&request.caller);
    pthread_join(request.thread, NULL);
    assert_non_null(request.why);
    sem_post(&answer);
}

/* One caller's are bounded, left ones included; others have room. */
static void test_each_has_a_share(void **state)
{
    struct request requests[LOOK_UPS_A_CALLER], other;
    for (int i = 0; i < LOOK_UPS_A_CALLER; i++)
        begin(&requests[i], *state, "one", 600 * NS_PER_S);
    for (int i = 0; i < LOOK_UPS_A_CALLER; i++)
        sem_wait(&asked);
    struct names_caller one = caller(*state, "one", 50 * NS_PER_MS);
    struct names_caller two = caller(*state, "two", NS_PER_S);
    struct addrinfo *found = NULL;
    assert_string_equal(names_find(&one, "known", &found),
                        "too many names are being looked up at once");
    assert_null(names_find(&two, "known", &found));
    freeaddrinfo(found);
    for (int i = 0; i < LOOK_UPS_A_CALLER; i++) {
        names_cancel(&requests[i].caller);
        pthread_join(requests[i].thread, NULL);
    }
    one.until_ns = clock_now() + 50 * NS_PER_MS;
    assert_non_null(names_find(&one, "known", &found)); /* their threads are still there */
    begin(&other, *state, "one", 600 * NS_PER_S);       /* waits for its turn */
    for (int i = 0; i < LOOK_UPS_A_CALLER + 1; i++)
        sem_post(&answer);
    pthread_join(other.thread, NULL);
    assert_string_equal(other.why, gai_strerror(EAI_NONAME));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_has_a_share, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
