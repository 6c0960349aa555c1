#include "master/prepare_piece.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/machine_message.h"
#include "format/message.h"
#include "format/result_message.h"
#include "master/output.h"

#define PIECE_ENDS    2000u /* in one call: an agent takes some milliseconds for them */
#define HOSTS_SAMPLED 64u   /* that a first piece names beside those of its ends, at most */
#define HOSTS_MAX     (2 * PIECE_ENDS + HOSTS_SAMPLED)
#define PIECE_BYTES   (768u << 10) /* of all in it: no more is added behind that */
#define SCENARIO_MAX  (384u << 10) /* bytes of it that spools keep */
#define WARNINGS_MAX  (64u << 10)  /* bytes of them that spools keep */
#define FIELD_BYTES   ((size_t)8)  /* in front of a message within another, at most */

/* One piece: what goes over the wire, and the model it points into. */
struct prepare_piece {
    struct session *session;
    Tcpflowgen__PrepareRequest request;
    size_t bytes; /* of what follows, so far */
    Tcpflowgen__EndSpec ends[PIECE_ENDS], *end_pointers[PIECE_ENDS];
    struct end_spec specs[PIECE_ENDS];
    Tcpflowgen__RunHost hosts[HOSTS_MAX], *host_pointers[HOSTS_MAX];
    uint32_t host_places[HOSTS_MAX];
    Tcpflowgen__RunAgent agents[HOSTS_MAX + 1], *agent_pointers[HOSTS_MAX + 1];
    uint32_t agent_places[HOSTS_MAX + 1];
    char *interfaces[HOST_INTERFACES_MAX];
    Tcpflowgen__Run *about;         /* owned; NULL: no memory, and the spools do without */
    Tcpflowgen__Setting **settings; /* of the agent whose first piece it is; owned */
    size_t setting_count;
    uint32_t *places;                   /* of the session's agents */
    uint64_t number;                    /* of this piece */
    uint64_t *host_piece, *agent_piece; /* the last that named them, by the session's index */
};

/* ---- who is named ---- */

static char *text(const char *from)
{
    return (char *)(from ? from : "");
}

/* What others know of it: the spool of each tells of its own. */
static Tcpflowgen__RunAgent *name_agent(struct prepare_piece *piece,
                                        const struct master_agent *agent)
{
    const size_t index = (size_t)(agent - piece->session->agents);
    const size_t n = piece->request.n_agents;
    Tcpflowgen__RunAgent *message = &piece->agents[n];
    if (piece->agent_piece[index] == piece->number)
        return NULL;
    piece->agent_piece[index] = piece->number;
    tcpflowgen__run_agent__init(message);
    message->mgmt = text(agent->mgmt);
    message->hostname = text(agent->info.hostname);
    piece->agent_pointers[n] = message;
    piece->agent_places[n] = piece->places[index];
    piece->request.n_agents = piece->request.n_agent_places = n + 1;
    piece->bytes += tcpflowgen__run_agent__get_packed_size(message) + 2 * FIELD_BYTES;
    return message;
}

static void name_host(struct prepare_piece *piece, uint32_t host)
{
    const struct plan_host *plan = &piece->session->plan->hosts[host];
    const struct master_agent *agent = piece->session->hosts[host].agent;
    const size_t n = piece->request.n_hosts;
    Tcpflowgen__RunHost *message = &piece->hosts[n];
    if (piece->host_piece[host] == piece->number)
        return;
    piece->host_piece[host] = piece->number;
    name_agent(piece, agent);
    tcpflowgen__run_host__init(message);
    message->name = text(plan->name);
    message->mgmt = text(plan->mgmt);
    message->host = text(plan->host);
    message->bind = text(plan->bind);
    message->device = text(plan->device);
    message->agent = piece->places[agent - piece->session->agents];
    piece->host_pointers[n] = message;
    piece->host_places[n] = host;
    piece->request.n_hosts = piece->request.n_host_places = n + 1;
    piece->bytes += tcpflowgen__run_host__get_packed_size(message) + 2 * FIELD_BYTES;
}

