/* Control messages come from a stranger: nothing of one is used before all of it is checked. */
#include "format/message.h"

#include <arpa/inet.h>
#include <math.h>
#include <string.h>

#include "model/scenario.h"

#define AXIS_TIME_MAX (INT64_C(1) << 61) /* times on such an axis do not overflow */
#define AXIS_RATE_MAX 0.01

/* ---- ends ---- */

void message_from_end_spec(Tcpflowgen__EndSpec *out, struct end_spec *spec)
{
    tcpflowgen__end_spec__init(out);
    out->flow = spec->flow;
    out->id = spec->id;
    out->end = spec->end;
    out->source = spec->source;
    out->sink = spec->sink;
    out->start_ns = spec->start_ns;
    out->duration_ns = spec->duration_ns;
    out->local_address = spec->local_address;
    out->peer_address = spec->peer_address;
    out->peer_port = spec->peer_port;
    out->device = spec->device;
    out->ccalg = spec->ccalg;
    out->ecn = spec->ecn;
    out->nodelay = spec->nodelay;
    out->send_rate = spec->tuning.send_rate;
    out->read_rate = spec->tuning.read_rate;
    out->pacing_rate = spec->tuning.pacing_rate;
    out->send_buffer = spec->tuning.send_buffer;
    out->receive_buffer = spec->tuning.receive_buffer;
    out->mss = spec->tuning.mss;
    out->connect = spec->connect;
    out->finish = spec->finish;
    out->capture = spec->capture;
    out->token = (ProtobufCBinaryData){.len = TOKEN_SIZE, .data = spec->token};
}

/* As the kernel has it. */
static bool is_device(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c <= ' ' || *c == 0x7f || *c == '/' || *c == ':')
            return false;
    return strlen(text) < DEVICE_MAX && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static bool is_ccalg(const char *text)
{
    size_t good = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return !text[good] && good < CCALG_MAX;
}

/* Numeric; an IPv6 address may have a scope ("fe80::1%eth0"). */
static bool is_address(const char *text)
{
    char address[INET6_ADDRSTRLEN];
    uint8_t bytes[sizeof(struct in6_addr)];
    const char *scope = strchr(text, '%');
    size_t length = scope ? (size_t)(scope - text) : strlen(text);
    if (length >= sizeof address || strlen(text) >= ADDRESS_MAX)
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    if (inet_pton(AF_INET, address, bytes) == 1)
        return !scope;
    return inet_pton(AF_INET6, address, bytes) == 1 &&
           (!scope || (scope[1] && is_device(scope + 1)));
}

static bool is_time_span(int64_t start_ns, int64_t duration_ns)
{
    return start_ns >= 0 && duration_ns > 0 && duration_ns <= SCENARIO_TIME_MAX &&
           start_ns <= SCENARIO_TIME_MAX - duration_ns;
}

static bool is_none_or(uint64_t value, uint64_t min, uint64_t max)
{
    return value == 0 || (value >= min && value <= max);
}

static const char *tuning_fault(const Tcpflowgen__EndSpec *m)
{
    if (!is_none_or(m->send_rate, RATE_MIN, RATE_MAX))
        return "send_rate is out of range";
    if (!is_none_or(m->read_rate, RATE_MIN, RATE_MAX))
        return "read_rate is out of range";
    if (!is_none_or(m->pacing_rate, RATE_MIN, RATE_MAX))
        return "pacing_rate is out of range";
    if (!is_none_or(m->send_buffer, BUFFER_MIN, BUFFER_MAX))
        return "send_buffer is out of range";
    if (!is_none_or(m->receive_buffer, BUFFER_MIN, BUFFER_MAX))
        return "receive_buffer is out of range";
    if (!is_none_or(m->mss, MSS_MIN, MSS_MAX))
        return "mss is out of range";
    return NULL;
}

