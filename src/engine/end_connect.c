/* An opening end's way to its connection. */
#include "engine/end.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "engine/ecn.h"
#include "engine/worker.h"
#include "util/clock.h"

#define CONNECTS_A_TURN 32 /* between events, so that flows that move do not stall */

void end_unqueue(struct end *end)
{
    if (end->state == STATE_QUEUED)
        TAILQ_REMOVE(&end->worker->queued, end, in_queue);
    else if (end->state == STATE_CONNECTING)
        end->worker->connecting--;
}

static void fail(struct end *end, int cause)
{
    const char *cure = "";
    if (cause == ECONNREFUSED)
        cure = " (its agent, or the flow's accepting end, is gone)";
    else if (cause == EADDRNOTAVAIL)
        cure = " (no local port is free: widen net.ipv4.ip_local_port_range, or wait until the "
               "sockets in TIME_WAIT are gone)";
    end_over(end, END_FAILED, "cannot connect to %s port %u: %s%s", end->spec.peer_address,
             end->spec.peer_port, strerror(cause), cure);
}

static void open_connection(struct end *end)
{
    struct worker *worker = end->worker;
    const struct end_spec *spec = &end->spec;
    struct error err;
    end_unqueue(end);
    end->state = STATE_CONNECTING;
    worker->connecting++;
    end->fd = socket_open(end->peer.storage.ss_family, spec->local_address, spec->device, &err);
    if (end->fd < 0) {
        char text[256];
        end_over(end, END_FAILED, "%s", error_text(&err, text, sizeof text));
        return;
    }
    if (end_set_options(end, end->fd) < 0)
        return;
    end_set_time(end, T_CONNECT, clock_now());
    if ((ecn_connect(worker->ecn, end->fd, (const struct sockaddr *)&end->peer.storage,
                     end->peer.size, spec->ecn) < 0 &&
         errno != EINPROGRESS) ||
        loop_watch(&worker->loop, end->fd, &end->watch, EPOLLOUT) < 0)
        fail(end, errno);
}

void end_connect_queued(struct worker *worker)
{
    for (int i = 0; i < CONNECTS_A_TURN && worker->connecting < worker->setup->connecting_max;
         i++) {
        struct end *end = TAILQ_FIRST(&worker->queued);
        if (!end)
            return;
        open_connection(end);
    }
}

void end_connect_ready(struct end *end)
{
    int cause = socket_error(end->fd);
    /* Connected at the start, the token goes with the first payload. */
    const bool has_token = !end->spec.no_token;
    end->owes_token = has_token && end->spec.connect == CONNECT_AT_START && end->spec.source;
    if (!cause && has_token && !end->owes_token) {
        const ssize_t sent =
            send(end->fd, end->spec.token, TOKEN_SIZE, MSG_DONTWAIT | MSG_NOSIGNAL);
        cause = sent < 0 ? errno : sent < TOKEN_SIZE ? ENOBUFS : 0;
        end->report.token_bytes = sent > 0 ? (uint32_t)sent : 0;
    }
    if (cause)
        fail(end, cause);
    else
        end_connected(end);
}
