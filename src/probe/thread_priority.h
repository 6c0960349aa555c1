/* The priority of the threads that exchange clocks. */
#ifndef PROBE_THREAD_PRIORITY_H
#define PROBE_THREAD_PRIORITY_H

/* Lets the calling thread run before ordinary ones, as far as this process is permitted to: such a
 * thread must spend most of its time asleep. */
void thread_priority_raise(void);

#endif
