#include "report/problems_json.h"

#include "format/json_print.h"
#include "format/utf8.h"

/* An agent, or a file, may have worded it. */
static json_t *text(const char *from)
{
    char copy[sizeof(struct error)];
    utf8_copy(copy, sizeof copy, from);
    return json_string(copy);
}

static json_t *text_or_null(const char *from)
{
    return from[0] ? text(from) : json_null();
}

int problems_json(const char *error, const struct error_list *problems, FILE *out,
                  struct error *err)
{
    json_t *list = json_array();
    for (size_t i = 0; i < problems->count; i++) {
        const struct error *problem = &problems->items[i];
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o}", "where", text_or_null(problem->where), "what",
                            text(problem->what), "cure", text_or_null(problem->cure)));
    }
    return json_print(json_pack("{s:o, s:o}", "error", text_or_null(error), "problems", list),
                      JSON_INDENT(2), out, err);
}
