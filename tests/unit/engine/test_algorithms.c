/* Algorithms as the kernel that runs the test has them; reno is in every kernel. */
#include "netns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/algorithms.h"
#include "model/ccalg.h"
#include "util/cleanup.h"

static void test_available(void **state)
{
    (void)state;
    char names[ALGORITHMS_MAX][CCALG_MAX];
    int count = algorithms_available(names);
    bool reno = false;

    for (int i = 0; i < count; i++)
        reno = reno || strcmp(names[i], "reno") == 0;
    assert_true(reno);
}

static void test_usable(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(algorithm_check("reno", &err), 0);
    assert_int_equal(algorithm_check("", &err), 0);
}

static void test_unknown_lists_available(void **state)
{
    (void)state;
    static const char *const names[] = {"no_such_one", "reno_but_much_too_long", "reno2", "r n"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct error err = {0};
        assert_int_equal(algorithm_check(names[i], &err), ERROR_AGENT);
        assert_non_null(strstr(err.what, names[i]));
        assert_non_null(strstr(err.cure, "there are reno"));
        assert_non_null(strstr(err.cure, "modprobe"));
    }
}

/* An algorithm that is available but not in tcp_allowed_congestion_control, or false. */
static bool find_restricted(char out[CCALG_MAX])
{
    char names[ALGORITHMS_MAX][CCALG_MAX], allowed[1024] = " ";
    int count = algorithms_available(names);
    CLEANUP_FCLOSE FILE *file = fopen("/proc/sys/net/ipv4/tcp_allowed_congestion_control", "re");

    if (!file || !fgets(allowed + 1, sizeof allowed - 2, file))
        return false;
    allowed[strcspn(allowed, "\n")] = ' ';
    for (int i = 0; i < count; i++) {
        char word[CCALG_MAX + 2];
        snprintf(word, sizeof word, " %.15s ", names[i]);
        if (!strstr(allowed, word)) {
            memcpy(out, names[i], CCALG_MAX);
            return true;
        }
    }
    return false;
}

static void test_forbidden(void **state)
{
    (void)state;
    char name[CCALG_MAX];
    if (geteuid() != 0 || !find_restricted(name)) {
        print_message("needs root and an algorithm that is not allowed to all\n");
        skip();
    }
    pid_t child = fork();
    if (child == 0) {
        struct error err = {0};
        bool fine = setuid(65534) == 0 && algorithm_check(name, &err) == ERROR_AGENT &&
                    strstr(err.what, name) && strstr(err.cure, "CAP_NET_ADMIN");
        _exit(fine ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_needs_ecn(void **state)
{
    (void)state;
    assert_true(ccalg_needs_ecn("dctcp"));
    assert_true(ccalg_needs_ecn("prague"));
    assert_false(ccalg_needs_ecn("cubic"));
    assert_false(ccalg_needs_ecn(""));
}

static void test_demanded_of_who_sends(void **state)
{
    (void)state;
    assert_true(ccalg_is_demanded("cubic", true));
    assert_false(ccalg_is_demanded("cubic", false));
    assert_true(ccalg_is_demanded("dctcp", true));
    assert_true(ccalg_is_demanded("dctcp", false));
    assert_false(ccalg_is_demanded("", true));
    assert_false(ccalg_is_demanded("", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_available),
        cmocka_unit_test(test_usable),
        cmocka_unit_test(test_unknown_lists_available),
        cmocka_unit_test(test_forbidden),
        cmocka_unit_test(test_needs_ecn),
        cmocka_unit_test(test_demanded_of_who_sends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
