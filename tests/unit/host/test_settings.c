/* Settings are what sysctl(8) and uname(1) say, and what is not there is unknown, not an error. */
#include "../engine/netns.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/settings.h"
#include "util/cleanup.h"

/* The first line that the command prints. */
static void printed(const char *command, char out[256])
{
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    if (!fgets(out, 256, pipe))
        out[0] = '\0';
    pclose(pipe);
    out[strcspn(out, "\n")] = '\0';
}

static void settings_are_those_of_sysctl(void **state)
{
    (void)state;
    struct setting settings[SETTINGS_MAX];
    char command[256], text[256];
    netns_enter();
    assert_int_equal(system("sysctl -qw net.ipv4.tcp_reordering=5 net.ipv4.tcp_sack=0"), 0);
    size_t count = settings_read(settings), known = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(settings[i].name, "net.", 4) != 0)
            continue;
        snprintf(command, sizeof command, "sysctl -n %s 2>/dev/null | tr '\\t' ' '",
                 settings[i].name);
        printed(command, text);
        assert_string_equal(settings[i].value, text);
        known += settings[i].value[0] != '\0';
    }
    assert_true(known > 30);
    assert_string_equal(setting_value(settings, count, "net.ipv4.tcp_reordering"), "5");
    assert_string_equal(setting_value(settings, count, "net.ipv4.tcp_sack"), "0");
    assert_string_equal(setting_value(settings, count, "no.such"), "");
}

static void the_machine_is_that_of_uname(void **state)
{
    (void)state;
    struct setting settings[SETTINGS_MAX];
    char text[256];
    size_t count = settings_read(settings);
    printed("uname -r", text);
    assert_string_equal(setting_value(settings, count, "kernel.release"), text);
    printed("uname -v", text);
    assert_string_equal(setting_value(settings, count, "kernel.version"), text);
    printed("getconf _NPROCESSORS_ONLN", text);
    assert_string_equal(setting_value(settings, count, "cpu.count"), text);
    printed("cat /sys/devices/system/clocksource/clocksource0/current_clocksource", text);
    assert_string_equal(setting_value(settings, count, "kernel.clocksource"), text);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(settings[i].name, settings[j].name);
}

static void without_proc_and_sys_they_are_unknown(void **state)
{
    (void)state;
    static struct setting with[SETTINGS_MAX], without[SETTINGS_MAX];
    int pipes[2], status;
    size_t count = settings_read(with);
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
            mount("none", "/proc", "tmpfs", 0, NULL) || mount("none", "/sys", "tmpfs", 0, NULL))
            _exit(77);
        size_t found = settings_read(without);
        _exit(found == count && write(pipes[1], without, sizeof without) == sizeof without ? 0 : 1);
    }
    size_t got = 0;
    close(pipes[1]);
    for (ssize_t more; (more = read(pipes[0], (char *)without + got, sizeof without - got)) > 0;)
        got += (size_t)more;
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
    assert_int_equal(got, sizeof without);
    assert_string_equal(setting_value(without, count, "net.ipv4.tcp_rmem"), "");
    assert_string_equal(setting_value(without, count, "cpu.model"), "");
    assert_string_equal(setting_value(without, count, "kernel.release"),
                        setting_value(with, count, "kernel.release"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_machine_is_that_of_uname),
        cmocka_unit_test(without_proc_and_sys_they_are_unknown),
        cmocka_unit_test(settings_are_those_of_sysctl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
