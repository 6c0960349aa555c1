/* EndReport of messages.proto <-> struct end_report. */
#ifndef FORMAT_REPORT_MESSAGE_H
#define FORMAT_REPORT_MESSAGE_H

#include "model/flow.h"
#include "proto/messages.pb-c.h"

/* out points into report: keep report alive while out is in use. */
void report_to_message(Tcpflowgen__EndReport *out, const struct end_report *report);
/* Texts that do not fit are cut; flow and end are the caller's to set. */
void report_from_message(struct end_report *out, const Tcpflowgen__EndReport *message);

#endif
