#include "probe/thread_priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE (-10)

void thread_priority_raise(void)
{
    const struct sched_param lowest = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest))
        setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
}
