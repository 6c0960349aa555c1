#include "engine/preflight.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/algorithms.h"
#include "engine/ecn.h"
#include "engine/hosts.h"
#include "engine/tuning.h"
#include "util/cleanup.h"

#define TIME_LIMIT_NS (INT64_MAX / 4) /* so that sums of times do not overflow */

static int check_spec(const struct end_spec *spec, struct error *err)
{
    if (spec->end != END_SRC && spec->end != END_DST)
        return error_set(err, ERROR_FLOW, NULL, "the end is neither source nor destination");
    if (!spec->source && !spec->sink)
        return error_set(err, ERROR_FLOW, NULL, "the end neither sends nor receives");
    if (spec->start_ns < 0 || spec->start_ns > TIME_LIMIT_NS || spec->duration_ns <= 0 ||
        spec->duration_ns > TIME_LIMIT_NS)
        return error_set(err, ERROR_FLOW, NULL, "start or duration is out of range");
    if (spec->end == END_SRC && spec->peer_port == 0)
        return error_set(err, ERROR_FLOW, NULL, "no port to connect to");
    if (!*spec->peer_address && (spec->end == END_SRC || !spec->no_token))
        return error_set(err, ERROR_FLOW, NULL, "no address of the other end");
    return 0;
}

/* The peer's address; a peer that may be anybody has but the family of the end's own address. */
static int parse_addresses(const struct end_spec *spec, struct socket_address *peer,
                           struct error *err)
{
    struct socket_address local = {.storage.ss_family = AF_UNSPEC};
    int failed = 0;
    if (*spec->local_address)
        failed = socket_address_parse(spec->local_address, 0, &local, err);
    if (!failed && !*spec->peer_address)
        *peer = (struct socket_address){.storage.ss_family = local.storage.ss_family};
    else if (!failed)
        failed = socket_address_parse(spec->peer_address, spec->peer_port, peer, err);
    if (!failed && *spec->local_address && local.storage.ss_family != peer->storage.ss_family)
        return error_set(err, ERROR_FLOW, NULL, "%s and %s are not of one address family",
                         spec->local_address, spec->peer_address);
    return failed;
}

static int check_host(struct ecn_setup *ecn, const struct end_spec *spec,
                      const struct socket_address *peer, char device[DEVICE_MAX], struct error *err)
{
    const int family = peer->storage.ss_family;
    /* Bound as the end will be: the clearest word on a missing address, device or permission. */
    CLEANUP_CLOSE int fd =
        socket_open(family ? family : AF_INET, spec->local_address, spec->device, err);
    if (fd < 0)
        return fd;
    int failed = 0;
    if (*spec->peer_address)
        failed = route_check(spec->local_address, spec->peer_address, spec->device, device, err);
    if (!failed && *spec->ccalg)
        failed = algorithm_check(spec->ccalg, err);
    if (!failed)
        failed = tuning_set(fd, spec, err);
    if (!failed && spec->end == END_SRC)
        failed = ecn_prepare(ecn, fd, (const struct sockaddr *)&peer->storage, spec->ecn, err);
    if (!failed && spec->end == END_DST && spec->ecn)
        failed = ecn_can_accept(err);
    return failed;
}

static const struct verdict *find(const struct preflight *preflight, const struct end_spec *spec)
{
    for (size_t i = 0; i < preflight->count && i < PREFLIGHT_VERDICTS; i++) {
        const struct verdict *verdict = &preflight->verdicts[i];
        if (verdict->end == spec->end && verdict->ecn == spec->ecn &&
            verdict->send_buffer == spec->tuning.send_buffer &&
            verdict->receive_buffer == spec->tuning.receive_buffer &&
            strcmp(verdict->local, spec->local_address) == 0 &&
            strcmp(verdict->peer, spec->peer_address) == 0 &&
            strcmp(verdict->device, spec->device) == 0 && strcmp(verdict->ccalg, spec->ccalg) == 0)
            return verdict;
    }
    return NULL;
}

static const struct verdict *judge(struct preflight *preflight, const struct end_spec *spec,
                                   const struct socket_address *peer)
{
    struct verdict *verdict = &preflight->verdicts[preflight->count++ % PREFLIGHT_VERDICTS];
    *verdict = (struct verdict){.end = spec->end,
                                .ecn = spec->ecn,
                                .send_buffer = spec->tuning.send_buffer,
                                .receive_buffer = spec->tuning.receive_buffer};
    memcpy(verdict->local, spec->local_address, ADDRESS_MAX);
    memcpy(verdict->peer, spec->peer_address, ADDRESS_MAX);
    memcpy(verdict->device, spec->device, DEVICE_MAX);
    memcpy(verdict->ccalg, spec->ccalg, CCALG_MAX);
    verdict->code = check_host(preflight->ecn, spec, peer, verdict->out_device, &verdict->err);
    return verdict;
}

int preflight_check(struct preflight *preflight, const struct end_spec *spec,
                    struct socket_address *peer, char device[DEVICE_MAX], struct error *err)
{
    int failed = check_spec(spec, err);
    if (!failed)
        failed = parse_addresses(spec, peer, err);
    if (failed)
        return failed;
    const struct verdict *verdict = find(preflight, spec);
    if (!verdict)
        verdict = judge(preflight, spec, peer);
    if (verdict->code)
        *err = verdict->err;
    snprintf(device, DEVICE_MAX, "%s", verdict->out_device);
    return verdict->code;
}
