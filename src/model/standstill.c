#include "model/standstill.h"

#include "model/ns.h"

#define NS_PER_MS INT64_C(1000000)

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A moment that the kernel tells by how long ago it was, between two samples. */
static int64_t ago(int64_t t_ns, int64_t ms, int64_t least_ns)
{
    const wide_ns then_ns = t_ns - (wide_ns)ms * NS_PER_MS;
    return then_ns < least_ns ? least_ns : then_ns > t_ns ? t_ns : ns_clamp(then_ns);
}

/* ---- the source ---- */

static bool is_connected(int64_t state)
{
    return state == LINUX_TCP_ESTABLISHED || state == LINUX_TCP_FIN_WAIT1 ||
           state == LINUX_TCP_CLOSE_WAIT || state == LINUX_TCP_LAST_ACK ||
           state == LINUX_TCP_CLOSING;
}

struct source_row {
    int64_t t_ns;
    uint64_t acked;
    int64_t begin_ns; /* of a standstill that this row begins */
    bool moved;       /* since the row before; there may be none */
    bool owes;        /* data, and may send them */
    bool idle;        /* none are under way */
    bool under_way;   /* some are, and the window has room */
    bool shut;
};

static struct source_row read_row(const struct standstill_watch *watch, const struct series *rows,
                                  size_t i)
{
    const bool before = watch->sampled[END_SRC];
    const bool paced = (uint64_t)rows->field[TCP_max_pacing_rate][i] < UINT64_MAX &&
                       rows->field[TCP_max_pacing_rate][i] != 0;
    const bool connected = is_connected(rows->field[TCP_state][i]);
    const bool flies = connected && rows->field[TCP_unacked][i] > 0;
    const bool waits = connected && rows->field[TCP_notsent_bytes][i] > 0 && !paced;
    struct source_row row = {.t_ns = rows->t_ns[i],
                             .acked = (uint64_t)rows->field[TCP_bytes_acked][i],
                             .begin_ns = rows->t_ns[i]};
    row.shut = tcp_field_exists(rows->info_length, TCP_snd_wnd) &&
               rows->field[TCP_snd_wnd][i] < rows->field[TCP_snd_mss][i];
    row.owes = flies || waits;
    row.idle = connected && !flies;
    row.under_way = flies && !row.shut;
    row.moved = !before || row.acked != watch->bytes[END_SRC];
    if (before && row.moved)
        row.begin_ns = ago(row.t_ns, rows->field[TCP_last_ack_recv][i], watch->t_ns[END_SRC]);
    return row;
}

static int64_t length_of(const struct source_span *span)
{
    return ns_clamp((wide_ns)span->to_ns - span->from_ns);
}

/* The last span is over: it is kept if it is among the longest. */
static void close_span(struct span_list *list)
{
    size_t least = 0;
    if (!list->open || list->last.to_ns <= list->last.from_ns)
        return;
    for (size_t i = 1; i < list->count; i++)
        if (length_of(&list->spans[i]) < length_of(&list->spans[least]))
            least = i;
    if (list->count < STANDSTILL_SPANS)
        list->spans[list->count++] = list->last;
    else if (length_of(&list->last) > length_of(&list->spans[least]))
        list->spans[least] = list->last;
}

/* Nothing arrived in this part of it. */
static void take_part(struct source_span *span, int64_t from_ns, int64_t to_ns)
{
    const int64_t ns = ns_clamp((wide_ns)to_ns - from_ns);
    if (ns > span->best_ns) {
        span->best_ns = ns;
        span->best_from_ns = from_ns;
    }
}

static void add_row(struct span_list *list, const struct source_row *row, bool owes)
{
    struct source_span *last = &list->last;
    if (list->open && owes && !row->moved) {
        last->to_ns = row->t_ns;
        last->shut = row->shut;
        if (row->idle && last->idle)
            take_part(last, last->idle_since_ns, row->t_ns);
        else
            last->idle_since_ns = row->t_ns;
        last->idle = row->idle;
        return;
    }
    close_span(list);
    list->open = owes;
    *last = (struct source_span){.from_ns = row->begin_ns,
                                 .to_ns = row->begin_ns,
                                 .idle = row->idle,
                                 .idle_since_ns = row->t_ns,
                                 .since_ns = row->begin_ns};
}

static void note(struct standstill_watch *watch, enum flow_end end, int64_t t_ns, uint64_t bytes)
{
    watch->sampled[end] = true;
    watch->t_ns[end] = t_ns;
    watch->bytes[end] = bytes;
}

void standstill_add_source(struct standstill_watch *watch, const struct series *rows)
{
    if (!tcp_field_exists(rows->info_length, TCP_notsent_bytes))
        return;
    for (size_t i = 0; i < rows->count; i++) {
        const struct source_row row = read_row(watch, rows, i);
        add_row(&watch->all, &row, row.owes);
        add_row(&watch->under_way, &row, row.under_way);
        note(watch, END_SRC, row.t_ns, row.acked);
    }
}

/* ---- the sink ---- */

/* Nothing arrived in the span from its last arrival to then. */
static void end_part(struct source_span *span, int64_t then_ns)
{
    take_part(span, span->since_ns, sooner(then_ns, span->to_ns));
}

/* Something arrived between the two moments, the last then. */
static void cut(struct span_list *list, int64_t before_ns, int64_t last_ns)
{
    for (size_t i = 0; i < list->count; i++) {
        end_part(&list->spans[i], before_ns);
        list->spans[i].since_ns = later(list->spans[i].since_ns, last_ns);
    }
}

static void close_spans(struct span_list *list)
{
    close_span(list);
    list->open = false;
}

void standstill_add_sink(struct standstill_watch *watch, const struct series *rows)
{
    close_spans(&watch->all);
    close_spans(&watch->under_way);
    for (size_t i = 0; i < rows->count; i++) {
        const bool first = !watch->sampled[END_DST];
        const uint64_t received = (uint64_t)rows->field[TCP_bytes_received][i];
        const int64_t before_ns = first ? INT64_MIN : watch->t_ns[END_DST];
        const int64_t last_ns = ago(rows->t_ns[i], rows->field[TCP_last_data_recv][i], before_ns);
        if (first ? received > TOKEN_SIZE : received != watch->bytes[END_DST]) {
            cut(&watch->all, before_ns, last_ns);
            cut(&watch->under_way, before_ns, last_ns);
        }
        note(watch, END_DST, rows->t_ns[i], received);
    }
}

/* ---- both ---- */

struct standstill standstill_longest(struct standstill_watch *watch, bool reads_by_rate,
                                     int64_t all_ns)
{
    struct span_list *list = reads_by_rate ? &watch->under_way : &watch->all;
    struct standstill longest = {0};
    close_spans(list);
    for (size_t i = 0; i < list->count; i++) {
        struct source_span *span = &list->spans[i];
        end_part(span, all_ns);
        if (span->best_ns > longest.ns)
            longest = (struct standstill){span->best_from_ns, span->best_ns, span->shut};
    }
    return longest;
}
