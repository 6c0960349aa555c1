#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options.h"
#include "cli/suggest.h"
#include "util/address.h"
#include "util/cleanup.h"
#include "util/clock.h"

struct values {
    bool all, brief;
    const char *text;
    int64_t number, duration;
    struct endpoint endpoint;
    struct port_range ports;
    struct optional_uint64 count;
};

#define PLACE(field) offsetof(struct values, field)

static const struct option_row rows[] = {
    {"all", 'a', false, OPTION_FLAG, NULL, PLACE(all), 0, 0, "everything"},
    {"brief", 'b', false, OPTION_FLAG, NULL, PLACE(brief), 0, 0, "in a\nfew words"},
    {"text", 't', false, OPTION_TEXT, "TEXT", PLACE(text), 1, 0, "words"},
    {"number", 'n', false, OPTION_NUMBER, "N", PLACE(number), 1, 100, "so many"},
    {"duration", 0, false, OPTION_DURATION, "DUR", PLACE(duration), NS_PER_MS, 10 * NS_PER_S,
     "so long"},
    {"endpoint", 0, false, OPTION_ENDPOINT, "ADDR", PLACE(endpoint), 0, 0, "where"},
    {"ports", 0, false, OPTION_PORTS, "FIRST-LAST", PLACE(ports), 0, 0, "which"},
    {"count", 0, false, OPTION_UINT64, "N", PLACE(count), 0, 0, "any number"},
    {"secret", 0, true, OPTION_NUMBER, "N", PLACE(number), 0, 0, "not told"},
};
static const struct option_table gnu = {STYLE_GNU, rows, COUNT_OF(rows)};
static const struct option_table go = {STYLE_GO, rows, COUNT_OF(rows)};

/* One parsed command line. */
struct parsed {
    int result;
    struct values values;
    struct operands operands;
    struct error err;
    char *argv[16];
    char text[1024]; /* of the error */
};

static struct parsed parsed;

static void parse(const struct option_table *table, ...)
{
    va_list words;
    int argc = 0;
    parsed = (struct parsed){0};
    va_start(words, table);
    for (char *word = va_arg(words, char *); word; word = va_arg(words, char *))
        parsed.argv[argc++] = word;
    va_end(words);
    parsed.result =
        options_parse(table, argc, parsed.argv, &parsed.values, &parsed.operands, &parsed.err);
    error_text(&parsed.err, parsed.text, sizeof parsed.text);
}

static void assert_refused(const char *part)
{
    assert_int_equal(parsed.result, ERROR_INPUT);
    if (!strstr(parsed.text, part))
        fail_msg("'%s' does not say '%s'", parsed.text, part);
}

static void values_in_all_gnu_forms(void **state)
{
    (void)state;
    parse(&gnu, "--text=a=b", "--number", "7", "-ab", "--duration=1.5s", NULL);
    assert_int_equal(parsed.result, 0);
    assert_string_equal(parsed.values.text, "a=b");
    assert_int_equal(parsed.values.number, 7);
    assert_true(parsed.values.all && parsed.values.brief);
    assert_int_equal(parsed.values.duration, 1500 * NS_PER_MS);
    parse(&gnu, "-n8", "-t", "-", NULL);
    assert_int_equal(parsed.result, 0);
    assert_int_equal(parsed.values.number, 8);
    assert_string_equal(parsed.values.text, "-");
    parse(&gnu, "-btx", "-n", "9", "-n10", NULL);
    assert_int_equal(parsed.result, 0);
    assert_true(parsed.values.brief && !parsed.values.all);
    assert_string_equal(parsed.values.text, "x");
    assert_int_equal(parsed.values.number, 10);
    parse(&gnu, "--endpoint=[::1]:7", "--ports=20-30", NULL);
    assert_int_equal(parsed.result, 0);
    assert_string_equal(parsed.values.endpoint.host, "::1");
    assert_int_equal(parsed.values.endpoint.port, 7);
    assert_int_equal(parsed.values.ports.first, 20);
    assert_int_equal(parsed.values.ports.last, 30);
}

static void gnu_options_stand_anywhere(void **state)
{
    (void)state;
    parse(&gnu, "one", "-a", "-", "--number=3", "two", "--", "-b", NULL);
    assert_int_equal(parsed.result, 0);
    assert_true(parsed.values.all && !parsed.values.brief);
    assert_int_equal(parsed.operands.count, 4);
    assert_string_equal(parsed.operands.words[0], "one");
    assert_string_equal(parsed.operands.words[1], "-");
    assert_string_equal(parsed.operands.words[2], "two");
    assert_string_equal(parsed.operands.words[3], "-b");
}

