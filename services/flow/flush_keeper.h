/* flush_keeper.h - what of other jobs a flush of the source would take along.
 *
 * A job that has ended leaves its seal on the destination: without it a control database restored
 * from an older backup would let it write again. So before a tail empties a database, or
 * swaps two, it looks for keys of other jobs there, and the same transaction that empties puts them
 * back as they are.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "services/flow/position.h"
#include "services/flow/unit.h"

enum { FLUSH_KEEPER_MAX = 64, FLUSH_KEEPER_ALL = -1 };

struct flush_keeper {
    uint32_t count;
    struct {
        int database;
        char key[2 * POSITION_KEY_MAX];
    } kept[FLUSH_KEEPER_MAX];
};

struct applier;

/* Add what is in `database`, or in every one (FLUSH_KEEPER_ALL). Walks its keys, as the flush
 * does. Errors: those of applier_connect(), of redis_client_call(); DEST_IN_USE (too many). */
MUST_CHECK bool flush_keeper_find(struct applier *a, int database, struct flush_keeper *keeper,
                                  struct err *err);

/* Append the one command that empties the selected database, or all, and keeps what was found.
 * Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool flush_keeper_put(const struct flush_keeper *keeper, bool all, struct unit *unit,
                                 struct err *err);

/* Append what moves found keys of databases `a` and `b`, which were swapped, back to where they
 * were. Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool flush_keeper_put_back(const struct flush_keeper *keeper, int a, int b,
                                      struct unit *unit, struct err *err);
