/* store_secret.h - secrets at rest, whatever table they are in, by the master key they are sealed
 * with. What is in them only services/secret knows. */
#pragma once

#include <jansson.h>

#include "sql/store.h"

enum { STORE_SECRET_MAX = 1024 * 1024 };

/* Its row; they are ordered by it. All empty: before the first. */
struct store_secret_place {
    char kind[24]; /* "job", "precheck", "instance", …: view sealed_secret */
    char row[STORE_ID_SIZE];
};

struct store_secret {
    struct store_secret_place place;
    char identity[128]; /* what it is bound to */
    struct buf sealed;
};

/* At most `limit` secrets that are sealed with one of `keys`, behind `after`. The caller frees
 * `sealed` of each. */
MUST_CHECK bool store_secret_under(struct store *store, const uint32_t *keys, size_t key_count,
                                   const struct store_secret_place *after, size_t limit,
                                   struct store_secret *ret, size_t *ret_count, struct err *err);

/* Put another sealed form in its place; *ret_written is false when it is not the one that was read
 * any more. */
MUST_CHECK bool store_secret_replace(struct store *store, const struct store_secret *was,
                                     struct str sealed, bool *ret_written, struct err *err);

/* One secret as it is now; *ret stays empty when there is none. */
MUST_CHECK bool store_secret_get(struct store *store, const char *kind, const char *row,
                                 struct buf *ret, struct err *err);

/* What each key is used for: [{"id", "secrets", "answers", "workers"}] by id. A new reference. */
MUST_CHECK bool store_secret_keys(struct store *store, json_t **ret_keys, struct err *err);
