/* copy_scout.h - which of the next keys of the snapshot the destination has already.
 *
 * For skip_existing and fail_on_conflict. Walks ahead of the copy in the bytes that are
 * there, asks EXISTS for many keys at once over a connection of its own, and answers one
 * key at a time. Nothing that can fail is put into a unit for it, and the units stay as
 * they are.
 *
 * What it says is true of the moment of the question, at most SCOUT_ANSWER_MS before the
 * key is taken. Of this task only the copy writes, and it asks for a key before it writes
 * it; a key that somebody else makes within that time is overwritten. A guarantee against
 * writers from elsewhere would need a WATCH of every key, and is not claimed.
 */
#pragma once

#include "proto/rdb/rdb_parser.h"
#include "services/flow/applier.h"

enum {
    SCOUT_KEYS_MAX = 1000,
    SCOUT_REQUEST_BYTES = 1024 * 1024, /* of keys in one question, but for a single one */
    SCOUT_ANSWER_MS = 1000,
};

struct copy_scout {
    bool is_on;
    struct redis_client client;
    struct {
        uint64_t end; /* of the key's record in the snapshot */
        bool exists;
    } answers[SCOUT_KEYS_MAX];
    size_t count, next;
    uint64_t walked_to;   /* whatever is to be asked of the records before that was */
    int64_t asked_at_ms;  /* monotonic */
    struct str first_key; /* with copy_scout_count() */
    struct buf out, key_scratch;
};

void copy_scout_init(struct copy_scout *s);
void copy_scout_done(struct copy_scout *s);

/* Errors: of applier_connect. */
MUST_CHECK bool copy_scout_open(struct copy_scout *s, struct applier *a, struct err *err);

/* Have an answer for the next key of `rest`, where `parser` is about to go on; nothing is
 * asked while there is one. Fine when no whole record is there yet.
 * Errors: of redis_client_pipeline; DEST_... by reply; DEST_DB_RANGE. */
MUST_CHECK bool copy_scout_look(struct copy_scout *s, struct applier *a,
                                const struct rdb_parser *parser, struct str rest, struct err *err);

/* Does the destination have the key whose record ends at `end`? Takes the answer. A key
 * that was not asked for (it is not selected) has none. */
bool copy_scout_take(struct copy_scout *s, uint64_t end);

/* How many of the keys in `rest` it has, from `parser` on; no more than what is there.
 * Errors: as copy_scout_look. */
MUST_CHECK bool copy_scout_count(struct copy_scout *s, struct applier *a,
                                 const struct rdb_parser *parser, struct str rest,
                                 uint64_t *ret_count, struct err *err);
