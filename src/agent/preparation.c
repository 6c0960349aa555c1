#include "agent/preparation.h"

#include <stdlib.h>

#include "format/message.h"

int preparation_init(struct preparation *p, const Tcpflowgen__PrepareRequest *request,
                     struct error *err)
{
    size_t room = request->n_ends + 1;
    *p = (struct preparation){
        .count = request->n_ends,
        .specs = calloc(room, sizeof *p->specs),
        .answers = calloc(room, sizeof *p->answers),
        .messages = calloc(room, sizeof *p->messages),
        .pointers = calloc(room, sizeof(*p->pointers)),
    };
    if (!p->specs || !p->answers || !p->messages || !p->pointers)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    for (size_t i = 0; i < p->count; i++)
        if (message_to_end_spec(&p->specs[i], request->ends[i], err))
            return err->code;
    return 0;
}

Tcpflowgen__PrepareReply *preparation_reply(struct preparation *p, int64_t interval_ns)
{
    for (size_t i = 0; i < p->count; i++) {
        tcpflowgen__end_ready__init(&p->messages[i]);
        p->messages[i].flow = p->answers[i].flow;
        p->messages[i].end = p->answers[i].end;
        p->messages[i].runs = p->answers[i].runs;
        p->messages[i].port = p->answers[i].port;
        p->messages[i].error = p->answers[i].error;
        p->pointers[i] = &p->messages[i];
    }
    tcpflowgen__prepare_reply__init(&p->reply);
    p->reply.ends = p->pointers;
    p->reply.n_ends = p->count;
    p->reply.interval_ns = interval_ns;
    return &p->reply;
}

void preparation_fini(struct preparation *p)
{
    free(p->specs);
    free(p->answers);
    free(p->messages);
    free(p->pointers);
}
