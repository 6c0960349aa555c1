/* The part file that a master kept beside a result of a run that lost an agent. */
#ifndef RECOVER_KEPT_PART_H
#define RECOVER_KEPT_PART_H

/* The path of the part file that stands for the result at `path`, of a run in it, to be freed.
 * NULL: it is no result, or no part file of its runs lies beside it. */
char *kept_part_of(const char *path);

#endif
