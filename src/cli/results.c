#include "cli/results.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/summary.h"
#include "util/cleanup.h"

#define TABLE_FLOWS 40

bool results_to_stdout(const char *output)
{
    return strcmp(output, "-") == 0;
}

/* How to see the whole table. */
static char *tell_how(const char *const *files, size_t count, bool kept)
{
    char *how = NULL;
    int size;
    if (kept)
        size =
            asprintf(&how, "tcp-flowgen summary %s%s has all", files[0], count > 1 ? " ..." : "");
    else
        size = asprintf(&how, "--output FILE keeps the results, then tcp-flowgen summary has all");
    return size < 0 ? NULL : how;
}

int results_summary(const char *const *files, size_t count, bool kept, bool json, struct error *err)
{
    CLEANUP_FREE char *how = tell_how(files, count, kept);
    struct summary summary = {0};
    int failed = summary_load(&summary, files, count, -1, err);
    if (failed) {
        if (!err->where[0])
            error_where(err, "%s", files[0]);
        return failed;
    }
    for (size_t r = 0; r < summary.run_count && !kept; r++) {
        free(summary.runs[r].file);
        summary.runs[r].file = NULL;
    }
    if (!json)
        summary_text(&summary, stdout, TABLE_FLOWS, how ? how : "");
    else
        failed = summary_json(&summary, stdout, err);
    summary_fini(&summary);
    return failed;
}

void results_counts(uint64_t complete, uint64_t partial, uint64_t failed)
{
    fprintf(stderr, "flows: %" PRIu64 " complete, %" PRIu64 " partial, %" PRIu64 " failed\n",
            complete, partial, failed);
}
