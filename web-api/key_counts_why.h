/* key_counts_why.h - what may lie behind a difference of counts. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "sql/store_job.h"

/* A database of one end; what is ours is not among the numbers. */
struct key_counts_side {
    bool is_known, tells_expires;
    int64_t keys, expires, field_expiries, own;
};

struct key_counts_pair {
    const struct store_job *job;
    struct key_counts_side source, destination;
    int64_t keys_before;       /* of the destination, at its last precheck */
    const char *stale_percent; /* by the source's own sample; NULL = not told */
    bool has_prefixes;         /* the selection takes some keys of the database only */
    bool is_one_node;          /* the counts are of one node of several */
};

/* From good to bad. */
enum key_counts_verdict {
    KEY_COUNTS_SAME,
    KEY_COUNTS_EXPLAINED,
    KEY_COUNTS_NOT_COMPARABLE,
    KEY_COUNTS_UNKNOWN, /* an end was not counted */
    KEY_COUNTS_UNEXPLAINED,
};

const char *key_counts_verdict_name(enum key_counts_verdict verdict);

/* Keys without an expiry: the destination's less the source's. */
int64_t key_counts_not_expiring(const struct key_counts_pair *p);

/* [{"code", "keys", "detail"}]: what applies, `keys` at most so many, null where no bound is known.
 * A new reference. */
json_t *key_counts_why(const struct key_counts_pair *p, enum key_counts_verdict *ret_verdict);
