#include "report/tuning_json.h"

static json_t *number(uint64_t value)
{
    return value ? json_integer((json_int_t)value) : json_null();
}

json_t *tuning_json(const struct tuning *tuning)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "send_rate_bps", number(tuning->send_rate),
                     "read_rate_bps", number(tuning->read_rate), "pacing_rate_bps",
                     number(tuning->pacing_rate), "send_buffer_bytes", number(tuning->send_buffer),
                     "receive_buffer_bytes", number(tuning->receive_buffer), "mss_bytes",
                     number(tuning->mss));
}
