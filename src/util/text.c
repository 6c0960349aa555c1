#include "util/text.h"

#include <string.h>

#define CHARACTER_MAX 4 /* bytes */

static size_t length_by(uint8_t lead)
{
    return lead < 0x80   ? 1
           : lead < 0xc2 ? 0
           : lead < 0xe0 ? 2
           : lead < 0xf0 ? 3
           : lead < 0xf5 ? 4
                         : 0;
}

/* Neither longer than need be, nor half of a pair of UTF-16, nor beyond the last. */
static bool is_sound(uint32_t code, size_t length)
{
    static const uint32_t least[CHARACTER_MAX + 1] = {0, 0, 0x80, 0x800, 0x10000};
    return code >= least[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

size_t text_character(const char *text, size_t size, uint32_t *code)
{
    const uint8_t *at = (const uint8_t *)text;
    const size_t length = size ? length_by(*at) : 0;
    if (!length || length > size)
        return 0;
    *code = length == 1 ? *at : *at & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (at[i] & 0x3f);
    }
    return is_sound(*code, length) ? length : 0;
}

bool text_is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

/* https://www.unicode.org/reports/tr9/: embeddings, overrides, isolates and marks. */
static bool turns(uint32_t code)
{
    return code == 0x61c || code == 0x200e || code == 0x200f ||
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

bool text_acts(uint32_t code)
{
    return text_is_control(code) || code == 0x2028 || code == 0x2029 || turns(code);
}

/* Whether all that is left is the begin of a character. */
static bool is_cut(const char *text, size_t size)
{
    if (size >= length_by((uint8_t)*text))
        return false;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xc0) != 0x80)
            return false;
    return true;
}

/* The next character as it is to be shown: 1 to CHARACTER_MAX bytes at *shown.  How many were read
 * of text; 0: the rest goes. */
static size_t next(const char *text, size_t size, const char **shown, size_t *shown_size)
{
    uint32_t code;
    const size_t length = text_character(text, size, &code);
    *shown = length && !text_acts(code) ? text : *text == '\n' || *text == '\t' ? " " : "?";
    *shown_size = *shown == text ? length : 1;
    if (!length && is_cut(text, size))
        return 0;
    return length ? length : 1;
}

void text_tame(char *text)
{
    const char *shown;
    char *to = text;
    size_t shown_size, took;
    for (size_t left = strlen(text); left && (took = next(text, left, &shown, &shown_size));) {
        memmove(to, shown, shown_size); /* never longer than what it stands for */
        to += shown_size;
        text += took;
        left -= took;
    }
    *to = '\0';
}

void text_print(FILE *out, const char *text, size_t size)
{
    const char *shown;
    size_t shown_size, took;
    for (; size && (took = next(text, size, &shown, &shown_size)); text += took, size -= took)
        fwrite(shown, 1, shown_size, out);
}
