#include "cli/output.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "format/results_file.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/units.h"

static bool is_input(const struct stat *output, const char *input)
{
    struct stat status;
    int failed = strcmp(input, "-") == 0 ? fstat(STDIN_FILENO, &status) : stat(input, &status);
    return !failed && status.st_dev == output->st_dev && status.st_ino == output->st_ino;
}

static int check_name(const char *name, const char *const *inputs, size_t count, struct error *err)
{
    struct stat status;
    if (stat(name, &status) || !S_ISREG(status.st_mode))
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_input(&status, inputs[i]))
            continue;
        const char *input = strcmp(inputs[i], "-") == 0 ? "standard input" : inputs[i];
        error_set(err, ERROR_INPUT, name, "the results would overwrite it, and it is %s",
                  strcmp(name, input) == 0 ? "read for them" : input);
        return error_cure(err, "name another file with --output");
    }
    return 0;
}

int output_check(const char *output, const char *const *inputs, size_t count, struct error *err)
{
    CLEANUP_FREE char *temporary = NULL;
    if (results_file_in_place(output))
        return 0;
    if (asprintf(&temporary, "%s.tmp", output) < 0) {
        temporary = NULL;
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    }
    int failed = check_name(output, inputs, count, err);
    return failed ? failed : check_name(temporary, inputs, count, err);
}

char *output_old(const char *output, char out[OUTPUT_OLD_MAX])
{
    struct stat status;
    struct tm when;
    char size[UNITS_TEXT_MAX];
    out[0] = '\0';
    if (strcmp(output, "-") == 0 || stat(output, &status) || !S_ISREG(status.st_mode) ||
        !localtime_r(&status.st_mtime, &when))
        return out;
    int used =
        snprintf(out, OUTPUT_OLD_MAX, "%s, of ", units_bytes((uint64_t)status.st_size, size));
    strftime(out + used, OUTPUT_OLD_MAX - (size_t)used, "%Y-%m-%d %H:%M", &when);
    return out;
}

void output_tell(const char *output, const char *old)
{
    if (*old)
        log_info("replaced %s (%s)", output, old);
}
