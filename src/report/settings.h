/* What a flow was told to do, and did, in the tables of the summary: as a column where flows
 * differ in it, else in a line above the table. */
#ifndef REPORT_SETTINGS_H
#define REPORT_SETTINGS_H

#include <stdbool.h>
#include <stdio.h>

#include "model/result.h"
#include "report/table.h"

enum setting { SETTING_CCALG, SETTING_ECN, SETTING_NODELAY, SETTINGS };
extern const char *const setting_names[SETTINGS];

/* "asked -> effective", or one of them where they are the same or what was effective is not known.
 */
void setting_text(enum setting setting, const struct flow_result *flow, char out[TABLE_CELL_MAX]);

#define LABEL_COLUMNS 16

/* The flow's label, cut to LABEL_COLUMNS; "-": it has none. */
void label_text(const struct flow_result *flow, char out[TABLE_CELL_MAX]);

/* Of the table's flows. */
typedef const struct flow_result *setting_flow(const void *of, size_t index);

/* Prints the line of what all flows have alike, if they have anything; sets what they differ in. */
void settings_print(setting_flow *flow, const void *of, size_t count, bool differs[SETTINGS],
                    FILE *out);

#endif
