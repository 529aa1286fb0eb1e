/* rdb_templates.h - the field names that hashes of a snapshot refer to by number.
 *
 * Pure but for malloc. Redis 8.10 writes the field names many hashes share once, as
 * HASH_TEMPLATE records before the keys; hashes of types 30 and 32 hold only the
 * number of their template. So a reader has to remember them, up to a limit.
 */
#pragma once

#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

struct rdb_template {
    uint64_t id;
    uint64_t count;    /* fields */
    struct str fields; /* count raw strings */
};

struct rdb_templates {
    struct buf fields; /* the bytes of all */
    struct buf rows;   /* struct template_row, by rising id */
};

/* Templates may take bytes_max bytes (their names; the index may take as much again). */
void rdb_templates_init(struct rdb_templates *t, size_t bytes_max);
void rdb_templates_done(struct rdb_templates *t);

/* Forget all: a new snapshot begins. */
void rdb_templates_clear(struct rdb_templates *t);

/* Remember one (a copy is made): the parts of an RDB_EV_HASH_TEMPLATE event.
 * Errors: RDB_CORRUPT (that number is taken); TOO_BIG; MEMORY. */
MUST_CHECK bool rdb_templates_add(struct rdb_templates *t, uint64_t id, uint64_t count,
                                  struct str fields, struct err *err);

/* False: there is none of that number. The slices hold until the next add or clear. */
MUST_CHECK bool rdb_templates_find(const struct rdb_templates *t, uint64_t id,
                                   struct rdb_template *ret);
