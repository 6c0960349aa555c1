/* The program from its command line to its exit status; the agent and the master are stood in for
 * (linked with --wrap), all else is real. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/repeats.h"
#include "format/results_writer.h"
#include "master/master.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/version.h"

int __wrap_agent_run(const struct agent_options *options, struct error *err);
int __wrap_master_create(struct master **master, const struct plan *plan,
                         const struct master_options *options, struct error *err);
int __wrap_master_run(struct master *master, const struct master_repeat *repeat,
                      struct master_outcome *outcome, struct error_list *problems,
                      struct error *err);
bool __wrap_master_pause(struct master *master, int64_t pause_ns);
void __wrap_master_shutdown_agents(struct master *master);
void __wrap_master_destroy(struct master *master);

/* What the stand-ins were given, and what they shall answer. */
static struct stand_in {
    bool agent_ran, master_ran;
    struct agent_options agent;
    struct master_options master;
    char host[256], output[256], label[64], problem[64];
    int64_t interval_ns;
    uint32_t read_size;
    struct master_outcome outcome;
    int fails;
    uint32_t runs, fails_at, interrupted_at; /* the run with that number; 0: every one */
    uint32_t pauses, interrupted_pause, of;
    int64_t pause_ns, warmup_ns;
    uint64_t seed;
    bool seeds_differ, shut_down, destroyed;
} seen;

int __wrap_agent_run(const struct agent_options *options, struct error *err)
{
    seen.agent_ran = true;
    seen.agent = *options;
    snprintf(seen.host, sizeof seen.host, "%s", options->listen.host);
    return seen.fails ? error_set(err, seen.fails, NULL, "the port is in use") : 0;
}

int __wrap_master_create(struct master **master, const struct plan *plan,
                         const struct master_options *options, struct error *err)
{
    (void)err;
    *master = (struct master *)&seen;
    seen.runs = seen.pauses = 0;
    seen.shut_down = seen.destroyed = seen.seeds_differ = false;
    seen.master = *options;
    seen.interval_ns = plan->interval_ns;
    seen.read_size = plan->read_size;
    snprintf(seen.label, sizeof seen.label, "%s", plan->label);
    return 0;
}

static int no_samples(void *arg, enum flow_end end, const struct series **piece, struct error *err)
{
    (void)arg, (void)end, (void)piece, (void)err;
    return 0;
}

/* As the master does: a flow, and with it the run. */
static void write_run(const struct master_repeat *repeat)
{
    const struct flow_result flow = {.id = 7, .src = "A", .dst = "B", .status = FLOW_COMPLETE};
    const struct run_info run = {
        .repeat = repeat->number, .repeats = repeat->of, .warmup_ns = repeat->warmup_ns};
    struct results_writer **results = repeat->results;
    if (!*results)
        assert_int_equal(results_writer_open(results, repeat->output, 0, NULL), 0);
    assert_int_equal(results_writer_flow(*results, &flow, &run, no_samples, NULL, NULL), 0);
}

static bool now(uint32_t number)
{
    return number == 0 || number == seen.runs;
}

int __wrap_master_run(struct master *master, const struct master_repeat *repeat,
                      struct master_outcome *outcome, struct error_list *problems,
                      struct error *err)
{
    assert_ptr_equal(master, &seen);
    assert_int_equal(repeat->number, ++seen.runs);
    seen.master_ran = true;
    seen.of = repeat->of;
    seen.warmup_ns = repeat->warmup_ns;
    seen.seeds_differ |= seen.runs > 1 && seen.seed != repeat->seed;
    seen.seed = repeat->seed;
    snprintf(seen.output, sizeof seen.output, "%s", repeat->output);
    *outcome = seen.outcome;
    outcome->interrupted &= now(seen.interrupted_at);
    if (!seen.fails || !now(seen.fails_at)) {
        if (outcome->wrote_result)
            write_run(repeat);
        return 0;
    }
    outcome->wrote_result = false;
    if (seen.fails == ERROR_AGENT) {
        struct error problem;
        error_set(&problem, ERROR_AGENT, "agent x", "%s", seen.problem);
        error_list_add(problems, &problem);
    }
    return error_set(err, seen.fails, NULL, "nothing was started");
}

