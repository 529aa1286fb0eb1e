/* repl_position.h - a place in a source's replication history.
 *
 * Pure. A history is named by a replication id; offsets count the bytes of its
 * command stream. After `+FULLRESYNC id N` the next byte is N + 1; `PSYNC id next`
 * asks for it, `REPLCONF ACK next - 1` says that all before it has been kept.
 * Asking with N instead re-sends one byte, N + 2 is refused: so positions are kept
 * as `next` everywhere and converted in psync.c only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/str.h"

enum { REPL_ID_LEN = 40 };
enum { REPL_POSITION_TEXT_MAX = REPL_ID_LEN + 1 + 20 + 1 }; /* with the NUL */

struct repl_position {
    char replid[REPL_ID_LEN + 1]; /* lower-case hex and a NUL; "" = no position */
    uint64_t next;                /* first byte we do not have; at most INT64_MAX */
};

static inline bool repl_position_known(const struct repl_position *p) {
    return p->replid[0] != '\0';
}

/* Forty hex digits of any case, kept in lower case. False: it is none. */
MUST_CHECK bool repl_position_set_id(struct repl_position *p, struct str replid);

/* "replid:next". False (nothing written) when it is none. */
MUST_CHECK bool repl_position_parse(struct str text, struct repl_position *ret);
size_t repl_position_format(const struct repl_position *p, char dst[REPL_POSITION_TEXT_MAX]);

/* Ids compare without case. */
bool repl_position_same_history(const struct repl_position *a, const struct repl_position *b);
bool repl_position_equal(const struct repl_position *a, const struct repl_position *b);
