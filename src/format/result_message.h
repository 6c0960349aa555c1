/* A flow's result and the run's data <-> messages.proto. */
#ifndef FORMAT_RESULT_MESSAGE_H
#define FORMAT_RESULT_MESSAGE_H

#include "format/report_message.h"
#include "model/result.h"
#include "proto/messages.pb-c.h"

/* Everything about a flow but its samples.  It points into itself: do not copy. */
struct result_message {
    struct flow_result flow; /* the texts that the messages point to */
    Tcpflowgen__FlowParams params;
    Tcpflowgen__FlowResult result;
    struct report_message report[2];
    Tcpflowgen__Verdict verdict;
    Tcpflowgen__Ledger ledger;
    Tcpflowgen__Capture captured[2];
};

void result_to_message(struct result_message *out, const struct flow_result *flow);

/* Start and duration of the params are in whole ms: result_from_message() knows better. */
void params_from_message(struct flow_result *out, const Tcpflowgen__FlowParams *message);
void result_from_message(struct flow_result *out, const Tcpflowgen__FlowResult *message);

/* A message in memory of its own, freed by tcpflowgen__run__free_unpacked(); NULL: no memory. */
Tcpflowgen__Run *run_to_message(const struct run_info *run);
/* 0, or -1 (no memory): what was read stands in *out, which the caller frees either way. */
int run_from_message(struct run_info *out, const Tcpflowgen__Run *message);

#endif
