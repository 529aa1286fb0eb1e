/* unit.h - commands that reach the destination together, ready to be sent.
 *
 * Pure but for malloc. A unit is a list of pieces: bytes it owns (commands built
 * or rewritten here) and bytes it borrows from the spool's mapping (commands and
 * values that travel as they are). What is borrowed must stay mapped until the
 * unit is acknowledged. What is a command and what is not is the caller's affair;
 * the unit only counts what it is told.
 */
#pragma once

#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

struct unit_piece {
    const char *borrowed; /* NULL: the bytes are own[at .. at + len) */
    size_t at, len;
};

struct unit {
    struct buf own;
    struct unit_piece *pieces;
    uint32_t piece_count, piece_cap;
    size_t bytes;      /* of all pieces */
    uint32_t commands; /* the destination will answer so many QUEUED */
    int database;      /* of the destination, selected after the last command */
};

enum {
    UNIT_BORROW_MIN = 512, /* shorter pieces are cheaper copied */
    UNIT_PIECES_MAX = 1 << 22,
};

/* Own bytes are limited to own_max. */
void unit_init(struct unit *u, size_t own_max);
void unit_done(struct unit *u);

/* Empty again, in database `database`; keeps up to 4 MiB of its memory. */
void unit_clear(struct unit *u, int database);

/* Append a copy. Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool unit_put(struct unit *u, struct str bytes, struct err *err);

/* Append by reference when it is worth it, else as a copy; neighbours merge.
 * Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool unit_borrow(struct unit *u, struct str bytes, struct err *err);

/* Room for `len` own bytes, to be filled and then claimed with unit_fill(n), n <=
 * len; NULL on an error. Errors: TOO_BIG, MEMORY. */
char *unit_room(struct unit *u, size_t len, struct err *err);
void unit_fill(struct unit *u, size_t n);

/* What was appended to u->own directly, from length `before` on, becomes a piece.
 * Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool unit_added(struct unit *u, size_t before, struct err *err);

/* Commands from strings, copied. `unit_command` counts one. */
MUST_CHECK bool unit_command(struct unit *u, const struct str *argv, size_t argc, struct err *err);

/* SELECT when `database` is not the one selected; counts. */
MUST_CHECK bool unit_select(struct unit *u, int database, struct err *err);

/* The bytes of piece i. */
static inline struct str unit_piece_str(const struct unit *u, uint32_t i) {
    const struct unit_piece *p = &u->pieces[i];

    return str_of(p->borrowed ? p->borrowed : u->own.ptr + p->at, p->len);
}
