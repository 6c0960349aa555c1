/* What texts of a scenario must be beyond their length: rules of json_key. */
#ifndef FORMAT_SCENARIO_RULES_H
#define FORMAT_SCENARIO_RULES_H

#include "util/error.h"

int rule_mgmt(const char *text, struct error *err);
int rule_host(const char *text, struct error *err);
int rule_bind(const char *text, struct error *err);
int rule_device(const char *text, struct error *err);
int rule_interfaces(const char *text, struct error *err);
int rule_ccalg(const char *text, struct error *err);

/* "TEXT why", of a text that a rule does not allow; returns ERROR_INPUT. */
int rule_refuse(struct error *err, const char *text, const char *why);

#endif
