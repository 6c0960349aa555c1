/* A column of the message is a pair of members, `size_t n_NAME; int64_t *NAME`: the descriptor says
 * where, so that no list of seventy fields is spelled out a second time.  The message numbers its
 * columns in the order of enum tcp_field; a unit test holds the names against each other. */
#include "format/columns.h"

#include <stdlib.h>
#include <string.h>

#include "format/wire.h"

#define FIRST_FIELD   20 /* number of the first kernel field in the message */
#define FIRST_CC_WORD 100
#define TICK_FIELD    4
#define T_NS_FIELD    5
#define TIME_MAX      (UINT64_C(1) << 62) /* ns; of ticks, too: times of results end before */
#define FIELD_WORDS   ((FIRST_CC_WORD + TCP_CC_WORDS) / 64 + 1)
#define FIELDS_MAX    1024 /* a message of more fields is not one of packed columns */

bool columns_in_seed_row(enum tcp_field field)
{
    static const enum tcp_field seed[] = {
        TCP_state,          TCP_ca_state, TCP_rtt,  TCP_rttvar,  TCP_bytes_acked,
        TCP_bytes_received, TCP_unacked,  TCP_lost, TCP_retrans, TCP_reordering,
    };
    for (size_t i = 0; i < sizeof seed / sizeof *seed; i++)
        if (seed[i] == field)
            return true;
    return false;
}

/* ---- the message's members ---- */

/* Every column of a series in the order of the message: kernel fields, then words of TCP_CC_INFO.
 */
#define COLUMN_COUNT (TCP_FIELD_COUNT + TCP_CC_WORDS)

static const ProtobufCFieldDescriptor *descriptor(size_t index)
{
    size_t number =
        index < TCP_FIELD_COUNT ? FIRST_FIELD + index : FIRST_CC_WORD + index - TCP_FIELD_COUNT;
    return protobuf_c_message_descriptor_get_field(&tcpflowgen__columns__descriptor,
                                                   (unsigned)number);
}

static void set_column(Tcpflowgen__Columns *message, size_t index, int64_t *values, size_t count)
{
    const ProtobufCFieldDescriptor *field = descriptor(index);
    memcpy((char *)message + field->quantifier_offset, &count, sizeof count);
    memcpy((char *)message + field->offset, &values, sizeof values);
}

static const int64_t *get_column(const Tcpflowgen__Columns *message, size_t index, size_t *count)
{
    const ProtobufCFieldDescriptor *field = descriptor(index);
    const int64_t *values;
    memcpy(count, (const char *)message + field->quantifier_offset, sizeof *count);
    memcpy(&values, (const char *)message + field->offset, sizeof values);
    return values;
}

/* ---- encoding ---- */

/* In place; unsigned arithmetic wraps where counters are full 64-bit numbers. */
static void to_deltas(int64_t *values, size_t count)
{
    for (size_t i = count; i-- > 1;)
        values[i] = (int64_t)((uint64_t)values[i] - (uint64_t)values[i - 1]);
}

static bool all_zero(const int64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i])
            return false;
    return true;
}

static int columns_init(struct columns *out, size_t count)
{
    tcpflowgen__columns__init(&out->message);
    out->message.count = (uint32_t)count;
    out->memory = malloc((COLUMN_COUNT + 2) * count * sizeof *out->memory);
    return out->memory ? 0 : -1;
}

/* Takes the column's values, already in place at `values`, into the message unless they are all
 * zero. */
static void finish_column(struct columns *out, size_t index, int64_t *values, size_t count)
{
    if (all_zero(values, count))
        return;
    to_deltas(values, count);
    set_column(&out->message, index, values, count);
}

int columns_from_samples(struct columns *out, const struct sample *const *rows, size_t count)
{
    if (columns_init(out, count))
        return -1;
    out->message.info_length = rows[0]->info_length;
    out->message.cc_length = rows[0]->cc_length;
    int64_t *values = out->memory;
    for (size_t f = 0; f < COLUMN_COUNT; f++, values += count) {
        for (size_t i = 0; i < count; i++)
            values[i] = f < TCP_FIELD_COUNT
                            ? tcp_field_get(rows[i]->info, rows[i]->info_length, (enum tcp_field)f)
                            : rows[i]->cc[f - TCP_FIELD_COUNT];
        finish_column(out, f, values, count);
    }
    for (size_t i = 0; i < count; i++) {
        values[i] = rows[i]->tick;
        values[count + i] = rows[i]->t_ns;
    }
    to_deltas(values, count);
    to_deltas(values + count, count);
    out->message.n_tick = out->message.n_t_ns = count;
    out->message.tick = values;
    out->message.t_ns = values + count;
    return 0;
}

