/* Sockets as the data plane wants them: non-blocking, bound as told, closed without TIME_WAIT. */
#ifndef ENGINE_SOCKET_OPTIONS_H
#define ENGINE_SOCKET_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "model/flow.h"
#include "util/error.h"

struct socket_address {
    struct sockaddr_storage storage;
    socklen_t size;
};

/* A numeric address, IPv6 perhaps with its scope.  0, or ERROR_INPUT. */
int socket_address_parse(const char *text, uint16_t port, struct socket_address *out,
                         struct error *err);
/* Whether the hosts are the same; ports do not matter. */
bool socket_address_same_host(const struct socket_address *a, const struct socket_address *b);
/* An IPv4 address mapped into IPv6 is written as IPv4. */
void socket_address_format(const struct socket_address *address, char out[ADDRESS_MAX],
                           uint16_t *port);

/* A socket whose packets leave as the end is told: from local ("": any of the family), by device
 * ("": any).  The descriptor, or ERROR_SYSTEM with the cure. */
int socket_open(int family, const char *local, const char *device, struct error *err);
/* Likewise, listening on port (0: the kernel chooses), also for both families (AF_UNSPEC), with the
 * congestion control ("": default) that its handshakes need.  in_use tells whether another port may
 * do. */
int socket_listen(int family, const char *local, const char *device, const char *ccalg,
                  uint16_t port, bool *in_use, struct error *err);

/* 0, or -1 with errno. */
int socket_set_int(int fd, int level, int option, int value);
int socket_set_ccalg(int fd, const char *ccalg); /* "": left alone */

int socket_error(int fd); /* the pending errno; 0: none */

/* Closes with a reset, so that no TIME_WAIT stays and ports do not run out. */
void socket_reset(int fd);

#endif
