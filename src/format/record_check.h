/* Whether a record is sound: all that those ask of it who read it later. */
#ifndef FORMAT_RECORD_CHECK_H
#define FORMAT_RECORD_CHECK_H

#include <stddef.h>

#include "format/spool_record.h"
#include "util/error.h"

/* Looks at the whole record, and tells what it is about: as spool_record_head(), and of
 * SPOOL_PACKETS the number of packets as rows.  0: every decoder will take it, and it is not larger
 * than its rows may be.  Else ERROR_INPUT with what is wrong, or ERROR_SYSTEM: no memory. */
int record_check(const void *data, size_t size, struct spool_head *head, struct error *err);

#endif
