#include "engine/preflight.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/algorithms.h"
#include "engine/ecn.h"
#include "engine/hosts.h"
#include "engine/tuning.h"
#include "model/ccalg.h"
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
    if (!failed)
        host_scope_peer(peer, spec->local_address, spec->device);
    if (!failed && *spec->local_address && local.storage.ss_family != peer->storage.ss_family)
        return error_set(err, ERROR_FLOW, NULL, "%s and %s are not of one address family",
                         spec->local_address, spec->peer_address);
    return failed;
}

/* The address, device and route of a socket that is bound as the end's will be: the clearest word
 * on a missing address, device or permission.  Whether packets can leave. */
static bool check_path(int fd, const struct end_spec *spec, char device[DEVICE_MAX],
                       struct error *err)
{
    if (fd < 0)
        return false;
    return !*spec->peer_address ||
           route_check(spec->local_address, spec->peer_address, spec->device, device, err) == 0;
}

static int check_ecn(struct ecn_setup *ecn, int fd, const struct end_spec *spec,
                     const struct socket_address *peer, struct error *err)
{
    if (spec->end == END_SRC)
        return ecn_prepare(ecn, fd, (const struct sockaddr *)&peer->storage, spec->ecn, err);
    return spec->ecn ? ecn_can_accept(err) : 0;
}

/* Each thing that the host refuses by itself; what follows from another is not told. */
static void check_host(struct ecn_setup *ecn, const struct end_spec *spec,
                       const struct socket_address *peer, struct finding *finding)
{
    const int family = peer->storage.ss_family ? peer->storage.ss_family : AF_INET;
    struct error err;
    CLEANUP_CLOSE int fd = socket_open(family, spec->local_address, spec->device, &err);
    const bool has_path = check_path(fd, spec, finding->out_device, &err);
    if (!has_path)
        error_add_line(finding->problems, &err);
    if (ccalg_is_demanded(spec->ccalg, spec->source) && algorithm_check(spec->ccalg, &err))
        error_add_line(finding->problems, &err);
    if (has_path && check_ecn(ecn, fd, spec, peer, &err))
        error_add_line(finding->problems, &err);
    if (fd < 0) /* the rest does not need the address */
        fd = socket_open(family, "", "", NULL);
    if (fd >= 0)
        tuning_check(fd, spec, finding->problems);
}

static const struct finding *find(const struct preflight *preflight, const struct end_spec *spec)
{
    for (size_t i = 0; i < preflight->count && i < PREFLIGHT_FINDINGS; i++) {
        const struct finding *finding = &preflight->findings[i];
        if (finding->end == spec->end && finding->ecn == spec->ecn &&
            finding->send_buffer == spec->tuning.send_buffer &&
            finding->receive_buffer == spec->tuning.receive_buffer &&
            strcmp(finding->local, spec->local_address) == 0 &&
            strcmp(finding->peer, spec->peer_address) == 0 &&
            strcmp(finding->device, spec->device) == 0 && strcmp(finding->ccalg, spec->ccalg) == 0)
            return finding;
    }
    return NULL;
}

static const struct finding *judge(struct preflight *preflight, const struct end_spec *spec,
                                   const struct socket_address *peer)
{
    struct finding *finding = &preflight->findings[preflight->count++ % PREFLIGHT_FINDINGS];
    *finding = (struct finding){.end = spec->end,
                                .ecn = spec->ecn,
                                .send_buffer = spec->tuning.send_buffer,
                                .receive_buffer = spec->tuning.receive_buffer};
    memcpy(finding->local, spec->local_address, ADDRESS_MAX);
    memcpy(finding->peer, spec->peer_address, ADDRESS_MAX);
    memcpy(finding->device, spec->device, DEVICE_MAX);
    memcpy(finding->ccalg, spec->ccalg, CCALG_MAX);
    check_host(preflight->ecn, spec, peer, finding);
    return finding;
}

void preflight_check(struct preflight *preflight, const struct end_spec *spec,
                     struct socket_address *peer, char device[DEVICE_MAX],
                     char problems[PROBLEMS_MAX])
{
    struct error err;
    *device = '\0';
    if (check_spec(spec, &err) || parse_addresses(spec, peer, &err)) {
        error_add_line(problems, &err);
        return;
    }
    const struct finding *finding = find(preflight, spec);
    if (!finding)
        finding = judge(preflight, spec, peer);
    snprintf(problems, PROBLEMS_MAX, "%s", finding->problems);
    snprintf(device, DEVICE_MAX, "%s", finding->out_device);
}
