/* Texts that others wrote (agents, files, users), made fit to be shown: one line of valid UTF-8 of
 * which no character acts on a terminal, or on the order of the text around it.  Whatever goes to a
 * terminal or to the log passes here.
 *
 * No function here is bound to a thread; a text belongs to its caller. */
#ifndef UTIL_TEXT_H
#define UTIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Reads the character at text, of which there are size bytes: its length and *code, or 0 where no
 * valid one is (RFC 3629). */
size_t text_character(const char *text, size_t size, uint32_t *code);

/* C0, DEL and C1. */
bool text_is_control(uint32_t code);

/* A control character, a line's or paragraph's end, or one that turns the direction of text. */
bool text_acts(uint32_t code);

/* In place: a blank for a tabulator and a line's end, '?' for all else that acts, and for each byte
 * that is no part of a character.  A character that was cut at the end goes. */
void text_tame(char *text);

/* Writes what text_tame() would make of the first size bytes, none of which is 0. */
void text_print(FILE *out, const char *text, size_t size);

#endif
