#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/scenario_json.h"
#include "report/plan_report.h"

static const char full[] =
    "{\"label\": \"l\", \"interval\": \"50ms\", \"read_size\": 1000, \"write_size\": 2000,"
    " \"hosts\": {\"Zürich\": {\"mgmt\": \"a:1\", \"host\": \"10.0.0.1\", \"bind\": \"any\"},"
    " \"B\": {\"mgmt\": \"b:10\", \"host\": \"10.0.0.20\", \"device\": \"eth1\","
    " \"sample\": true, \"interfaces\": \"eth1,eth2\"}},"
    " \"flows\": [{\"id\": 100, \"src\": \"Zürich\", \"dst\": \"B\", \"duration\": \"1m\"},"
    " {\"id\": -1, \"src\": \"B\", \"dst\": \"B\", \"start\": \"1.5s\", \"duration\": \"2s\","
    " \"ccalg\": \"cubic\", \"ecn\": true, \"nodelay\": true, \"connect\": \"at_start\","
    " \"end\": \"abort\", \"label\": \"f\", \"send_rate\": \"1.5Mbit/s\", \"read_rate\": \"2 Gbit/s\","
    " \"pacing_rate\": \"1234567bit/s\", \"send_buffer\": 4096, \"receive_buffer\": 5000,"
    " \"mss\": 1000, \"capture\": \"headers\"}]}";
static const char bare[] = "{\"hosts\": {\"A\": {\"mgmt\": \"a:1\", \"host\": \"h\"}},"
                           " \"flows\": [{\"id\": 0, \"src\": \"A\", \"dst\": \"A\","
                           " \"duration\": \"1s\"}]}";

static struct plan *make_plan(const char *text)
{
    struct error_list errors = {0};
    struct scenario *scenario = scenario_parse(text, strlen(text), "test", &errors);

    assert_non_null(scenario);
    struct plan *plan = plan_build(scenario, &errors);
    assert_non_null(plan);
    return plan;
}

static char *text_of(const char *scenario)
{
    struct plan *plan = make_plan(scenario);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    plan_text(plan, out);
    fclose(out);
    plan_free(plan);
    return text;
}

/* Where the cell of options begins. */
#define BELOW "                                                              "

static void text_is_aligned(void **state)
{
    char *text = text_of(full);

    (void)state;
    assert_string_equal(
        text, "label       l\n"
              "interval    50ms\n"
              "read size   1000 bytes\n"
              "write size  2000 bytes\n"
              "\n"
              "host    mgmt  address    bind       device  sample  interfaces\n"
              "Zürich  a:1   10.0.0.1   any        -       -       -\n"
              "B       b:10  10.0.0.20  10.0.0.20  eth1    yes     eth1,eth2\n"
              "\n"
              "flow  src     dst  start  duration  ccalg    connect   end    options\n"
              "100   Zürich  B    0s     1m0s      default  ahead     drain  -\n"
              "-1    B       B    1.5s   2s        cubic    at_start  abort  ecn nodelay "
              "send_rate=1.5Mbit/s\n" BELOW "read_rate=2Gbit/s\n" BELOW
              "pacing_rate=1234.567kbit/s\n" BELOW "send_buffer=4096 receive_buffer=5000\n" BELOW
              "mss=1000 capture=headers label=\"f\"\n"
              "\n"
              "2 hosts, 2 flows, over 1m0s after the start of the run\n");
    free(text);
}

static void text_leaves_out_what_is_not_set(void **state)
{
    char *text = text_of(bare);

    (void)state;
    assert_string_equal(text, "host  mgmt  address  bind  device\n"
                              "A     a:1   h        h     -\n"
                              "\n"
                              "flow  src  dst  start  duration  ccalg    connect  end    options\n"
                              "0     A    A    0s     1s        default  ahead    drain  -\n"
                              "\n"
                              "1 host, 1 flow, over 1s after the start of the run\n");
    free(text);
}

