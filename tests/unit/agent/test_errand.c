/* Errands where no thread can be had: what others asked for is refused, what must be done is done
 * later. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/errand.h"

/* How many calls to pthread_create() of this thread fail, from now on; gRPC has threads of its own
 * that may start some. */
static _Thread_local unsigned refused;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void *arg)
{
    if (!refused)
        return __real_pthread_create(thread, attributes, run, arg);
    refused--;
    return EAGAIN;
}

struct errand {
    pthread_t main;
    bool worked, elsewhere, done;
};

static void work(void *arg)
{
    struct errand *errand = arg;
    errand->worked = true;
    errand->elsewhere = !pthread_equal(errand->main, pthread_self());
}

static void done(void *arg)
{
    ((struct errand *)arg)->done = true;
}

static void await(struct rpc_loop *loop, const struct errand *errand)
{
    for (int i = 0; i < 1000 && !errand->done; i++)
        rpc_loop_run(loop, 10);
    assert_true(errand->done);
    assert_true(errand->worked && errand->elsewhere);
}

static void test_tried(void **state)
{
    struct errand errand = {.main = pthread_self()};
    refused = 1;
    assert_int_equal(errand_try(*state, "a test", work, done, &errand), -1);
    rpc_loop_run(*state, 10);
    assert_false(errand.worked || errand.done);
    assert_int_equal(errand_try(*state, "a test", work, done, &errand), 0);
    await(*state, &errand);
}

static void test_insisted(void **state)
{
    struct errand errand = {.main = pthread_self()};
    refused = 2;
    errand_run(*state, "a test", work, done, &errand);
    assert_int_equal(refused, 1);
    assert_false(errand.worked || errand.done);
    await(*state, &errand);
    assert_int_equal(refused, 0);
}

static int setup(void **state)
{
    return rpc_loop_create((struct rpc_loop **)state, NULL);
}

static int teardown(void **state)
{
    rpc_loop_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tried, setup, teardown),
        cmocka_unit_test_setup_teardown(test_insisted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