bool __wrap_master_pause(struct master *master, int64_t pause_ns)
{
    assert_ptr_equal(master, &seen);
    seen.pause_ns = pause_ns;
    return ++seen.pauses != seen.interrupted_pause;
}

/* The results stand by then. */
void __wrap_master_shutdown_agents(struct master *master)
{
    assert_ptr_equal(master, &seen);
    assert_false(seen.destroyed);
    seen.shut_down = true;
}

void __wrap_master_destroy(struct master *master)
{
    assert_ptr_equal(master, &seen);
    seen.destroyed = true;
}

/* What the program printed. */
static char out[16384], errors[16384];
static char scenario[64], broken[64];

static void read_back(FILE *file, char *text, size_t size)
{
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

/* Runs the program with these words; returns its status. */
static int program(const char *first, ...)
{
    char *argv[16] = {(char *)"tcp-flowgen"};
    int argc = 1;
    va_list words;
    va_start(words, first);
    for (const char *word = first; word; word = va_arg(words, const char *))
        argv[argc++] = (char *)word;
    va_end(words);
    FILE *files[2] = {tmpfile(), tmpfile()};
    assert_true(files[0] && files[1]);
    fflush(stdout);
    int saved[2] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
    dup2(fileno(files[0]), STDOUT_FILENO);
    dup2(fileno(files[1]), STDERR_FILENO);
    log_set_level(LOG_INFO);
    int status = cli_main(argc, argv);
    dup2(saved[0], STDOUT_FILENO);
    dup2(saved[1], STDERR_FILENO);
    close(saved[0]);
    close(saved[1]);
    read_back(files[0], out, sizeof out);
    read_back(files[1], errors, sizeof errors);
    return status;
}

static int begin(void **state)
{
    (void)state;
    seen = (struct stand_in){0};
    return 0;
}

static void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' does not say '%s'", text, part);
}

/* ---- help ---- */

static void help_and_version(void **state)
{
    (void)state;
    static const char *const words[] = {"-h", "-help", "--help", "help"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(program(words[i], NULL), 0);
        assert_says(out, "\ncommands:\n  agent ");
        assert_says(out, "  -readSize N ");
        assert_string_equal(errors, "");
    }
    assert_int_equal(program("-listen", "localhost:1", "-h", NULL), 0);
    assert_says(out, "\ncommands:\n");
    assert_int_equal(program("--version", NULL), 0);
    assert_string_equal(out, "tcp-flowgen " TCP_FLOWGEN_VERSION "\n");
    assert_int_equal(program("run", "--help", NULL), 0);
    assert_says(out, "usage: tcp-flowgen run [OPTION]... SCENARIO\n");
    assert_says(out, "--best-effort");
    assert_int_equal(program("help", "agent", NULL), 0);
    assert_says(out, "usage: tcp-flowgen agent [OPTION]...\n");
    assert_null(strstr(out, "announce-fd"));
    assert_false(seen.agent_ran);
}

static void check_row(const struct option_table *table, size_t i)
{
    const struct option_row *row = &table->rows[i];
    char shown[64];
    snprintf(shown, sizeof shown, "%s%s%s", table->style == STYLE_GO ? " -" : " --", row->name,
             row->argument ? " " : "");
    assert_int_equal(strstr(out, shown) != NULL, !row->hidden);
    assert_int_equal(row->argument == NULL, row->kind == OPTION_FLAG);
    assert_true(row->place < sizeof(union arguments));
    for (size_t j = 0; j < i; j++) {
        assert_string_not_equal(row->name, table->rows[j].name);
        assert_true(!row->letter || row->letter != table->rows[j].letter);
        assert_true(row->place != table->rows[j].place);
    }
}

