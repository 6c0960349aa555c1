#include "report/settings.h"

#include <string.h>

#include "report/paragraph.h"

const char *const setting_names[SETTINGS] = {"ccalg", "ecn", "nodelay"};

static const char *on_off(bool on)
{
    return on ? "on" : "off";
}

static const char *asked(enum setting setting, const struct flow_result *flow)
{
    if (setting == SETTING_CCALG)
        return flow->ccalg[0] ? flow->ccalg : "default";
    return on_off(setting == SETTING_ECN ? flow->ecn : flow->nodelay);
}

/* NULL: not known. */
static const char *effective(enum setting setting, const struct flow_result *flow)
{
    const struct end_report *src = flow_result_report(flow, END_SRC);
    if (!src || !src->ccalg[0])
        return NULL;
    if (setting == SETTING_CCALG)
        return src->ccalg;
    return on_off(setting == SETTING_ECN ? src->ecn : src->nodelay);
}

void setting_text(enum setting setting, const struct flow_result *flow, char out[TABLE_CELL_MAX])
{
    const char *ask = asked(setting, flow), *is = effective(setting, flow);
    if (!is || strcmp(ask, is) == 0)
        snprintf(out, TABLE_CELL_MAX, "%s", ask);
    else
        snprintf(out, TABLE_CELL_MAX, "%s -> %s", ask, is);
}

void label_text(const struct flow_result *flow, char out[TABLE_CELL_MAX])
{
    snprintf(out, TABLE_CELL_MAX, "%s", flow->label[0] ? flow->label : "-");
    table_cut(out, LABEL_COLUMNS);
}

/* A flow that failed early does not make a column of what is not known of it. */
static bool alike(enum setting setting, const struct flow_result *a, const struct flow_result *b)
{
    const char *x = effective(setting, a), *y = effective(setting, b);
    return strcmp(asked(setting, a), asked(setting, b)) == 0 && (!x || !y || strcmp(x, y) == 0);
}

/* The first of which most is known. */
static const struct flow_result *example(setting_flow *flow, const void *of, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (effective(SETTING_CCALG, flow(of, i)))
            return flow(of, i);
    return flow(of, 0);
}

void settings_print(setting_flow *flow, const void *of, size_t count, bool differs[SETTINGS],
                    FILE *out)
{
    char text[SETTINGS * 64] = "", value[TABLE_CELL_MAX];
    const struct flow_result *first = count ? example(flow, of, count) : NULL;
    size_t used = 0;
    for (int s = 0; s < SETTINGS; s++) {
        const enum setting setting = (enum setting)s;
        differs[s] = false;
        for (size_t i = 0; i < count && !differs[s]; i++)
            differs[s] = !alike(setting, flow(of, i), first);
        if (differs[s] || !first)
            continue;
        setting_text(setting, first, value);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %.48s", used ? ", " : "",
                                 setting_names[s], value);
    }
    if (used)
        paragraph_print(out, "%s: %s", count > 1 ? "every flow" : "the flow", text);
}
