#include "cli/load.h"

#include <stdlib.h>
#include <string.h>

#include "format/scenario_json.h"

static int override(struct scenario *scenario, const struct scenario_overrides *with,
                    struct error *err)
{
    if (with->interval_ns)
        scenario->interval_ns = with->interval_ns;
    if (with->read_size)
        scenario->read_size = with->read_size;
    if (with->write_size)
        scenario->write_size = with->write_size;
    if (!with->label)
        return 0;
    char *label = strdup(with->label);
    if (!label)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    free(scenario->label);
    scenario->label = label;
    return 0;
}

struct plan *load_plan(const char *path, const struct scenario_overrides *overrides,
                       struct said *said)
{
    struct error_list problems = {0};
    struct error err = {0};
    struct plan *plan = NULL;
    struct scenario *scenario = scenario_load(path, &problems);
    if (scenario && override(scenario, overrides, &err)) {
        error_list_add(&problems, &err);
        scenario_free(scenario);
    } else if (scenario) {
        plan = plan_build(scenario, &problems);
    }
    if (!plan)
        say_problems(said, strcmp(path, "-") == 0 ? "standard input" : path, &problems);
    error_list_fini(&problems);
    return plan;
}
