/* rdb_stream_pending.h - the pending entries of a stream, across its groups and by id.
 *
 * Pure but for malloc, which is bounded whatever the stream holds: 32 bytes for each
 * group that has pending entries, and 8 bytes for each 1/65536 of one group's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/rdb/rdb_stream.h"

enum { RDB_STREAM_GROUPS_MAX = 65536 };

/* The ids that are pending in any group, each once, rising. */
struct rdb_stream_pending_ids {
    struct buf heap; /* struct cursor, the lowest id first */
    const char *end; /* of the groups */
};

void rdb_stream_pending_ids_init(struct rdb_stream_pending_ids *p);
void rdb_stream_pending_ids_done(struct rdb_stream_pending_ids *p);

/* Stand before the lowest. Errors: RDB_CORRUPT; TOO_BIG (more than RDB_STREAM_GROUPS_MAX
 * groups with pending entries); MEMORY. */
MUST_CHECK bool rdb_stream_pending_ids_open(struct rdb_stream_pending_ids *p,
                                            const struct rdb_stream *stream, struct err *err);

/* The lowest id that is still to come; false: there is none. */
bool rdb_stream_pending_ids_peek(const struct rdb_stream_pending_ids *p, struct rdb_stream_id *ret);

/* Go past `id`. Errors: RDB_CORRUPT (a group's ids do not rise). */
MUST_CHECK bool rdb_stream_pending_ids_pass(struct rdb_stream_pending_ids *p,
                                            struct rdb_stream_id id, struct err *err);

/* Finds an entry of one group. */
struct rdb_stream_pending_index {
    struct buf places;  /* uint64_t: where every step-th entry stands */
    struct str pending; /* of the group */
    uint64_t step;
};

void rdb_stream_pending_index_init(struct rdb_stream_pending_index *x);
void rdb_stream_pending_index_done(struct rdb_stream_pending_index *x);

/* Errors: RDB_CORRUPT; TOO_BIG; MEMORY. */
MUST_CHECK bool rdb_stream_pending_index_build(struct rdb_stream_pending_index *x,
                                               const struct rdb_stream_group *group,
                                               struct err *err);

/* False: it is not there. */
MUST_CHECK bool rdb_stream_pending_index_find(const struct rdb_stream_pending_index *x,
                                              struct rdb_stream_id id,
                                              struct rdb_stream_pending *ret);
