/* rdb_walk.h - finds the end of one value without looking at what it means.
 *
 * Pure. The layout of every value is a short script (rdb.c lists them):
 *
 *     S      a string              L  a length
 *     1 4 8  that many raw bytes   k  16 raw bytes (a stream id)
 *     d      a double as ASCII
 *     (..)   a length n, then n times what stands inside
 *     [..]   the same, but n is 0 or 1
 *     N ..{..}  a length n now, n times what stands inside {} later
 *     m      module items up to their end
 *     a      one element of an array (index, tag, what the tag says)
 *
 * The walk keeps its place in script, loops and bytes, so it can stop at any
 * byte and go on with more of them. Scripts nest at most RDB_WALK_DEPTH loops.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/str.h"
#include "proto/rdb/rdb.h"

enum { RDB_WALK_DEPTH = 4 };

struct rdb_walk {
    const char *script;
    uint64_t count; /* kept by N for {..} */
    uint8_t depth;
    struct {
        const char *body;
        uint64_t left;
    } loop[RDB_WALK_DEPTH];
};

enum rdb_walk_result { RDB_WALK_MORE, RDB_WALK_DONE, RDB_WALK_WRONG };

/* The script of a type's value, or NULL when its end cannot be found. */
const char *rdb_walk_script(enum rdb_vendor vendor, uint8_t type);

void rdb_walk_init(struct rdb_walk *w, const char *script);

/* Walk on from view[*at], moving *at over what was understood. DONE: *at is the
 * first byte behind the value. MORE: call again with the same view grown; *ret_need
 * is the length of view without which nothing new can be understood. WRONG: *at
 * is where the bytes stop making sense. */
MUST_CHECK enum rdb_walk_result rdb_walk_on(struct rdb_walk *w, struct str view, size_t *at,
                                            uint64_t *ret_need);