static void gnu_mistakes_are_named(void **state)
{
    (void)state;
    parse(&gnu, "--foo", NULL);
    assert_refused("unknown option '--foo'");
    parse(&gnu, "--nubmer=3", NULL);
    assert_refused("unknown option '--nubmer' (did you mean '--number'?)");
    parse(&gnu, "-c", "host", NULL);
    assert_refused("unknown option '-c' (agents are started by 'tcp-flowgen agent', and flows are "
                   "in a scenario, for 'tcp-flowgen run': see 'man tcp-flowgen')");
    parse(&gnu, "--bandwidth", "10M", NULL);
    assert_refused("unknown option '--bandwidth' (what flows do is in a scenario: see 'man "
                   "tcp-flowgen')");
    parse(&gnu, "-az", NULL);
    assert_refused("unknown option '-z'");
    parse(&gnu, "-all", NULL);
    assert_refused("unknown option '-all' (did you mean '--all'?)");
    parse(&gnu, "-nubmer=3", NULL);
    assert_refused("option '-n': 'ubmer=3'");
    parse(&gnu, "-endpiont=:80", NULL);
    assert_refused("unknown option '-endpiont' (did you mean '--endpoint'?)");
    parse(&gnu, "-text", "x", NULL); /* and not -t ext */
    assert_refused("unknown option '-text' (did you mean '--text'?)");
    parse(&gnu, "-text=x", NULL);
    assert_refused("unknown option '-text' (did you mean '--text'?)");
    parse(&gnu, "--number", NULL);
    assert_refused("option '--number' needs a value: --number N");
    parse(&gnu, "-n", NULL);
    assert_refused("option '-n' needs a value");
    parse(&gnu, "--all=true", NULL);
    assert_refused("option '--all' takes no value");
    parse(&gnu, "---all", NULL);
    assert_refused("'---all' is not an option");
    parse(&gnu, "--=3", NULL);
    assert_refused("'--=3' is not an option");
}

static void values_are_checked(void **state)
{
    (void)state;
    static const char *const numbers[] = {
        "0", "101", "-1", "+5", " 5", "5x", "", "0x10", "99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        parse(&gnu, "--number", numbers[i], NULL);
        assert_refused("option '--number': '");
        assert_refused("is not a whole number from 1 to 100");
    }
    parse(&gnu, "--duration", "5", NULL);
    assert_refused("option '--duration': ");
    parse(&gnu, "--count=18446744073709551615", NULL);
    assert_true(parsed.values.count.given && parsed.values.count.value == UINT64_MAX);
    parse(&gnu, "--count=0", NULL);
    assert_true(parsed.values.count.given && parsed.values.count.value == 0);
    parse(&gnu, "--all", NULL);
    assert_false(parsed.values.count.given);
    static const char *const counts[] = {"18446744073709551616", "-1", "1.5", "", " 1"};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        parse(&gnu, "--count", counts[i], NULL);
        assert_refused("is not a whole number from 0 to 18446744073709551615");
    }
    parse(&gnu, "--duration", "10us", NULL);
    assert_refused("option '--duration': '10us' is too short: 1ms or more is possible");
    parse(&gnu, "--duration", "-1s", NULL);
    assert_refused("too short");
    parse(&gnu, "--duration", "11s", NULL);
    assert_refused("option '--duration': '11s' is too long: 10s or less is possible");
    parse(&gnu, "--text=", NULL);
    assert_refused("option '--text': TEXT is empty");
    parse(&gnu, "--endpoint", "localhost", NULL);
    assert_refused("option '--endpoint': ");
    parse(&gnu, "--ports", "9-8", NULL);
    assert_refused("option '--ports': ");
    assert_int_equal(parsed.values.ports.first, 0);
    parse(&gnu, "--secret", "9223372036854775807", NULL);
    assert_int_equal(parsed.result, 0);
}

static void help_wins_where_it_stands(void **state)
{
    (void)state;
    parse(&gnu, "-a", "--help", "--foo", NULL);
    assert_int_equal(parsed.result, OPTIONS_HELP);
    parse(&gnu, "-ah", NULL);
    assert_int_equal(parsed.result, OPTIONS_HELP);
    parse(&gnu, "--foo", "--help", NULL);
    assert_int_equal(parsed.result, ERROR_INPUT);
    parse(&gnu, "--", "--help", NULL);
    assert_int_equal(parsed.result, 0);
    parse(&go, "-help", NULL);
    assert_int_equal(parsed.result, OPTIONS_HELP);
    parse(&go, "--h", NULL);
    assert_int_equal(parsed.result, OPTIONS_HELP);
}