/* The first thing that is wrong, or NULL. */
static const char *end_spec_fault(const Tcpflowgen__EndSpec *m)
{
    if (m->flow >= SCENARIO_FLOWS_MAX)
        return "flow is out of range";
    if (m->end > END_DST)
        return "end is neither 0 nor 1";
    if (m->connect > CONNECT_AT_START)
        return "connect is neither 0 nor 1";
    if (m->finish > FINISH_ABORT)
        return "finish is neither 0 nor 1";
    if (m->capture > CAPTURE_HEADERS)
        return "capture is neither 0 nor 1";
    if (!is_time_span(m->start_ns, m->duration_ns))
        return "start and duration are out of range";
    if (*m->local_address && !is_address(m->local_address))
        return "local_address is no numeric address";
    if (!is_address(m->peer_address))
        return "peer_address is no numeric address";
    if (m->peer_port > UINT16_MAX)
        return "peer_port is out of range";
    if (!is_device(m->device))
        return "device cannot be the name of a network interface";
    if (!is_ccalg(m->ccalg))
        return "ccalg cannot be the name of a congestion control";
    if (m->token.len != TOKEN_SIZE)
        return "token has not 16 bytes";
    return tuning_fault(m);
}

int message_to_end_spec(struct end_spec *out, const Tcpflowgen__EndSpec *message, struct error *err)
{
    const char *fault = end_spec_fault(message);
    if (fault) {
        error_set(err, ERROR_INPUT, NULL, "%s", fault);
        error_where(err, "end of flow %u (id %d)", message->flow, message->id);
        return ERROR_INPUT;
    }
    *out = (struct end_spec){
        .flow = message->flow,
        .id = message->id,
        .end = (enum flow_end)message->end,
        .source = message->source,
        .sink = message->sink,
        .start_ns = message->start_ns,
        .duration_ns = message->duration_ns,
        .peer_port = (uint16_t)message->peer_port,
        .ecn = message->ecn,
        .nodelay = message->nodelay,
        .tuning =
            {
                .send_rate = message->send_rate,
                .read_rate = message->read_rate,
                .pacing_rate = message->pacing_rate,
                .send_buffer = message->send_buffer,
                .receive_buffer = message->receive_buffer,
                .mss = message->mss,
            },
        .connect = (enum connect_mode)message->connect,
        .finish = (enum finish_mode)message->finish,
        .capture = (enum capture_mode)message->capture,
    };
    strcpy(out->local_address, message->local_address);
    strcpy(out->peer_address, message->peer_address);
    strcpy(out->device, message->device);
    strcpy(out->ccalg, message->ccalg);
    memcpy(out->token, message->token.data, TOKEN_SIZE);
    return 0;
}

/* ---- axis ---- */

void message_from_axis(Tcpflowgen__Axis *out, const struct axis *axis)
{
    tcpflowgen__axis__init(out);
    out->axis_ns = axis->axis_ns;
    out->local_ns = axis->local_ns;
    out->rate = axis->rate;
}

static bool is_axis_time(int64_t ns)
{
    return ns >= -AXIS_TIME_MAX && ns <= AXIS_TIME_MAX;
}

int message_to_axis(struct axis *out, const Tcpflowgen__Axis *message, struct error *err)
{
    if (!is_axis_time(message->axis_ns) || !is_axis_time(message->local_ns))
        return error_set(err, ERROR_INPUT, "axis", "its times are out of range");
    if (!(fabs(message->rate) < AXIS_RATE_MAX)) /* false for NaN, too */
        return error_set(err, ERROR_INPUT, "axis", "its rate is no clock's");
    *out = (struct axis){message->axis_ns, message->local_ns, message->rate};
    return 0;
}

void message_from_discipline(Tcpflowgen__ClockDiscipline *out, const struct clock_discipline *from)
{
    tcpflowgen__clock_discipline__init(out);
    out->synchronized = from->synchronized;
    out->status = from->status;
    out->frequency_ppm = from->frequency_ppm;
    out->rate_ppm = from->rate_ppm;
    out->tick_ns = from->tick_ns;
    out->offset_ns = from->offset_ns;
    out->max_error_ns = from->max_error_ns;
    out->estimated_error_ns = from->estimated_error_ns;
    out->tai_s = from->tai_s;
}

struct clock_discipline message_to_discipline(const Tcpflowgen__ClockDiscipline *message)
{
    if (!message)
        return (struct clock_discipline){0};
    return (struct clock_discipline){
        .known = isfinite(message->frequency_ppm) && isfinite(message->rate_ppm),
        .synchronized = message->synchronized,
        .status = message->status,
        .frequency_ppm = message->frequency_ppm,
        .rate_ppm = message->rate_ppm,
        .tick_ns = message->tick_ns,
        .offset_ns = message->offset_ns,
        .max_error_ns = message->max_error_ns,
        .estimated_error_ns = message->estimated_error_ns,
        .tai_s = message->tai_s,
    };
}
