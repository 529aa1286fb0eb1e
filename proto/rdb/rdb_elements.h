/* rdb_elements.h - the elements of a list, set, sorted set or hash, one by one,
 * whatever encoding the value is in.
 *
 * Pure but for malloc. Knows every type of both products that holds such a value,
 * from the zipmap of Redis 2.4 to the templates of 8.10. The value is read in
 * place; only an LZF packed blob is unpacked, whole, to memory that is kept and
 * used again. Trusts nothing; each call does work bounded by what it reads.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/rdb/intset.h"
#include "proto/rdb/listpack.h"
#include "proto/rdb/packed_value.h"
#include "proto/rdb/rdb.h"
#include "proto/rdb/rdb_templates.h"
#include "proto/rdb/ziplist.h"
#include "proto/rdb/zipmap.h"

/* One string of a value: as the snapshot holds it, not yet decoded. */
struct rdb_piece {
    bool is_raw;
    struct str raw;             /* a raw string (rdb_string.h) */
    struct packed_value packed; /* when not raw */
};

/* The bytes a client sees. They lie in the value, in `scratch` (whose former content
 * is gone) or in `room`. Errors: RDB_CORRUPT, TOO_BIG (scratch->max), MEMORY. */
MUST_CHECK bool rdb_piece_text(const struct rdb_piece *piece, struct buf *scratch,
                               char room[PACKED_DIGITS], struct str *ret, struct err *err);

struct rdb_element {
    struct rdb_piece name;  /* item, member or field */
    struct rdb_piece value; /* of a hash */
    double score;           /* of a sorted set; never NaN */
    uint64_t expire_at_ms;  /* of a field; 0: it does not expire */
};

/* Strings behind each other, or the elements of one packed blob. */
struct rdb_pieces {
    enum rdb_packing {
        RDB_PACKING_NONE,
        RDB_PACKING_LISTPACK,
        RDB_PACKING_ZIPLIST,
        RDB_PACKING_INTSET,
        RDB_PACKING_ZIPMAP,
    } packing;
    struct str rest; /* NONE: behind what was read */
    uint64_t left;   /* NONE: strings to come */
    union {
        struct listpack lp;
        struct ziplist zl;
        struct intset set;
        struct zipmap zm;
    };
};

struct rdb_elements {
    const struct rdb_layout *layout;
    enum rdb_kind kind;
    uint64_t min_ms;          /* the times of type 24 count from here */
    struct str rest;          /* the value behind what was opened */
    uint64_t left;            /* packed blobs, or elements, to come */
    struct rdb_pieces pieces; /* items, or values when fields come from a template */
    struct rdb_pieces fields; /* of a template */
    struct buf blob, names;   /* unpacked LZF of either */
};

/* Once; then open as often as liked. Blobs may unpack to blob_max bytes each. */
void rdb_elements_init(struct rdb_elements *e, size_t blob_max);
void rdb_elements_done(struct rdb_elements *e);

/* Stand before the first element of `value`, which must stay where it is, as
 * must `templates` (NULL: none).
 * Errors: RDB_CORRUPT; RDB_UNSUPPORTED (a type that holds no elements); TOO_BIG; MEMORY. */
MUST_CHECK bool rdb_elements_open(struct rdb_elements *e, enum rdb_vendor vendor, uint8_t type,
                                  struct str value, const struct rdb_templates *templates,
                                  struct err *err);

/* The next element; its pieces hold until the next call. END only where the value ends,
 * with nothing behind it. WRONG sets err: RDB_CORRUPT, TOO_BIG, MEMORY. */
MUST_CHECK enum packed_next rdb_elements_next(struct rdb_elements *e, struct rdb_element *ret,
                                              struct err *err);
