/* Control messages of agent.proto <-> model, where a struct of the model goes over the wire. */
#ifndef FORMAT_MESSAGE_H
#define FORMAT_MESSAGE_H

#include "model/axis.h"
#include "model/clock_discipline.h"
#include "model/flow.h"
#include "proto/agent.pb-c.h"
#include "util/error.h"

/* out points into spec: keep spec alive while out is in use. */
void message_from_end_spec(Tcpflowgen__EndSpec *out, struct end_spec *spec);
/* Checks what a stranger may have sent: ranges, lengths, numeric addresses, times. */
int message_to_end_spec(struct end_spec *out, const Tcpflowgen__EndSpec *message,
                        struct error *err);

void message_from_axis(Tcpflowgen__Axis *out, const struct axis *axis);
int message_to_axis(struct axis *out, const Tcpflowgen__Axis *message, struct error *err);

void message_from_discipline(Tcpflowgen__ClockDiscipline *out, const struct clock_discipline *from);
/* NULL: nothing is known. */
struct clock_discipline message_to_discipline(const Tcpflowgen__ClockDiscipline *message);

#endif