static void assert_json(const char *scenario, const char *expected)
{
    struct plan *plan = make_plan(scenario);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_int_equal(plan_json(plan, out, NULL), 0);
    fclose(out);
    plan_free(plan);
    assert_true(size > 0 && text[size - 1] == '\n');
    json_t *value = json_loadb(text, size, 0, NULL);
    json_t *wanted = json_loads(expected, 0, NULL);
    assert_non_null(value);
    assert_non_null(wanted);
    assert_true(json_equal(value, wanted));
    json_decref(value);
    json_decref(wanted);
    free(text);
}

static void json_has_exactly_its_keys(void **state)
{
    (void)state;
    assert_json(
        full,
        "{\"label\": \"l\", \"interval_ns\": 50000000, \"end_ns\": 60000000000,"
        " \"hosts\": {\"Zürich\": {\"mgmt\": \"a:1\", \"host\": \"10.0.0.1\","
        " \"bind\": \"any\", \"device\": null, \"sample\": false,"
        " \"interfaces\": null}, \"B\": {\"mgmt\": \"b:10\","
        " \"host\": \"10.0.0.20\", \"bind\": null, \"device\": \"eth1\","
        " \"sample\": true, \"interfaces\": \"eth1,eth2\"}},"
        " \"flows\": [{\"id\": 100, \"label\": null, \"src\": \"Zürich\", \"dst\": \"B\", \"start_ns\": 0,"
        " \"duration_ns\": 60000000000, \"ccalg\": null, \"ecn\": false,"
        " \"nodelay\": false, \"connect\": \"ahead\", \"end\": \"drain\","
        " \"capture\": \"none\","
        " \"send_rate_bps\": null, \"read_rate_bps\": null,"
        " \"pacing_rate_bps\": null, \"send_buffer_bytes\": null, \"receive_buffer_bytes\": null,"
        " \"mss_bytes\": null},"
        " {\"id\": -1, \"label\": \"f\", \"src\": \"B\", \"dst\": \"B\", \"start_ns\": 1500000000,"
        " \"duration_ns\": 2000000000, \"ccalg\": \"cubic\", \"ecn\": true,"
        " \"nodelay\": true, \"connect\": \"at_start\", \"end\": \"abort\","
        " \"capture\": \"headers\","
        " \"send_rate_bps\": 1500000, \"read_rate_bps\": 2000000000,"
        " \"pacing_rate_bps\": 1234567, \"send_buffer_bytes\": 4096,"
        " \"receive_buffer_bytes\": 5000, \"mss_bytes\": 1000}]}");
    assert_json(
        bare,
        "{\"label\": null, \"interval_ns\": null, \"end_ns\": 1000000000,"
        " \"hosts\": {\"A\": {\"mgmt\": \"a:1\", \"host\": \"h\", \"bind\": null,"
        " \"device\": null, \"sample\": false, \"interfaces\": null}},"
        " \"flows\": [{\"id\": 0, \"label\": null, \"src\": \"A\", \"dst\": \"A\", \"start_ns\": 0,"
        " \"duration_ns\": 1000000000, \"ccalg\": null, \"ecn\": false,"
        " \"nodelay\": false, \"connect\": \"ahead\", \"end\": \"drain\","
        " \"capture\": \"none\","
        " \"send_rate_bps\": null, \"read_rate_bps\": null,"
        " \"pacing_rate_bps\": null, \"send_buffer_bytes\": null, \"receive_buffer_bytes\": null,"
        " \"mss_bytes\": null}]}");
}

static void a_full_disk_is_noticed(void **state)
{
    FILE *out = fopen("/dev/full", "w");
    struct plan *plan = make_plan(bare);
    struct error err = {0};

    (void)state;
    assert_non_null(out);
    assert_int_equal(plan_json(plan, out, &err), ERROR_SYSTEM);
    assert_string_equal(err.what, "cannot write to standard output: No space left on device");
    assert_false(ferror(out)); /* told once */
    fclose(out);
    plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_aligned),
        cmocka_unit_test(text_leaves_out_what_is_not_set),
        cmocka_unit_test(json_has_exactly_its_keys),
        cmocka_unit_test(a_full_disk_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
