/* What an agent knows of the addresses that it is asked to test with. */
#ifndef ENGINE_HOSTS_H
#define ENGINE_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/socket_options.h"
#include "model/flow.h"
#include "util/error.h"

struct host_address {
    char address[ADDRESS_MAX];  /* numeric, to connect to; without a scope, which is each host's own
                                 */
    char bind[ADDRESS_MAX];     /* numeric, to bind to; "" : any */
    char interface[DEVICE_MAX]; /* that owns bind; "" for any */
};

#define HOST_ADDRESSES_MAX 16

struct addrinfo;
/* What a name or address resolves to, for freeaddrinfo(): NULL, or why it does not. */
typedef const char *host_finder(void *arg, const char *host, struct addrinfo **out);

/* Resolves `host` by find(arg, ...) (name or address; all addresses, the resolver's order, no
 * duplicates) and keeps those that an end here can use.  bind "": host itself must be an address of
 * this machine (all of 127.0.0.0/8 is); "any": no binding; else a numeric address of this machine,
 * of the same family. Returns how many, or ERROR_AGENT with the cure (the 1:1 NAT case names
 * "bind": "any").  device "" or an interface that must exist. */
int host_resolve(const char *host, const char *bind, const char *device, host_finder *find,
                 void *arg, struct host_address out[HOST_ADDRESSES_MAX], struct error *err);

/* Whether packets from local to peer leave by the interface that owns local (or by `device`, if
 * given), or stay on this machine.  local "" (any): no check.  out_device gets the interface's
 * name. 0, or ERROR_AGENT naming both interfaces and the cure.  Asks the kernel (RTM_GETROUTE). */
int route_check(const char *local, const char *peer, const char *device,
                char out_device[DEVICE_MAX], struct error *err);

/* The peer's link-local address gets, unless it has one, the scope of the interface by which this
 * machine reaches it: `device`, else that of local or its owner.  Where route_check() finds no
 * fault there is one. */
void host_scope_peer(struct socket_address *peer, const char *local, const char *device);

#endif
