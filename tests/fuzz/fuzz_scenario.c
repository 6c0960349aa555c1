/* Scenarios, and the plans made of them. */
#include <string.h>

#include "format/scenario_json.h"
#include "fuzz.h"
#include "model/plan.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    static const char seed[] =
        "{\"label\": \"x\", \"hosts\": {\"A\": {\"mgmt\": \"a:1\", \"host\": \"127.0.0.1\"},"
        " \"B\": {\"mgmt\": \":2\", \"host\": \"::1\", \"sample\": true}},"
        " \"defaults\": {\"ccalg\": \"cubic\"}, \"max_rate\": \"1Gbit/s\","
        " \"flows\": [{\"id\": 1, \"src\": \"A\", \"dst\": \"B\", \"start\": \"1.5s\","
        " \"duration\": \"1m\", \"send_rate\": \"10Mbit/s\", \"mss\": 1000}]}";
    fuzz_seed("scenario", seed, strlen(seed));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error_list errors = {0};
    struct scenario *scenario = scenario_parse((const char *)data, size, "input", &errors);
    struct plan *plan = scenario ? plan_build(scenario, &errors) : NULL;
    FUZZ_ASSERT(plan || errors.count);
    plan_free(plan);
    error_list_fini(&errors);
    return 0;
}