int columns_from_series(struct columns *out, const struct series *series, size_t first,
                        size_t count)
{
    if (columns_init(out, count))
        return -1;
    out->message.info_length = series->info_length;
    out->message.cc_length = series->cc_length;
    int64_t *values = out->memory;
    for (size_t f = 0; f < COLUMN_COUNT; f++) {
        if (f < TCP_FIELD_COUNT && columns_in_seed_row((enum tcp_field)f))
            continue;
        const int64_t *from =
            f < TCP_FIELD_COUNT ? series->field[f] : series->cc[f - TCP_FIELD_COUNT];
        memcpy(values, from + first, count * sizeof *values);
        finish_column(out, f, values, count);
        values += count;
    }
    memcpy(values, series->tick + first, count * sizeof *values);
    to_deltas(values, count);
    out->message.n_tick = count;
    out->message.tick = values;
    return 0;
}

void columns_fini(struct columns *columns)
{
    free(columns->memory);
    columns->memory = NULL;
}

/* ---- decoding ---- */

static int bad(struct error *err, const char *what)
{
    return error_set(err, ERROR_INPUT, "samples", "%s", what);
}

/* protobuf-c needs memory by the field, most of all for those that it does not know: columns are
 * packed, so that there are few. */
int columns_unpack(Tcpflowgen__Columns **out, const void *data, size_t size, struct error *err)
{
    struct wire wire = {.at = data, .left = size};
    struct wire_field field;
    size_t fields = 0;
    int got;
    while ((got = wire_next(&wire, &field)) > 0)
        if (++fields > FIELDS_MAX)
            return bad(err, "too many fields");
    *out = got < 0 ? NULL : tcpflowgen__columns__unpack(NULL, size, data);
    return *out ? 0 : bad(err, "not a message of columns");
}

/* What the walk over a message has seen. */
struct walk {
    uint32_t rows;
    unsigned columns;           /* 1: tick, 2: t_ns */
    uint64_t seen[FIELD_WORDS]; /* bits, by number */
};

static bool is_first_time(struct walk *walk, uint32_t number)
{
    uint64_t *word = &walk->seen[number / 64], bit = UINT64_C(1) << number % 64;
    const bool first = !(*word & bit);
    *word |= bit;
    return first;
}

static bool is_column(uint32_t number)
{
    return number == TICK_FIELD || number == T_NS_FIELD ||
           (number >= FIRST_FIELD && number < FIRST_FIELD + TCP_FIELD_COUNT) ||
           (number >= FIRST_CC_WORD && number < FIRST_CC_WORD + TCP_CC_WORDS);
}

/* The greatest value that a column's field in the kernel's struct can have. */
static uint64_t value_max(uint32_t number)
{
    if (number < FIRST_FIELD)
        return TIME_MAX;
    if (number >= FIRST_CC_WORD)
        return UINT32_MAX;
    const struct tcp_field_info *field = tcp_field_info((enum tcp_field)(number - FIRST_FIELD));
    const unsigned bits = field->bits ? field->bits : 8u * field->bytes;
    return bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
}

/* What is wrong with a column; NULL: nothing. */
static const char *column_fault(const struct wire_field *column, uint32_t rows)
{
    struct wire packed = {.at = column->data, .left = (size_t)column->value};
    const uint64_t most = value_max(column->number);
    uint64_t value = column->number == TICK_FIELD; /* which may be -1 */
    int64_t delta;
    uint32_t count = 0;
    int got;
    while ((got = wire_next_sint64(&packed, &delta)) > 0 && count <= rows) {
        value += (uint64_t)delta;
        if (value > most)
            return "a value that no sample has";
        count++;
    }
    return got == 0 && count == rows ? NULL : "a column is not as long as the others";
}

