/* Samples a worker's ends on the ticks of the axis, from each flow's start until the end is over.
 *
 * The ends stand in a row, the one whose next tick is oldest first; a sampled end goes to the back.
 * So a sweep can be cut in slices anywhere, and when there are more samples to take than time to
 * take them, all ends miss ticks alike.  Every tick of an end is either taken or missed. */
#ifndef ENGINE_SAMPLER_H
#define ENGINE_SAMPLER_H

#include <stdint.h>

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

#endif