static void go_takes_one_dash_or_two(void **state)
{
    (void)state;
    parse(&go, "-text", "x", "--number=4", "-endpoint=:80", "--all", NULL);
    assert_int_equal(parsed.result, 0);
    assert_string_equal(parsed.values.text, "x");
    assert_int_equal(parsed.values.number, 4);
    assert_string_equal(parsed.values.endpoint.host, "");
    assert_int_equal(parsed.values.endpoint.port, 80);
    assert_true(parsed.values.all);
}

static void go_reads_booleans(void **state)
{
    (void)state;
    static const char *const yes[] = {"-all=1",    "-all=t",    "-all=T",
                                      "-all=true", "-all=TRUE", "--all=True"};
    static const char *const no[] = {"-all=0",     "-all=f",     "-all=F",
                                     "-all=false", "-all=FALSE", "--all=False"};
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        parse(&go, yes[i], NULL);
        assert_int_equal(parsed.result, 0);
        assert_true(parsed.values.all);
        parse(&go, "-all", no[i], NULL);
        assert_int_equal(parsed.result, 0);
        assert_false(parsed.values.all);
    }
    parse(&go, "-all=yes", NULL);
    assert_refused("option '-all': 'yes' is neither true nor false");
    parse(&go, "-all=", NULL);
    assert_refused("option '-all': '' is neither true nor false");
}

static void go_stops_at_the_first_word(void **state)
{
    (void)state;
    parse(&go, "-all", "false", "-brief", NULL);
    assert_int_equal(parsed.result, 0);
    assert_true(parsed.values.all && !parsed.values.brief);
    assert_int_equal(parsed.operands.count, 2);
    assert_string_equal(parsed.operands.words[0], "false");
    parse(&go, "-all", "-", "-brief", NULL);
    assert_int_equal(parsed.operands.count, 2);
    parse(&go, "-all", "--", "-brief", NULL);
    assert_false(parsed.values.brief);
    assert_int_equal(parsed.operands.count, 1);
    assert_string_equal(parsed.operands.words[0], "-brief");
}

static void go_mistakes_are_named(void **state)
{
    (void)state;
    parse(&go, "-foo", NULL);
    assert_refused("unknown option '-foo'");
    parse(&go, "--tex=1", NULL);
    assert_refused("unknown option '--tex' (did you mean '-text'?)");
    parse(&go, "-text", NULL);
    assert_refused("option '-text' needs a value: -text TEXT");
    parse(&go, "-n", "4", NULL);
    assert_refused("unknown option '-n'");
    parse(&go, "-=4", NULL);
    assert_refused("'-=4' is not an option");
}

static char *help_of(const struct option_table *table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    options_help(table, out);
    fclose(out);
    return text;
}

static void help_shows_the_rows(void **state)
{
    (void)state;
    CLEANUP_FREE char *text = help_of(&gnu);
    assert_non_null(strstr(text, "  -a, --all               everything\n"));
    assert_non_null(strstr(text, "  -b, --brief             in a\n"
                                 "                          few words\n"));
    assert_non_null(strstr(text, "      --ports FIRST-LAST  which\n"));
    assert_null(strstr(text, "secret"));
    CLEANUP_FREE char *flags = help_of(&go);
    assert_non_null(strstr(flags, "  -text TEXT              words\n"));
    assert_non_null(strstr(flags, "  -all                    everything\n"));
}

static void suggestions_are_near(void **state)
{
    (void)state;
    struct suggestion near = {.word = "sumary"};
    suggest_offer(&near, "run");
    suggest_offer(&near, "summary");
    assert_string_equal(near.best, "summary");
    near = (struct suggestion){.word = "rnu"};
    suggest_offer(&near, "run");
    assert_string_equal(near.best, "run");
    near = (struct suggestion){.word = "out"};
    suggest_offer(&near, "output");
    assert_string_equal(near.best, "output");
    near = (struct suggestion){.word = "xyz"};
    suggest_offer(&near, "run");
    assert_null(near.best);
    near = (struct suggestion){.word = "a-word-that-is-much-longer-than-every-known-one"};
    suggest_offer(&near, "run");
    assert_null(near.best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_in_all_gnu_forms),   cmocka_unit_test(gnu_options_stand_anywhere),
        cmocka_unit_test(gnu_mistakes_are_named),    cmocka_unit_test(values_are_checked),
        cmocka_unit_test(help_wins_where_it_stands), cmocka_unit_test(go_takes_one_dash_or_two),
        cmocka_unit_test(go_reads_booleans),         cmocka_unit_test(go_stops_at_the_first_word),
        cmocka_unit_test(go_mistakes_are_named),     cmocka_unit_test(help_shows_the_rows),
        cmocka_unit_test(suggestions_are_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
