/* flush_keeper.h - what a flush of the source must not take along: our position, and keys of
 * other jobs.
 *
 * A job that has ended leaves its seal on the destination: without it a control database restored
 * from an older backup would let it write again. So before a tail empties a database, or
 * swaps two, it looks for keys of other jobs there, and the same command that empties puts them
 * back as they are; our own position with them, so that the unit is like any other: it has its
 * error seal, and what else stands in the position stays.
 *
 * That command is a script, in which a right that is missing shows when it runs and not before:
 * one that may flush and not put back would lose what guards those jobs. So the account is asked
 * first whether it may do either, while nothing is at stake.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "services/flow/position.h"
#include "services/flow/unit.h"

enum { FLUSH_KEEPER_MAX = 64, FLUSH_KEEPER_ALL = -1, FLUSH_KEEPER_WORDS = 3 };

struct flush_keeper {
    struct str words[FLUSH_KEEPER_WORDS]; /* the command: FLUSHALL, SWAPDB a b; borrowed */
    uint32_t word_count;
    uint32_t count;
    struct {
        int database;
        char key[2 * POSITION_KEY_MAX];
    } kept[FLUSH_KEEPER_MAX + 1];
};

struct applier;

/* Our position is kept when it lies in `database`, or anyway (FLUSH_KEEPER_ALL). */
void flush_keeper_own(struct flush_keeper *keeper, const struct applier *a, int database);

/* Add what is in `database`, or in every one (FLUSH_KEEPER_ALL). Walks its keys, as the flush
 * does, and asks whether the account may run the command and put the keys back. Errors: those of
 * applier_connect(), of redis_client_call(); DEST_NOPERM and others by reply; DEST_IN_USE (too
 * many). */
MUST_CHECK bool flush_keeper_find(struct flush_keeper *keeper, struct applier *a, int database,
                                  struct err *err);

/* Append the one command that does it, in the selected database, and keeps what was found.
 * Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool flush_keeper_put(const struct flush_keeper *keeper, struct unit *unit,
                                 struct err *err);
