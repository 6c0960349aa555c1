/* A column of a message is a pair of members that its descriptor tells of, as in columns.c; the
 * fields are numbered from FIRST_FIELD on in the order of the model's enums. */
#include "format/host_message.h"

#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"
#include "util/cleanup.h"

#define FIRST_FIELD 10

static const ProtobufCFieldDescriptor *descriptor(const ProtobufCMessage *message, size_t field)
{
    return protobuf_c_message_descriptor_get_field(message->descriptor,
                                                   (unsigned)(FIRST_FIELD + field));
}

/* ---- to the message ---- */

static bool all_zero(const int64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i])
            return false;
    return true;
}

/* The values at `place` of each row, into the message's field.  False: no memory. */
static bool put_column(ProtobufCMessage *message, size_t field, const struct host_series *series,
                       size_t place)
{
    size_t count = series->count;
    int64_t *values = calloc(count + 1, sizeof *values);
    if (!values)
        return false;
    for (size_t i = 0; i < count; i++)
        values[i] = host_series_row(series, i)[place];
    if (all_zero(values, count)) {
        free(values);
        return true;
    }
    for (size_t i = count; i-- > 1;)
        values[i] = (int64_t)((uint64_t)values[i] - (uint64_t)values[i - 1]);
    const ProtobufCFieldDescriptor *to = descriptor(message, field);
    memcpy((char *)message + to->quantifier_offset, &count, sizeof count);
    memcpy((char *)message + to->offset, &values, sizeof values);
    return true;
}

static bool add_interface(Tcpflowgen__HostSamples *out, const struct host_series *series, size_t i)
{
    Tcpflowgen__InterfaceSamples *message = malloc(sizeof *message);
    if (!message)
        return false;
    tcpflowgen__interface_samples__init(message);
    out->interfaces[out->n_interfaces++] = message;
    bool failed = false;
    message->name = utf8_text(series->interfaces[i].name, &failed);
    message->qdisc = utf8_text(series->interfaces[i].qdisc, &failed);
    bool fine = !failed;
    for (size_t f = 0; fine && f < INTERFACE_FIELD_COUNT; f++)
        fine = put_column(&message->base, f, series, host_series_place(i) + f);
    return fine;
}

Tcpflowgen__HostSamples *host_samples_to_message(const struct host_series *series)
{
    Tcpflowgen__HostSamples *out = malloc(sizeof *out);
    if (!out)
        return NULL;
    tcpflowgen__host_samples__init(out);
    out->count = (uint32_t)series->count;
    out->seen = series->seen;
    out->stride = series->stride;
    out->interfaces = calloc(series->interface_count + 1, sizeof(*out->interfaces));
    bool fine = out->interfaces;
    for (size_t f = 0; fine && f < HOST_FIELD_COUNT; f++)
        fine = put_column(&out->base, f, series, f);
    for (size_t i = 0; fine && i < series->interface_count; i++)
        fine = add_interface(out, series, i);
    if (fine)
        return out;
    tcpflowgen__host_samples__free_unpacked(out, NULL);
    return NULL;
}

/* ---- from the message ---- */

static int bad(struct error *err, const char *what)
{
    return error_set(err, ERROR_INPUT, "host samples", "%s", what);
}

static bool lengths_fit(const ProtobufCMessage *message, size_t fields, size_t rows)
{
    for (size_t f = 0; f < fields; f++) {
        size_t count;
        memcpy(&count, (const char *)message + descriptor(message, f)->quantifier_offset,
               sizeof count);
        if (count != 0 && count != rows)
            return false;
    }
    return true;
}

static int check(const struct host_series *series, const Tcpflowgen__HostSamples *message,
                 struct error *err)
{
    size_t rows = message->count;
    if (rows > HOST_ROWS_MAX)
        return bad(err, "too many rows");
    if (message->n_interfaces > HOST_INTERFACES_MAX)
        return bad(err, "too many interfaces");
    if (series->seen && message->n_interfaces != series->interface_count)
        return bad(err, "the interfaces are others than before");
    if (message->n_t_ns != rows) /* other columns may be absent: rows would be for nothing */
        return bad(err, "the times are not as many as the rows");
    bool fit = lengths_fit(&message->base, HOST_FIELD_COUNT, rows);
    for (size_t i = 0; fit && i < message->n_interfaces; i++)
        fit = lengths_fit(&message->interfaces[i]->base, INTERFACE_FIELD_COUNT, rows);
    return fit ? 0 : bad(err, "a column is not as long as the others");
}

/* Adds row i's delta to the value. */
static void step(int64_t *value, const ProtobufCMessage *message, size_t field, size_t i)
{
    const ProtobufCFieldDescriptor *from = descriptor(message, field);
    const int64_t *deltas;
    size_t count;
    memcpy(&count, (const char *)message + from->quantifier_offset, sizeof count);
    memcpy(&deltas, (const char *)message + from->offset, sizeof deltas);
    if (count)
        *value = (int64_t)((uint64_t)*value + (uint64_t)deltas[i]);
}

static void take_interfaces(struct host_series *series, const Tcpflowgen__HostSamples *message)
{
    series->interface_count = message->n_interfaces;
    for (size_t i = 0; i < message->n_interfaces; i++) {
        struct host_interface *to = &series->interfaces[i];
        utf8_copy(to->name, sizeof to->name, message->interfaces[i]->name);
        utf8_copy(to->qdisc, sizeof to->qdisc, message->interfaces[i]->qdisc);
    }
}

int host_samples_from_message(struct host_series *series, const Tcpflowgen__HostSamples *message,
                              size_t limit, struct error *err)
{
    int failed = check(series, message, err);
    if (failed)
        return failed;
    take_interfaces(series, message);
    CLEANUP_FREE int64_t *row = calloc(host_series_width(series), sizeof *row);
    for (size_t i = 0; row && i < message->count; i++) {
        for (size_t f = 0; f < HOST_FIELD_COUNT; f++)
            step(&row[f], &message->base, f, i);
        for (size_t n = 0; n < series->interface_count; n++)
            for (size_t f = 0; f < INTERFACE_FIELD_COUNT; f++)
                step(&row[host_series_place(n) + f], &message->interfaces[n]->base, f, i);
        if (host_series_add(series, row, limit))
            return error_set(err, ERROR_SYSTEM, NULL, "out of memory for host samples");
    }
    return row ? 0 : error_set(err, ERROR_SYSTEM, NULL, "out of memory for host samples");
}
