/* Samples a worker's ends on the ticks of the axis, from each flow's start until the end is over.
 *
 * The ends stand in a row, the one whose next tick is oldest first; a sampled end goes to the back.
 * So a sweep can be cut in slices anywhere, and when there are more samples to take than time to
 * take them, all ends miss ticks alike.  Every tick of an end is either taken or missed. */
#ifndef ENGINE_SAMPLER_H
#define ENGINE_SAMPLER_H

#include <stdint.h>

#include "model/sample.h"

struct end;
struct worker;

/* The end's ticks are counted from now on: those at or after its start, and its connection. */
void sampler_add(struct end *end);
/* Takes the sample of the tick that is due, if it was not taken yet. */
void sampler_visit(struct end *end, int64_t now_ns);
/* The end is over: accounts for the ticks up to now. */
void sampler_remove(struct end *end, int64_t now_ns);
/* Takes what is due, for at most 100 us.  Returns when it is due again. */
int64_t sampler_slice(struct worker *worker, int64_t now_ns);

/* Reads TCP_INFO and TCP_CC_INFO of a socket that the calling thread owns (from another it would
 * wait for the socket's lock, for milliseconds while data moves).  t_ns is at most 100 us later
 * than TCP_INFO's values, unless the thread was held up three times in a row. */
void sample_read(int fd, struct sample *sample);
/* TCP_INFO alone, once.  Returns how long it took: the values are of some moment in that time
 * before t_ns. */
int64_t sample_read_info(int fd, struct sample *sample);

#endif
