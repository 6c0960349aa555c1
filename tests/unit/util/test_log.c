/* Standard error is a socket of datagrams here: each write() arrives as one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/log.h"

static int saved_stderr, reader;

static int redirect(void **state)
{
    (void)state;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0)
        return -1;
    saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    reader = ends[0];
    return 0;
}

static int restore(void **state)
{
    (void)state;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(reader);
    log_set_level(LOG_INFO);
    return 0;
}

/* The next write to standard error; empty: there was none. */
static const char *logged(void)
{
    static char text[4096];
    ssize_t size = recv(reader, text, sizeof text - 1, MSG_DONTWAIT);
    text[size < 0 ? 0 : size] = '\0';
    return text;
}

static void writes_each_level_in_its_form(void **state)
{
    (void)state;
    log_set_level(LOG_DEBUG);
    log_error("a %d", 1);
    assert_string_equal(logged(), "tcp-flowgen: error: a 1\n");
    log_warning("b");
    assert_string_equal(logged(), "tcp-flowgen: warning: b\n");
    log_info("c");
    assert_string_equal(logged(), "tcp-flowgen: c\n");
    log_debug("d");
    assert_string_equal(logged(), "tcp-flowgen: debug: d\n");
    assert_string_equal(logged(), "");
}

static void keeps_to_the_level(void **state)
{
    (void)state;
    assert_int_equal(log_get_level(), LOG_INFO);
    log_debug("no");
    assert_string_equal(logged(), "");
    log_set_level(LOG_WARNING);
    log_info("no");
    assert_string_equal(logged(), "");
    log_warning("yes");
    assert_string_equal(logged(), "tcp-flowgen: warning: yes\n");
    log_set_level(LOG_QUIET);
    log_error("no");
    assert_string_equal(logged(), "");
}

static void an_entry_is_one_line(void **state)
{
    (void)state;
    log_info("a\nb\033c\xc2\x9b");
    assert_string_equal(logged(), "tcp-flowgen: a b?c?\n");
    char longer[5000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    log_info("%s", longer);
    const char *line = logged();
    size_t size = strlen(line);
    assert_in_range(size, 1000, 1024);
    assert_int_equal(line[size - 2], 'x');
    assert_int_equal(line[size - 1], '\n');
    assert_string_equal(logged(), "");
}

/* A line of progress may stand there, with the cursor at its begin. */
static void clears_the_line_of_a_terminal(void **state)
{
    char text[256];
    (void)state;
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    const int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    const int before = dup(STDERR_FILENO);
    dup2(slave, STDERR_FILENO);
    log_error("gone");
    dup2(before, STDERR_FILENO);
    const ssize_t size = read(terminal, text, sizeof text - 1);
    text[size < 0 ? 0 : size] = '\0';
    assert_string_equal(text, "\033[Ktcp-flowgen: error: gone\r\n");
    close(before);
    close(slave);
    close(terminal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_each_level_in_its_form, redirect, restore),
        cmocka_unit_test_setup_teardown(keeps_to_the_level, redirect, restore),
        cmocka_unit_test_setup_teardown(an_entry_is_one_line, redirect, restore),
        cmocka_unit_test(clears_the_line_of_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