/* ---- ends ---- */

static void fill_spec(struct end_spec *spec, const struct session *session, uint32_t index,
                      enum flow_end end)
{
    const struct plan_flow *plan = &session->plan->flows[index];
    const struct master_flow *flow = &session->flows[index];
    enum flow_end other = end == END_SRC ? END_DST : END_SRC;
    uint32_t host = end == END_SRC ? plan->src : plan->dst;
    *spec = (struct end_spec){
        .flow = index,
        .id = plan->id,
        .end = end,
        .source = end == END_SRC,
        .sink = end == END_DST,
        .start_ns = plan->start_ns,
        .duration_ns = plan->duration_ns,
        .peer_port = end == END_SRC ? flow->port : 0,
        .ecn = plan->ecn,
        .nodelay = plan->nodelay,
        .tuning = plan->tuning,
        .connect = plan->connect,
        .finish = plan->finish,
        .capture = plan->capture,
    };
    strcpy(spec->local_address, flow->bind[end]);
    strcpy(spec->peer_address, flow->address[other]);
    strcpy(spec->ccalg, plan->ccalg);
    snprintf(spec->device, sizeof spec->device, "%s", session->plan->hosts[host].device);
    memcpy(spec->token, flow->token, TOKEN_SIZE);
}

static void add_end(struct prepare_piece *piece, uint32_t index, enum flow_end end)
{
    const struct session *session = piece->session;
    const struct plan_flow *flow = &session->plan->flows[index];
    const size_t n = piece->request.n_ends++;
    Tcpflowgen__EndSpec *message = &piece->ends[n];
    fill_spec(&piece->specs[n], session, index, end);
    message_from_end_spec(message, &piece->specs[n]);
    message->src_host = flow->src;
    message->dst_host = flow->dst;
    piece->end_pointers[n] = message;
    name_host(piece, flow->src);
    name_host(piece, flow->dst);
    piece->bytes += tcpflowgen__end_spec__get_packed_size(message) + FIELD_BYTES;
}

/* Of a flow that was refused, the source is checked all the same: all that is wrong is told at
 * once. */
static bool is_due(const struct master_flow *flow, enum flow_end end)
{
    return !flow->refused || (end == END_SRC && *flow->address[END_DST] && flow->port == 0);
}

static void add_ends(struct prepare_piece *piece, const struct master_agent *agent,
                     enum flow_end end, size_t *next)
{
    const struct session *session = piece->session;
    for (; *next < session->plan->flow_count && piece->request.n_ends < PIECE_ENDS &&
           piece->bytes < PIECE_BYTES;
         ++*next)
        if (session_agent(session, (uint32_t)*next, end) == agent &&
            is_due(&session->flows[*next], end))
            add_end(piece, (uint32_t)*next, end);
}

/* ---- the run ---- */

/* For the agents' spools; NULL: no memory. */
static Tcpflowgen__Run *describe(const struct session *session)
{
    struct run_info run = {.warnings = session->run.warnings};
    size_t bytes = 0;
    while (run.warning_count < session->run.warning_count && bytes < WARNINGS_MAX)
        bytes += strlen(run.warnings[run.warning_count++]);
    output_describe_run(session, &run);
    Tcpflowgen__Run *about = run_to_message(&run);
    if (about && strlen(about->scenario) > SCENARIO_MAX)
        about->scenario[0] = '\0';
    run.warnings = NULL; /* the session's */
    run.warning_count = 0;
    run_info_fini(&run);
    return about;
}

/* All that is known of the agent, in its first piece. */
static void tell_all(struct prepare_piece *piece, Tcpflowgen__RunAgent *message,
                     const struct master_agent *agent)
{
    const struct run_agent *info = &agent->info;
    bool failed = false; /* the spool does without */
    message->instance = text(info->instance);
    message->version = text(info->version);
    message->kernel = text(info->kernel);
    message->machine = text(info->machine);
    message->cpus = info->cpus;
    message->workers = info->workers;
    message->interval_ns = info->interval_ns;
    piece->settings = settings_to_messages(&info->about, &piece->setting_count, &failed);
    message->settings = piece->settings;
    message->n_settings = piece->setting_count;
    piece->request.about = piece->about;
}

