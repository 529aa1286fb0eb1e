#include "sql/store_series.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/embedded.h"

enum {
    NUMBER_MAX = 24,
    POINTS_MAX = SERIES_COUNT * SERIES_MOMENTS * NUMBER_MAX + 3,
    BATCH = 500, /* rows of a statement: 200 KB or so */
};

/* "{1,2,NULL,…}" */
static char *points_text(const struct series_bucket *b) {
    char *text = malloc(POINTS_MAX);
    size_t at = 0;

    if (!text)
        abort();
    text[at++] = '{';
    for (int n = 0; n < SERIES_COUNT; n++) {
        for (int m = 0; m < SERIES_MOMENTS; m++) {
            const char *comma = n + m ? "," : "";
            int len =
                b->points[n][m] == SERIES_UNKNOWN
                    ? snprintf(text + at, POINTS_MAX - at, "%sNULL", comma)
                    : snprintf(text + at, POINTS_MAX - at, "%s%" PRId64, comma, b->points[n][m]);

            at += (size_t)len;
        }
    }
    memcpy(text + at, "}", 2);
    return text;
}

static bool put_batch(struct store *store, const struct store_series_row *rows, size_t count,
                      struct err *err) {
    const char *jobs[BATCH], *steps[BATCH], *firsts[BATCH], *points[BATCH];
    char step_text[BATCH][12], first_text[BATCH][NUMBER_MAX];
    struct store_params p = STORE_PARAMS_INIT;

    for (size_t i = 0; i < count; i++) {
        snprintf(step_text[i], sizeof(step_text[i]), "%d", rows[i].step);
        snprintf(first_text[i], sizeof(first_text[i]), "%" PRId64, rows[i].bucket.first_s);
        jobs[i] = rows[i].job;
        steps[i] = step_text[i];
        firsts[i] = first_text[i];
        points[i] = points_text(&rows[i].bucket);
    }
    store_bind_texts(&p, jobs, count);
    store_bind_texts(&p, steps, count);
    store_bind_texts(&p, firsts, count);
    store_bind_texts(&p, points, count);
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)points[i]);
    return store_exec(store, &sql_query_series_put, &p, NULL, err);
}

bool store_series_put(struct store *store, const struct store_series_row *rows, size_t count,
                      struct err *err) {
    for (size_t at = 0; at < count; at += BATCH) {
        if (!put_batch(store, rows + at, count - at < BATCH ? count - at : BATCH, err))
            return false;
    }
    return true;
}

static void read_points(struct str text, struct series_bucket *b) {
    struct str word;
    int i = 0;

    for (; i < SERIES_COUNT * SERIES_MOMENTS && str_cut(&text, ',', &word); i++) {
        if (!str_parse_i64(word, &b->points[i / SERIES_MOMENTS][i % SERIES_MOMENTS]))
            b->points[i / SERIES_MOMENTS][i % SERIES_MOMENTS] = SERIES_UNKNOWN;
    }
    /* A row of before there were so many. */
    for (; i < SERIES_COUNT * SERIES_MOMENTS; i++)
        b->points[i / SERIES_MOMENTS][i % SERIES_MOMENTS] = SERIES_UNKNOWN;
}

bool store_series_get(struct store *store, const char *job, int step, int64_t from_s, int64_t to_s,
                      struct series_bucket **ret, size_t *ret_count, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    struct series_bucket *buckets;

    store_bind_text(&p, job);
    store_bind_i64(&p, step);
    store_bind_i64(&p, from_s);
    store_bind_i64(&p, to_s);
    if (!store_exec(store, &sql_query_series_get, &p, &rows, err))
        return false;
    buckets = calloc((size_t)rows.count + 1, sizeof(*buckets));
    if (!buckets)
        abort();
    for (int i = 0; i < rows.count; i++) {
        buckets[i].first_s = store_i64(&rows, i, 0);
        read_points(str_from(store_text(&rows, i, 1)), &buckets[i]);
    }
    *ret = buckets;
    *ret_count = (size_t)rows.count;
    store_rows_done(&rows);
    return true;
}