/* Every table is sound, and the help has every row that is not hidden. */
static void help_of_every_command(void **state)
{
    (void)state;
    for (size_t c = 0; c <= COMMAND_COUNT; c++) {
        const struct command *command = c < COMMAND_COUNT ? commands[c] : &command_seed;
        assert_int_equal(c < COMMAND_COUNT ? program(command->name, "--help", NULL)
                                           : program("--help", NULL),
                         0);
        for (size_t i = 0; i < command->options.count; i++)
            check_row(&command->options, i);
        for (const char *line = out; *line; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") <= 80);
    }
}

static void wrong_usage(void **state)
{
    (void)state;
    assert_int_equal(program("rum", NULL), 2);
    assert_string_equal(errors, "tcp-flowgen: unknown command 'rum' (did you mean 'run'?); see "
                                "'tcp-flowgen --help'\n");
    assert_int_equal(program("run", "--foo", NULL), 2);
    assert_string_equal(errors,
                        "tcp-flowgen: run: unknown option '--foo'; see 'tcp-flowgen run --help'\n");
    assert_int_equal(program("run", NULL), 2);
    assert_says(errors, "run: SCENARIO is missing; see");
    assert_int_equal(program("plan", "a", "b", NULL), 2);
    assert_says(errors, "plan: 'b' is one word too many; see");
    assert_int_equal(program("agent", "a", NULL), 2);
    assert_int_equal(program("run", "--allow-user", "0", scenario, NULL), 2);
    assert_says(errors, "did you mean '--trust-user'?");
    assert_int_equal(program("agent", "--trust-user", "0", NULL), 2);
    assert_says(errors, "did you mean '--allow-user'?");
    assert_int_equal(program("-c", "host", NULL), 2);
    assert_says(errors, "`tcp-flowgen run SCENARIO`");
    assert_int_equal(program("plan", "", NULL), 2);
    assert_int_equal(program("help", "aget", NULL), 2);
    assert_says(errors, "did you mean 'agent'?");
    assert_int_equal(program("", NULL), 2);
    assert_int_equal(program("run", "-i", "250", scenario, NULL), 2);
    assert_says(errors, "run: option '-i': ");
    assert_int_equal(program("run", "--json", "-o", "-", scenario, NULL), 2);
    assert_int_equal(program("run", "--repeat", "0", scenario, NULL), 2);
    assert_int_equal(program("run", "--seed", "18446744073709551616", scenario, NULL), 2);
    assert_says(errors, "is not a whole number from 0 to 18446744073709551615");
    assert_int_equal(program("run", "--seed", "-1", scenario, NULL), 2);
    assert_int_equal(program("summary", NULL), 2);
    assert_says(errors, "summary: RESULTS... is missing; see");
    assert_int_equal(program("summary", "x", "", NULL), 2);
    assert_false(seen.agent_ran || seen.master_ran);
}

/* ---- agent ---- */

static void agent_defaults(void **state)
{
    (void)state;
    assert_int_equal(program("agent", NULL), 0);
    assert_string_equal(seen.host, "localhost");
    assert_int_equal(seen.agent.listen.port, 8840);
    assert_int_equal(seen.agent.interval_ns, 250 * NS_PER_MS);
    assert_int_equal(seen.agent.read_size, 0);
    assert_int_equal(seen.agent.announce_fd, -1);
    assert_null(seen.agent.spool_directory);
    assert_int_equal(seen.agent.spool_max, 0);
    assert_false(seen.agent.allow_flush_metrics);
    assert_false(seen.agent.allow_shutdown || seen.agent.die_with_parent);
    assert_false(seen.agent.seed_service);
    assert_int_equal(log_get_level(), LOG_INFO);
}

static void agent_options(void **state)
{
    (void)state;
    assert_int_equal(program("agent", "--listen=127.0.0.1:0", "-i1s", "--read-size", "10",
                             "--write-size", "20", "--data-ports", "5000-5009", "--workers", "3",
                             "--spool=/x", "--allow-shutdown", "--allow-flush-metrics", "-q", NULL),
                     0);
    assert_string_equal(seen.host, "127.0.0.1");
    assert_int_equal(seen.agent.listen.port, 0);
    assert_int_equal(seen.agent.interval_ns, NS_PER_S);
    assert_int_equal(seen.agent.read_size, 10);
    assert_int_equal(seen.agent.write_size, 20);
    assert_int_equal(seen.agent.data_port_first, 5000);
    assert_int_equal(seen.agent.data_port_last, 5009);
    assert_int_equal(seen.agent.workers, 3);
    assert_string_equal(seen.agent.spool_directory, "/x");
    assert_true(seen.agent.allow_shutdown);
    assert_true(seen.agent.allow_flush_metrics);
    assert_int_equal(log_get_level(), LOG_QUIET);
    assert_int_equal(program("agent", "--spool-max", "1.5GB", NULL), 0);
    assert_true(seen.agent.spool_max == 1500000000);
    assert_int_equal(program("agent", "--spool-max", "10", NULL), 2);
    assert_int_equal(program("agent", "--spool-max", "10kB", NULL), 2);
    assert_int_equal(program("agent", "--announce-fd", "3", "--die-with-parent", NULL), 0);
    assert_int_equal(seen.agent.announce_fd, 3);
    assert_true(seen.agent.die_with_parent);
}

/* A label of more than 63 bytes: no name server is asked. */
#define UNRESOLVABLE "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void agent_listens_safely(void **state)
{
    (void)state;
    assert_int_equal(program("agent", "--listen", ":8840", NULL), 2);
    assert_says(errors, "every address");
    assert_says(errors, "add --insecure if you trust the network");
    assert_says(errors, "--insecure");
    assert_int_equal(program("agent", "--listen", "192.0.2.1:8840", NULL), 2);
    assert_says(errors, "listening on 192.0.2.1 ");
    assert_int_equal(program("-listen", "0.0.0.0:8840", NULL), 2);
    assert_int_equal(program("agent", "--insecure", "--listen", UNRESOLVABLE ":1", NULL), 2);
    assert_false(seen.agent_ran);
    assert_int_equal(program("agent", "--listen", "[::1]:1", NULL), 0);
    assert_string_equal(seen.host, "::1");
    assert_int_equal(program("agent", "--listen", ":8840", "--insecure", NULL), 0);
    assert_string_equal(seen.host, "");
    assert_int_equal(program("--insecure", "-listen=192.0.2.1:8840", NULL), 0);
    assert_string_equal(seen.host, "192.0.2.1");
}

static void agent_that_cannot_listen(void **state)
{
    (void)state;
    seen.fails = ERROR_SYSTEM;
    assert_int_equal(program("agent", "-q", NULL), 1);
    assert_string_equal(errors, "tcp-flowgen: agent: the port is in use\n");
}

/* ---- the seed's form ---- */

static void seed_agent(void **state)
{
    (void)state;
    assert_int_equal(program(NULL), 0);
    assert_string_equal(seen.host, "localhost");
    assert_int_equal(seen.agent.listen.port, 8840);
    assert_int_equal(seen.agent.interval_ns, 250 * NS_PER_MS);
    assert_true(seen.agent.allow_shutdown);
    assert_true(seen.agent.seed_service);
    assert_int_equal(seen.agent.announce_fd, -1);
    assert_int_equal(program("--listen=localhost:1", "-i", "1ms", "-readSize=50000", "--writeSize",
                             "7", "-quiet=true", NULL),
                     0);
    assert_int_equal(seen.agent.listen.port, 1);
    assert_int_equal(seen.agent.interval_ns, NS_PER_MS);
    assert_int_equal(seen.agent.read_size, 50000);
    assert_int_equal(seen.agent.write_size, 7);
    assert_int_equal(log_get_level(), LOG_QUIET);
}

static void seed_master(void **state)
{
    (void)state;
    assert_int_equal(program("-master", scenario, NULL), 0);
    assert_true(seen.master_ran && !seen.agent_ran);
    assert_true(seen.shut_down);
    assert_false(seen.master.local || seen.master.best_effort);
    assert_int_equal(seen.interval_ns, 0);
    assert_int_equal(seen.read_size, 0);
    assert_string_not_equal(seen.output, "");
    assert_int_equal(program("-master", scenario, "-keepalive", "-i=1s", "-readSize=9", NULL), 0);
    assert_false(seen.shut_down);
    assert_int_equal(seen.interval_ns, NS_PER_S);
    assert_int_equal(seen.read_size, 9);
    assert_int_equal(program("-keepalive=false", "--master", scenario, "-output=x.gz", NULL), 0);
    assert_true(seen.shut_down);
    assert_string_equal(seen.output, "x.gz");
    assert_int_equal(program("-master", scenario, "-output=", NULL), 0);
    assert_string_not_equal(seen.output, "");
    assert_int_equal(program("-master=", NULL), 0);
    assert_true(seen.agent_ran);
}

static void seed_mistakes(void **state)
{
    (void)state;
    assert_int_equal(program("-foo", NULL), 2);
    assert_says(errors, "tcp-flowgen: unknown option '-foo'; see 'tcp-flowgen --help'\n");
    assert_says(errors, "usage: tcp-flowgen [OPTION]...\n");
    assert_says(errors, "  -listen ADDR ");
    assert_int_equal(program("-quiet", "run", "x.json", NULL), 2);
    assert_says(errors, "the command comes first: tcp-flowgen run");
    assert_int_equal(program("-listen", "localhost", NULL), 2);
    assert_false(seen.agent_ran || seen.master_ran);
    assert_int_equal(program("-keepalive", "false", "-master", scenario, NULL), 0);
    assert_says(errors, "'false' and what follows it is ignored");
    assert_true(seen.agent_ran && !seen.master_ran);
}

/* ---- run ---- */

static void run_options(void **state)
{
    (void)state;
    assert_int_equal(program("run", scenario, NULL), 0);
    assert_int_equal(seen.master.lead_ns, 2 * NS_PER_S);
    assert_true(seen.master.agent_timeout_ns > 0);
    assert_false(seen.master.local || seen.master.best_effort || seen.shut_down);
    assert_false(seen.master.progress);
    assert_string_equal(seen.label, "");
    assert_int_equal(program("run", "--local", "--best-effort", "--shutdown", "--lead=0", "-i",
                             "2ms", "--read-size=5", "--label", "day one", "-ofile", scenario,
                             NULL),
                     0);
    assert_true(seen.master.local && seen.master.best_effort && seen.shut_down);
    assert_int_equal(seen.master.lead_ns, 0);
    assert_int_equal(seen.interval_ns, 2 * NS_PER_MS);
    assert_int_equal(seen.read_size, 5);
    assert_string_equal(seen.label, "day one");
    assert_string_equal(seen.output, "file");
}

static int run_ends(uint64_t partial, uint64_t failed, bool interrupted, int fails)
{
    seen.outcome = (struct master_outcome){
        .complete = 1,
        .partial = partial,
        .failed = failed,
        .interrupted = interrupted,
        .wrote_result = !fails,
    };
    seen.fails = fails;
    return program("run", "-o-", scenario, NULL);
}

static void run_exit_status(void **state)
{
    (void)state;
    assert_int_equal(run_ends(0, 0, false, 0), 0);
    assert_null(strstr(out, "flow "));
    assert_says(errors, "flows: 1 complete, 0 partial, 0 failed\n");
    assert_int_equal(run_ends(1, 0, false, 0), 1);
    assert_int_equal(run_ends(0, 1, false, 0), 1);
    assert_int_equal(run_ends(1, 0, true, 0), 130);
    assert_int_equal(run_ends(0, 0, false, ERROR_SYSTEM), 1);
    assert_int_equal(run_ends(0, 0, false, ERROR_INPUT), 2);
    strcpy(seen.problem, "refuses");
    assert_int_equal(run_ends(0, 0, false, ERROR_AGENT), 3);
    assert_string_equal(errors,
                        "tcp-flowgen: agent x: refuses\ntcp-flowgen: nothing was started\n");
}

/* Without --output nothing stays behind. */
static void run_without_output(void **state)
{
    (void)state;
    assert_int_equal(program("run", scenario, NULL), 0);
    assert_string_not_equal(seen.output, "");
    char *slash = strrchr(seen.output, '/');
    assert_non_null(slash);
    *slash = '\0';
    assert_int_equal(access(seen.output, F_OK), -1);
}

/* ---- repeats ---- */

static char results[80], results_1[80], results_2[80], results_3[80];

/* Runs three repeats; which of the files stand then? */
static int repeat(const char *option)
{
    seen.outcome.complete = 1;
    seen.outcome.wrote_result = true;
    unlink(results);
    unlink(results_1);
    unlink(results_2);
    unlink(results_3);
    return program("run", "--repeat", "3", "--shutdown", "-o", results, scenario, option, NULL);
}

static bool stands(const char *path)
{
    return access(path, F_OK) == 0;
}

static void repeats_share_a_file(void **state)
{
    (void)state;
    assert_int_equal(repeat("--seed=18446744073709551615"), 0);
    assert_int_equal(seen.runs, 3);
    assert_int_equal(seen.of, 3);
    assert_int_equal(seen.pauses, 2);
    assert_int_equal(seen.pause_ns, NS_PER_S);
    assert_int_equal(seen.warmup_ns, 0);
    assert_true(seen.seed == UINT64_MAX && !seen.seeds_differ);
    assert_true(seen.shut_down && seen.destroyed);
    assert_true(stands(results) && !stands(results_1));
    assert_says(out, "3 runs of 1 flow: 3 complete");
    assert_int_equal(repeat("--warmup=1500ms"), 0);
    assert_int_equal(seen.warmup_ns, 1500 * NS_PER_MS);
    assert_false(seen.seeds_differ);
    assert_int_equal(repeat("--pause=0"), 0);
    assert_int_equal(seen.pause_ns, 0);
    assert_int_equal(program("summary", results, results, NULL), 0);
    assert_says(out, "6 runs of 1 flow: 6 complete");
}

static void repeats_have_a_file_each(void **state)
{
    (void)state;
    assert_int_equal(repeat("--separate"), 0);
    assert_string_equal(seen.output, results_3);
    assert_true(stands(results_1) && stands(results_2) && stands(results_3) && !stands(results));
    assert_says(out, "3 runs of 1 flow: 3 complete");
    assert_int_equal(program("summary", results_2, "--json", results_3, NULL), 0);
    assert_says(out, "\"over_repeats\"");
    assert_int_equal(program("run", "--separate", scenario, NULL), 2);
    assert_says(errors, "--separate needs the name of a file");
    assert_int_equal(program("run", "--separate", "-o-", scenario, NULL), 2);
}

static void repeats_end_before_their_time(void **state)
{
    (void)state;
    seen.fails = ERROR_AGENT;
    seen.fails_at = 2;
    assert_int_equal(repeat("-q"), 3);
    assert_int_equal(seen.runs, 2);
    assert_true(stands(results) && !seen.shut_down && seen.destroyed);
    assert_says(out, "1 flow: 1 complete"); /* the first repeat's */
    assert_int_equal(repeat("--separate"), 3);
    assert_true(stands(results_1) && !stands(results_2));
    seen.fails_at = 1;
    assert_int_equal(repeat("-q"), 3);
    assert_true(seen.runs == 1 && !stands(results));
    assert_string_equal(out, "");
    seen.fails = 0;
    seen.outcome.interrupted = true;
    seen.interrupted_at = 2;
    assert_int_equal(repeat("-q"), 130);
    assert_true(seen.runs == 2 && seen.pauses == 1 && seen.shut_down);
    assert_says(out, "2 runs of 1 flow");
    seen.outcome.interrupted = false;
    seen.interrupted_pause = 1;
    assert_int_equal(repeat("--separate"), 130);
    assert_true(seen.runs == 1 && stands(results_1));
}

static void the_worst_repeat_counts(void **state)
{
    (void)state;
    seen.outcome.partial = 1;
    assert_int_equal(repeat("-q"), 1);
    assert_int_equal(seen.runs, 3);
}

static void inputs_are_not_overwritten(void **state)
{
    (void)state;
    char path[128], linked[80], temporary[80], link_to[128];
    snprintf(path, sizeof path, "/tmp/.%s", strrchr(scenario, '/'));
    snprintf(linked, sizeof linked, "%s.link", scenario);
    snprintf(temporary, sizeof temporary, "%s.x.tmp", scenario);
    assert_int_equal(link(scenario, linked), 0);
    assert_int_equal(link(scenario, temporary), 0);
    snprintf(link_to, sizeof link_to, "%s.x", scenario); /* .tmp comes before it */
    const char *const outputs[] = {scenario, path, linked, link_to};
    for (size_t i = 0; i < COUNT_OF(outputs); i++) {
        assert_int_equal(program("run", scenario, "-o", outputs[i], NULL), 2);
        assert_says(errors, "the results would overwrite it");
        assert_int_equal(program("-master", scenario, "-output", outputs[i], NULL), 2);
        assert_int_equal(program("recover", results, scenario, "-o", outputs[i], NULL), 2);
        assert_says(errors, "the results would overwrite it");
    }
    assert_int_equal(rename(linked, results_2), 0);
    assert_int_equal(program("run", "--separate", "--repeat=2", "-o", results, scenario, NULL), 2);
    assert_says(errors, results_2);
    unlink(results_2);
    unlink(temporary);
    assert_false(seen.master_ran);
    seen.outcome.wrote_result = true;
    seen.outcome.complete = 1;
    assert_int_equal(program("run", scenario, "-o", "/dev/null", NULL), 0);
    assert_string_equal(out, ""); /* it cannot be read again */
    assert_says(errors, "flows: 1 complete, 0 partial, 0 failed\n");
}

static void replaced_files_are_told(void **state)
{
    (void)state;
    assert_int_equal(repeat("--seed=1"), 0);
    assert_null(strstr(errors, "replaced"));
    assert_int_equal(program("run", "-o", results, scenario, NULL), 0);
    assert_says(errors, "tcp-flowgen: replaced /tmp/test_cli-");
    assert_says(errors, " B, of 20");
    assert_int_equal(program("run", "-q", "-o", results, scenario, NULL), 0);
    assert_null(strstr(errors, "replaced"));
    assert_int_equal(program("-master", scenario, "-output", results, NULL), 0);
    assert_null(strstr(errors, "replaced"));
}

static void assert_path(const char *output, uint32_t number, const char *wanted)
{
    CLEANUP_FREE char *path = repeats_path(output, number);
    assert_string_equal(path, wanted);
}

static void numbers_stand_before_the_extension(void **state)
{
    (void)state;
    assert_path("results.pb.gz", 1, "results-1.pb.gz");
    assert_path("../a.b/my.results.gz", 12, "../a.b/my-12.results.gz");
    assert_path("/x/day.one.pb", 3, "/x/day.one-3.pb");
    assert_path("results", 4, "results-4");
    assert_path("a.b/results", 4, "a.b/results-4");
    assert_path(".gz", 5, ".gz-5");
    assert_path(".hidden.gz", 6, ".hidden-6.gz");
    assert_path("..gz", 7, ".-7.gz");
}

static void scenario_with_problems(void **state)
{
    (void)state;
    char line[128];
    static const char *const words[] = {"run", "plan"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(program(words[i], broken, NULL), 2);
        snprintf(line, sizeof line, "tcp-flowgen: %s: flows[0].dst: ", broken);
        assert_says(errors, line);
        snprintf(line, sizeof line, "tcp-flowgen: %s: 2 problems\n", broken);
        assert_says(errors, line);
        assert_string_equal(out, "");
    }
    assert_int_equal(program("-master", broken, NULL), 2);
    assert_int_equal(program("plan", "/no/such/file", NULL), 2);
    assert_says(errors, "tcp-flowgen: /no/such/file: ");
    assert_null(strstr(errors, "/no/such/file: /no/such/file"));
    assert_false(seen.master_ran);
}

static void plan_and_summary(void **state)
{
    (void)state;
    assert_int_equal(program("plan", scenario, NULL), 0);
    assert_string_not_equal(out, "");
    assert_int_equal(program("plan", "--json", scenario, NULL), 0);
    assert_int_equal(out[0], '{');
    assert_int_equal(program("summary", "/no/such/file", NULL), 2);
    assert_says(errors, "tcp-flowgen: /no/such/file: ");
    assert_int_equal(program("summary", scenario, NULL), 2);
}

static void write_file(char path[64], const char *text)
{
    strcpy(path, "/tmp/test_cli-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

#define HOSTS "{\"hosts\": {\"A\": {\"mgmt\": \"localhost:1\", \"host\": \"localhost\"}},"

static int write_scenarios(void **state)
{
    (void)state;
    write_file(scenario, HOSTS "\"flows\": [{\"id\": 0, \"src\": \"A\", \"dst\": \"A\", "
                               "\"duration\": \"1s\"}]}");
    write_file(broken, HOSTS "\"flows\": [{\"id\": 0, \"src\": \"A\", \"dst\": \"B\", "
                             "\"duration\": \"1d\"}]}");
    snprintf(results, sizeof results, "%s.pb", scenario);
    snprintf(results_1, sizeof results_1, "%s-1.pb", scenario);
    snprintf(results_2, sizeof results_2, "%s-2.pb", scenario);
    snprintf(results_3, sizeof results_3, "%s-3.pb", scenario);
    return 0;
}

static int remove_scenarios(void **state)
{
    (void)state;
    unlink(scenario);
    unlink(broken);
    unlink(results);
    unlink(results_1);
    unlink(results_2);
    unlink(results_3);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(help_and_version, begin),
        cmocka_unit_test_setup(help_of_every_command, begin),
        cmocka_unit_test_setup(wrong_usage, begin),
        cmocka_unit_test_setup(agent_defaults, begin),
        cmocka_unit_test_setup(agent_options, begin),
        cmocka_unit_test_setup(agent_listens_safely, begin),
        cmocka_unit_test_setup(agent_that_cannot_listen, begin),
        cmocka_unit_test_setup(seed_agent, begin),
        cmocka_unit_test_setup(seed_master, begin),
        cmocka_unit_test_setup(seed_mistakes, begin),
        cmocka_unit_test_setup(run_options, begin),
        cmocka_unit_test_setup(run_exit_status, begin),
        cmocka_unit_test_setup(run_without_output, begin),
        cmocka_unit_test_setup(repeats_share_a_file, begin),
        cmocka_unit_test_setup(repeats_have_a_file_each, begin),
        cmocka_unit_test_setup(repeats_end_before_their_time, begin),
        cmocka_unit_test_setup(the_worst_repeat_counts, begin),
        cmocka_unit_test_setup(inputs_are_not_overwritten, begin),
        cmocka_unit_test_setup(replaced_files_are_told, begin),
        cmocka_unit_test(numbers_stand_before_the_extension),
        cmocka_unit_test_setup(scenario_with_problems, begin),
        cmocka_unit_test_setup(plan_and_summary, begin),
    };
    return cmocka_run_group_tests(tests, write_scenarios, remove_scenarios);
}
