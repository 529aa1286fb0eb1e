/* store_series.h - series.h in the database. */
#pragma once

#include "sql/series.h"
#include "sql/store.h"

struct store_series_row {
    char job[STORE_ID_SIZE];
    int step;
    struct series_bucket bucket;
};

/* Any number in one statement. */
MUST_CHECK bool store_series_put(struct store *store, const struct store_series_row *rows,
                                 size_t count, struct err *err);

/* Buckets of `step` that reach into [from_s, to_s), oldest first; free() them. */
MUST_CHECK bool store_series_get(struct store *store, const char *job, int step, int64_t from_s,
                                 int64_t to_s, struct series_bucket **ret, size_t *ret_count,
                                 struct err *err);