/* Of an agent that is sampled there may be no flow. */
static void name_sampled(struct prepare_piece *piece, const struct master_agent *agent)
{
    const struct session *session = piece->session;
    for (uint32_t h = 0; h < session->plan->host_count && piece->request.n_hosts < HOSTS_SAMPLED;
         h++)
        if (session->plan->hosts[h].sample && session->hosts[h].agent == agent)
            name_host(piece, h);
}

static void begin(struct prepare_piece *piece, const struct master_agent *agent)
{
    struct session *session = piece->session;
    const struct plan *plan = session->plan;
    Tcpflowgen__PrepareRequest *request = &piece->request;
    settings_free(piece->settings, piece->setting_count);
    piece->settings = NULL;
    piece->setting_count = 0;
    piece->bytes = 0;
    piece->number++;
    tcpflowgen__prepare_request__init(request);
    request->run = session->id;
    request->secret = session_secret(session);
    request->interval_ns = plan->interval_ns;
    request->read_size = plan->read_size;
    request->write_size = plan->write_size;
    request->lead_ns = session->options->lead_ns;
    request->flow_key = (ProtobufCBinaryData){FLOW_KEY_SIZE, session->flow_key};
    request->ends = piece->end_pointers;
    request->ends_total = agent->end_count;
    request->until_stop = agent->sampled;
    /* Not for a run that will not be. */
    request->flush_metrics = session->options->flush_metrics && session->problems->count == 0;
    request->interfaces = piece->interfaces;
    request->n_interfaces = agent->interface_count;
    for (size_t i = 0; i < agent->interface_count; i++)
        piece->interfaces[i] = (char *)agent->interfaces[i];
    request->hosts = piece->host_pointers;
    request->host_places = piece->host_places;
    request->agents = piece->agent_pointers;
    request->agent_places = piece->agent_places;
    request->agent = piece->places[agent - session->agents];
}

const Tcpflowgen__PrepareRequest *prepare_piece_next(struct prepare_piece *piece,
                                                     struct master_agent *agent, enum flow_end end,
                                                     size_t *next)
{
    const bool first = !agent->prepared;
    begin(piece, agent);
    Tcpflowgen__RunAgent *own = name_agent(piece, agent);
    if (first) {
        name_sampled(piece, agent);
        piece->bytes += piece->about ? tcpflowgen__run__get_packed_size(piece->about) : 0;
    }
    add_ends(piece, agent, end, next);
    if (piece->request.n_ends == 0 && !(first && agent->sampled)) /* a run of its own, without */
        return NULL;
    if (first)
        tell_all(piece, own, agent);
    return &piece->request;
}

/* ---- life ---- */

struct prepare_piece *prepare_piece_create(struct session *session)
{
    struct prepare_piece *piece = calloc(1, sizeof *piece);
    if (!piece)
        return NULL;
    piece->session = session;
    piece->places = calloc(session->agent_count + 1, sizeof *piece->places);
    piece->agent_piece = calloc(session->agent_count + 1, sizeof *piece->agent_piece);
    piece->host_piece = calloc(session->plan->host_count + 1, sizeof *piece->host_piece);
    if (!piece->places || !piece->agent_piece || !piece->host_piece) {
        prepare_piece_free(piece);
        return NULL;
    }
    for (size_t i = 0; i + 1 < session->agent_count; i++) /* as output_place() has them */
        piece->places[i + 1] = piece->places[i] + !session->agents[i].merged;
    piece->about = describe(session);
    return piece;
}

void prepare_piece_free(struct prepare_piece *piece)
{
    if (!piece)
        return;
    settings_free(piece->settings, piece->setting_count);
    if (piece->about)
        tcpflowgen__run__free_unpacked(piece->about, NULL);
    free(piece->places);
    free(piece->host_piece);
    free(piece->agent_piece);
    free(piece);
}
