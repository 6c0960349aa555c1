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

void preparation_sift(struct preparation *p,
                      int (*may)(void *arg, const struct end_spec *spec, struct error *err),
                      void *arg)
{
    const size_t all = p->count + p->refused;
    size_t kept = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct end_spec *spec = &p->specs[i];
        struct error err;
        if (may(arg, spec, &err) == 0) {
            p->specs[kept++] = *spec;
            continue;
        }
        struct end_ready *answer = &p->answers[all - ++p->refused];
        *answer = (struct end_ready){.flow = spec->flow, .end = spec->end};
        error_text(&err, answer->error, sizeof answer->error);
    }
    p->count = kept;
}

Tcpflowgen__PrepareReply *preparation_reply(struct preparation *p, int64_t interval_ns)
{
    const size_t all = p->count + p->refused;
    for (size_t i = 0; i < all; i++) {
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
    p->reply.n_ends = all;
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
