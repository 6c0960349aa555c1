/* Verdict and Ledger of messages.proto <-> model. */
#ifndef FORMAT_ACCOUNT_MESSAGE_H
#define FORMAT_ACCOUNT_MESSAGE_H

#include "model/ledger.h"
#include "model/verdict.h"
#include "proto/messages.pb-c.h"

/* out points into what it is made of: keep that alive while out is in use. */
void verdict_to_message(Tcpflowgen__Verdict *out, const struct verdict *verdict);
void ledger_to_message(Tcpflowgen__Ledger *out, const struct ledger *ledger);

void verdict_from_message(struct verdict *out, const Tcpflowgen__Verdict *message);
void ledger_from_message(struct ledger *out, const Tcpflowgen__Ledger *message);

#endif