/* What is wrong with a field; NULL: nothing. */
static const char *field_fault(struct walk *walk, const struct wire_field *field)
{
    static const uint64_t most[] = {[1] = COLUMNS_ROWS_MAX, [2] = UINT16_MAX, [3] = UINT8_MAX};
    const uint32_t number = field->number;
    if (number > 3 && !is_column(number))
        return NULL;
    if (field->type != (number > 3 ? WIRE_BYTES : WIRE_VARINT) || !is_first_time(walk, number))
        return "not a message of columns";
    if (number <= 3 && field->value > most[number])
        return number == 1 ? "too many rows" : "a length that no kernel returns";
    if (number == 1)
        walk->rows = (uint32_t)field->value;
    walk->columns |= (number == TICK_FIELD ? 1u : 0u) | (number == T_NS_FIELD ? 2u : 0u);
    return number > 3 ? column_fault(field, walk->rows) : NULL;
}

int columns_check(const void *data, size_t size, uint32_t *rows, struct error *err)
{
    struct wire wire = {.at = data, .left = size};
    struct wire_field field;
    struct walk walk = {0};
    size_t fields = 0;
    int got;
    while ((got = wire_next(&wire, &field)) > 0) {
        const char *fault = ++fields > FIELDS_MAX ? "too many fields" : field_fault(&walk, &field);
        if (fault)
            return bad(err, fault);
    }
    if (got < 0)
        return bad(err, "not a message of columns");
    if (walk.rows && walk.columns != 3)
        return bad(err, "the ticks or the times are not as many as the rows");
    *rows = walk.rows;
    return 0;
}

static void from_deltas(int64_t *to, const int64_t *from, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value += (uint64_t)from[i];
        to[i] = (int64_t)value;
    }
}

static int check(const Tcpflowgen__Columns *message, struct error *err)
{
    if (message->count > COLUMNS_ROWS_MAX)
        return bad(err, "too many rows");
    if (message->info_length > UINT16_MAX || message->cc_length > UINT8_MAX)
        return bad(err, "a length that no kernel returns");
    if (message->n_tick != message->count)
        return bad(err, "the ticks are not as many as the rows");
    for (size_t f = 0; f < COLUMN_COUNT; f++) {
        size_t count;
        get_column(message, f, &count);
        if (count != 0 && count != message->count)
            return bad(err, "a column is not as long as the others");
    }
    return 0;
}

static void fill(int64_t *to, const int64_t *from, size_t have, size_t count)
{
    if (have)
        from_deltas(to, from, count);
    else
        memset(to, 0, count * sizeof *to);
}

int columns_fill_series(const Tcpflowgen__Columns *message, struct series *series, size_t first,
                        struct error *err)
{
    int failed = check(message, err);
    if (failed)
        return failed;
    size_t rows = message->count, have;
    if (rows == 0) /* there may be no columns to add to */
        return 0;
    from_deltas(series->tick + first, message->tick, rows);
    for (size_t f = 0; f < COLUMN_COUNT; f++) {
        if (f < TCP_FIELD_COUNT && columns_in_seed_row((enum tcp_field)f))
            continue;
        const int64_t *from = get_column(message, f, &have);
        int64_t *to = f < TCP_FIELD_COUNT ? series->field[f] : series->cc[f - TCP_FIELD_COUNT];
        fill(to + first, from, have, rows);
    }
    series->info_length = (uint16_t)message->info_length;
    series->cc_length = (uint8_t)message->cc_length;
    return 0;
}

int columns_to_series(const Tcpflowgen__Columns *message, struct series *series, struct error *err)
{
    size_t first = series->count, rows = message->count, have;
    if (message->n_t_ns != rows)
        return bad(err, "the times are not as many as the rows");
    if (rows > COLUMNS_ROWS_MAX)
        return bad(err, "too many rows");
    if (series_reserve(series, first + rows))
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory for samples");
    int failed = columns_fill_series(message, series, first, err);
    if (failed || rows == 0)
        return failed;
    from_deltas(series->t_ns + first, message->t_ns, rows);
    for (size_t f = 0; f < TCP_FIELD_COUNT; f++) {
        if (!columns_in_seed_row((enum tcp_field)f))
            continue;
        const int64_t *from = get_column(message, f, &have);
        fill(series->field[f] + first, from, have, rows);
    }
    series->count += rows;
    return 0;
}
