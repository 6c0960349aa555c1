/* net.ipv4.tcp_ecn around connect(): ECN for one flow by a setting of all.  Private to ECN. */
#ifndef ENGINE_ECN_SYSCTL_H
#define ENGINE_ECN_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "util/error.h"

struct ecn_sysctl {   /* one a thread */
    int sysctl;       /* of the network namespace of the thread that opened it */
    int write_error;  /* errno why sysctl is open for reading only; 0: writable */
    int lock;         /* one open file description each, so threads exclude each other, too */
    uint64_t cookie;  /* of the network namespace, never used again; 0: this kernel has none */
    char journal[64]; /* a path; "": none, then a crash is not repaired */
};

/* To be closed even on failure. */
int ecn_sysctl_open(struct ecn_sysctl *ecn, struct error *err);
void ecn_sysctl_close(struct ecn_sysctl *ecn);

/* The mode (0 to 9) that makes SYNs ask for ECN (want) or not, and accepts as `mode` does. */
int ecn_sysctl_mode_for(int mode, bool want);
/* The host's own mode, which is not what stands there while somebody connects; or -1 with errno. */
int ecn_sysctl_settled(const struct ecn_sysctl *ecn);

/* connect() with the SYN asking for ECN or not.  Returns what connect() does, errno set. */
int ecn_sysctl_connect(const struct ecn_sysctl *ecn, int fd, const struct sockaddr *peer,
                       socklen_t size, bool want);

/* Puts back what a killed process left, if nobody has set another mode since.  1 if there was
 * something, told in text (may be NULL, with size 0); 0 if not; -1 with errno if it cannot be known
 * (EBUSY) or done. */
int ecn_sysctl_repair(const struct ecn_sysctl *ecn, char *text, size_t size);

#endif
