/* Writes one interface's packets as a pcapng file, which Wireshark and tcpdump read
 * (draft-ietf-opsawg-pcapng).  The file appears under its name when it is whole: until then it is
 * NAME.tmp.  It is made in an open directory, whatever becomes of that one's path meanwhile. */
#ifndef FORMAT_PCAPNG_H
#define FORMAT_PCAPNG_H

#include <stdint.h>

#include "util/error.h"

struct pcapng; /* opaque */

struct pcapng_about {
    const char *comment;     /* of the whole file */
    const char *application; /* that wrote it */
    const char *interface;   /* its name */
    uint32_t link_type;      /* LINKTYPE_... */
    uint32_t snap_length;    /* bytes of a packet that are kept at most */
};

/* directory: a descriptor, which stays open until the file is closed; name: in it, without "/".
 * Texts over 65535 bytes are cut.  0, or ERROR_SYSTEM. */
int pcapng_open(struct pcapng **out, int directory, const char *name,
                const struct pcapng_about *about, struct error *err);
/* unix_ns: when it was seen, since 1970; captured <= length. */
int pcapng_packet(struct pcapng *file, int64_t unix_ns, uint32_t length, uint32_t captured,
                  const uint8_t *bytes, struct error *err);
/* Writes the interface's counts, renames, frees in every case; removes NAME.tmp on failure. */
int pcapng_close(struct pcapng *file, uint64_t dropped, struct error *err);
void pcapng_abort(struct pcapng *file); /* removes NAME.tmp; NULL is fine */

#endif
