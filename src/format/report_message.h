/* EndReport of messages.proto <-> struct end_report. */
#ifndef FORMAT_REPORT_MESSAGE_H
#define FORMAT_REPORT_MESSAGE_H

#include "model/flow.h"
#include "proto/messages.pb-c.h"

struct report_message {
    Tcpflowgen__EndReport report; /* the message; it points into the rest */
    Tcpflowgen__Reading reading[READINGS];
};

/* out points into itself and into report: do not copy, and keep report alive while out is in use.
 */
void report_to_message(struct report_message *out, const struct end_report *report);
/* Texts that do not fit are cut; flow and end are the caller's to set. */
void report_from_message(struct end_report *out, const Tcpflowgen__EndReport *message);

#endif
