/* CPU time of processes and of the machine, and what softirq could not do in time.  Any thread. */
#ifndef HOST_CPU_H
#define HOST_CPU_H

#include <stdint.h>
#include <sys/types.h>

/* CPU time of the process, all its threads, ns; -1: there is no such process. */
int64_t cpu_of_process(pid_t pid);

/* /proc/stat and /proc/net/softnet_stat, held open. */
struct cpu_reader {
    int stat_fd, softnet_fd; /* -1: this machine has none */
};

/* Times since boot, all CPUs together, ns; all -1: not known. */
struct cpu_times {
    int64_t user_ns, system_ns, irq_ns, softirq_ns, idle_ns, steal_ns;
};

/* Sums over all CPUs since boot; -1: not known. */
struct softnet_counters {
    int64_t dropped, squeezed;
};

void cpu_reader_open(struct cpu_reader *reader);
void cpu_reader_close(struct cpu_reader *reader);
void cpu_read_times(const struct cpu_reader *reader, struct cpu_times *out);
void cpu_read_softnet(const struct cpu_reader *reader, struct softnet_counters *out);

#endif
