/* The proof that an agent of the run listens somewhere.  Before an end connects to a port for the
 * first time, its agent asks there, on a connection of its own, and resets that once it has the
 * answer.  Who does not know the run's key cannot give it, so that nobody else gets traffic:
 *
 *   question   8  F5 "tfgask" 01: of no text, TLS or HTTP; no agent sends anything else to a
 *                 stranger
 *             24  random bytes of the agent that asks
 *   answer    32  HMAC-SHA256 under the run's key of the question, "answer", and the port that the
 *                 listener has (2 bytes, big-endian)
 *
 * No thread, no I/O. */
#ifndef ENGINE_PROOF_H
#define ENGINE_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "util/hmac.h"

#define PROOF_SIZE       32 /* of a question, and of an answer */
#define PROOF_MAGIC_SIZE 8  /* a question's first bytes */

void proof_ask(uint8_t question[PROOF_SIZE]);
/* Whether what begins like this is a question; PROOF_MAGIC_SIZE bytes. */
bool proof_is_asked(const uint8_t *first);
/* False: the library failed. */
bool proof_answer(struct hmac *key, const uint8_t question[PROOF_SIZE], uint16_t port,
                  uint8_t answer[PROOF_SIZE]);
/* Whether it is the answer. */
bool proof_holds(struct hmac *key, const uint8_t question[PROOF_SIZE], uint16_t port,
                 const uint8_t answer[PROOF_SIZE]);

#endif
