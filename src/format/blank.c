#include "format/blank.h"

#include <string.h>

#include "util/cleanup.h"

#define NARROW "a blank of another width"
#define HIDDEN "a character that cannot be seen"

struct blank blank_at(const char *text, size_t size)
{
    static const struct {
        const char *bytes;
        unsigned first, last;
        const char *name;
    } kinds[] = {
        {"\v", 0x0b, 0x0b, "a vertical tab"},
        {"\f", 0x0c, 0x0c, "a form feed"},
        {"\xc2", 0x85, 0x85, "a line end of another kind"},
        {"\xc2", 0xa0, 0xa0, "a no-break blank"},
        {"\xe2\x80", 0x2000, 0x200a, NARROW},
        {"\xe2\x80", 0x200b, 0x200f, HIDDEN},
        {"\xe2\x80", 0x2028, 0x2029, "a line end of another kind"},
        {"\xe2\x80", 0x202f, 0x202f, "a no-break blank"},
        {"\xe2\x81", 0x205f, 0x205f, NARROW},
        {"\xe2\x81", 0x2060, 0x2060, HIDDEN},
        {"\xe3\x80", 0x3000, 0x3000, NARROW},
        {"\xef\xbb", 0xfeff, 0xfeff, HIDDEN},
    };
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        const size_t lead = kinds[i].first < 0x80 ? 0 : strlen(kinds[i].bytes);
        if (size <= lead || memcmp(text, kinds[i].bytes, lead) != 0)
            continue;
        /* The last byte has the code's last six bits, or is the character. */
        const unsigned last = (unsigned char)text[lead];
        const unsigned code = lead ? (kinds[i].first & ~0x3fU) | (last & 0x3fU) : last;
        if ((lead == 0 || (last & 0xc0) == 0x80) && code >= kinds[i].first && code <= kinds[i].last)
            return (struct blank){lead + 1, code, kinds[i].name};
    }
    return (struct blank){0};
}

const char *blank_find(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (blank_at(text + i, size - i).size)
            return text + i;
    return NULL;
}
