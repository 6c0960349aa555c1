/* Reads a scenario's file: its bytes, then JSON, then by the tables of scenario_keys.c. */
#include "format/scenario_json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/json_fault.h"
#include "format/scenario_keys.h"
#include "util/buffer.h"
#include "util/cleanup.h"

#define FILE_MAX   (64u << 20) /* bytes of a scenario file */
#define READ_PIECE 65536

static void report_broken(struct json_reader *reader, const char *text, size_t size,
                          const json_error_t *broken)
{
    struct error err = {0};

    if (json_error_code(broken) == json_error_out_of_memory) {
        reader->no_memory = true;
        return;
    }
    json_fault(text, size, broken, reader->name, &err);
    json_report(reader, &err);
}

/* A mark that some editors put at the beginning of UTF-8. */
static size_t byte_order_mark(const char *text, size_t size)
{
    return size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/* Whether scenario->text is a JSON object: then what it says is read, else that is reported. */
static bool read_scenario(struct json_reader *reader, struct scenario *scenario, size_t size)
{
    json_error_t error;
    size_t skip = byte_order_mark(scenario->text, size);
    const char *text = scenario->text + skip;
    json_t *root = json_loadb(text, size - skip, JSON_REJECT_DUPLICATES, &error);

    if (!root) {
        report_broken(reader, text, size - skip, &error);
        return false;
    }
    bool is_object = json_expect_object(reader, reader->name, root);
    if (is_object) {
        reader->root = root;
        json_read_object(reader, &scenario_keys, "", root, NULL, scenario);
        scenario->bad_hosts |= !scenario->hosts;
        scenario->bad_flows |= !scenario->flows;
    }
    reader->root = NULL;
    json_decref(root);
    return is_object;
}

static struct scenario *create_scenario(const char *text, size_t size)
{
    struct scenario *scenario = calloc(1, sizeof *scenario);

    if (!scenario)
        return NULL;
    scenario->text = malloc(size + 1);
    if (!scenario->text) {
        free(scenario);
        return NULL;
    }
    if (size > 0)
        memcpy(scenario->text, text, size);
    scenario->text[size] = '\0';
    return scenario;
}

struct scenario *scenario_parse(const char *text, size_t size, const char *name,
                                struct error_list *errors)
{
    struct json_reader reader = {.errors = errors, .name = name};
    struct scenario *scenario = create_scenario(text, size);
    bool read = scenario && read_scenario(&reader, scenario, size);

    if (!scenario || reader.no_memory) {
        struct error err = {0};
        error_set(&err, ERROR_SYSTEM, name, "out of memory");
        error_list_add(errors, &err);
    } else if (read) {
        return scenario;
    }
    scenario_free(scenario);
    return NULL;
}

static int read_all(int fd, const char *name, struct buffer *out, struct error *err)
{
    ssize_t got;

    do {
        uint8_t *place = buffer_reserve(out, READ_PIECE);
        if (!place)
            return error_set(err, ERROR_SYSTEM, name, "out of memory");
        got = read(fd, place, READ_PIECE);
        if (got > 0)
            out->size += (size_t)got;
        if (out->size > FILE_MAX)
            return error_set(err, ERROR_INPUT, name, "the file has more than 64 MiB");
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0)
        return error_set_errno(err, ERROR_INPUT, errno, name, "the file cannot be read");
    return 0;
}

struct scenario *scenario_load(const char *path, struct error_list *errors)
{
    bool standard_input = strcmp(path, "-") == 0;
    const char *name = standard_input ? "standard input" : path;
    CLEANUP_CLOSE int opened = standard_input ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    CLEANUP(buffer_fini) struct buffer text = {0};
    struct error err = {0};

    if (!standard_input && opened < 0) {
        error_set_errno(&err, ERROR_INPUT, errno, name, "the file cannot be opened");
        error_cure(&err, "name a scenario file that you may read");
        error_list_add(errors, &err);
        return NULL;
    }
    if (read_all(standard_input ? STDIN_FILENO : opened, name, &text, &err) < 0) {
        error_list_add(errors, &err);
        return NULL;
    }
    return scenario_parse((const char *)text.data, text.size, name, errors);
}
