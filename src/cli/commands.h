/* The commands: what each reads from the command line, and the table of all. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/options.h"
#include "util/address.h"

struct agent_arguments {
    struct endpoint listen;
    bool insecure, allow_shutdown, allow_flush_metrics, quiet, die_with_parent;
    bool seed_service; /* not an option: the form without a command word */
    int64_t interval_ns;
    int64_t read_size, write_size; /* 0: not given */
    struct port_range data_ports;
    int64_t workers;
    int64_t orphan_ns;
    int64_t announce_fd;     /* -1: none */
    const char *spool;       /* NULL: not given */
    uint64_t spool_max;      /* 0: not given */
    struct users allow_user; /* beside those who always may */
};

struct run_arguments {
    const char *scenario;
    const char *output;   /* NULL: a temporary file */
    const char *captures; /* directory; NULL: beside the output */
    const char *label;    /* NULL: the scenario's own */
    bool local, best_effort, shutdown, json, quiet, flush_metrics;
    int64_t interval_ns, read_size, write_size; /* 0: the scenario's own */
    int64_t lead_ns;
    int64_t repeat, pause_ns, warmup_ns;
    struct users trust_user;   /* beside those who always are */
    bool separate;             /* a file for each repeat */
    bool silent_replace;       /* not an option: the form without a command word */
    const char *clock_network; /* NULL: not given */
    struct optional_uint64 seed;
};

struct plan_arguments {
    const char *scenario;
    bool json;
};

struct check_arguments {
    const char *scenario;
    const char *clock_network; /* NULL: not given */
    struct users trust_user;
    bool local, json, quiet;
};

struct summary_arguments {
    struct operands results;
    int64_t warmup_ns; /* -1: what each run says */
    bool pool, json;
};

struct recover_arguments {
    struct operands spools;
    const char *output; /* NULL: not given */
    bool json;
};

struct schema_arguments {
    bool markdown;
};

struct help_arguments {
    const char *command; /* NULL: the program */
};

/* The seven flags without a command word, see seed_form.c. */
struct seed_arguments {
    struct endpoint listen;
    const char *master, *output;                /* NULL or empty: not given */
    int64_t interval_ns, read_size, write_size; /* 0: not given */
    bool keepalive, quiet, insecure, version;
};

union arguments {
    struct agent_arguments agent;
    struct run_arguments run;
    struct plan_arguments plan;
    struct check_arguments check;
    struct summary_arguments summary;
    struct recover_arguments recover;
    struct schema_arguments schema;
    struct help_arguments help;
    struct seed_arguments seed;
};

/* One operand at most, a text; optional where its name is in brackets.  Where the name ends in
 * "...", one or more, as struct operands. */
struct command {
    const char *name;    /* "" for the form without a command word */
    const char *summary; /* one line */
    const char *about;   /* paragraphs for the command's help, lines broken */
    const char *operand; /* its name in the help; NULL: none */
    size_t operand_place;
    struct option_table options;
    union arguments defaults;
    int (*run)(const union arguments *arguments); /* returns enum exit_status */
};

extern const struct command command_agent, command_run, command_plan, command_check,
    command_summary, command_recover, command_schema, command_help;
extern const struct command command_seed;
extern const struct command command_guardian, command_shard; /* not for people: in no help */

/* The commands of the program's help, in its order. */
#define COMMAND_COUNT 8
extern const struct command *const commands[COMMAND_COUNT];

/* NULL: there is none of this name. */
const struct command *command_find(const char *name);

/* ERROR_INPUT, with the command that may have been meant. */
int command_unknown(const char *name, struct error *err);

/* Reads argv[0..argc), the words behind the command's own, into *arguments.  0, OPTIONS_HELP, or
 * ERROR_INPUT.  rest (may be NULL) gets the operands that the command does not know; without it
 * they are an error. */
int command_parse(const struct command *command, int argc, char **argv, union arguments *arguments,
                  struct operands *rest, struct error *err);

#endif
