#include "sql/series.h"

#include <string.h>

enum keeps { AVERAGE, HIGHEST, LAST };

static const struct {
    const char *name;
    enum keeps keeps;
} names[SERIES_COUNT] = {
#define SERIES(name, keeps) {#name, keeps},
#include "sql/series.def"
#undef SERIES
};

const int series_steps[SERIES_STEPS] = {1, 10, 60};
const int series_kept_seconds[SERIES_STEPS] = {3600, 86400, 31 * 86400};

const char *series_name_of(enum series_name name) {
    return names[name].name;
}

bool series_name_parse(const char *text, enum series_name *ret) {
    for (int i = 0; i < SERIES_COUNT; i++) {
        if (strcmp(text, names[i].name) == 0) {
            *ret = (enum series_name)i;
            return true;
        }
    }
    return false;
}

void series_bucket_init(struct series_bucket *b, int step, int64_t at_s) {
    b->first_s = at_s - at_s % ((int64_t)step * SERIES_MOMENTS);
    for (int n = 0; n < SERIES_COUNT; n++) {
        for (int m = 0; m < SERIES_MOMENTS; m++)
            b->points[n][m] = SERIES_UNKNOWN;
    }
}

int64_t series_fold(enum series_name name, const int64_t *v, int count) {
    int64_t highest = SERIES_UNKNOWN, last = SERIES_UNKNOWN;
    double sum = 0;
    int known = 0;

    for (int i = 0; i < count; i++) {
        if (v[i] == SERIES_UNKNOWN)
            continue;
        known++;
        sum += (double)v[i];
        last = v[i];
        if (v[i] > highest)
            highest = v[i];
    }
    if (known == 0)
        return SERIES_UNKNOWN;
    switch (names[name].keeps) {
    case AVERAGE:
        return (int64_t)(sum / known + 0.5);
    case HIGHEST:
        return highest;
    case LAST:
        return last;
    }
    return SERIES_UNKNOWN;
}

/* The bucket that holds at_s; the one before is handed over. */
static struct series_bucket *bucket_at(struct series *s, int i, int64_t at_s, series_full *full,
                                       void *ctx) {
    struct series_bucket *b = &s->open[i];
    int64_t length_s = (int64_t)series_steps[i] * SERIES_MOMENTS;

    if (s->last_s != 0 && at_s - at_s % length_s == b->first_s)
        return b;
    if (s->last_s != 0 && s->is_changed[i])
        full(ctx, series_steps[i], b);
    series_bucket_init(b, series_steps[i], at_s);
    s->is_changed[i] = false;
    return b;
}

static void put(struct series *s, int i, int64_t at_s, const int64_t values[SERIES_COUNT],
                series_full *full, void *ctx) {
    struct series_bucket *b = bucket_at(s, i, at_s, full, ctx);
    int moment = (int)((at_s - b->first_s) / series_steps[i]);

    for (int n = 0; n < SERIES_COUNT; n++)
        b->points[n][moment] = values[n];
    s->is_changed[i] = true;
}

/* A moment of a longer step holds what its seconds so far come to. */
static void put_folded(struct series *s, int i, int64_t at_s, const int64_t values[SERIES_COUNT],
                       series_full *full, void *ctx) {
    int step = series_steps[i], *filled = &s->filled[i - 1];
    int64_t folded[SERIES_COUNT];

    if (s->last_s == 0 || at_s / step != s->last_s / step)
        *filled = 0;
    for (int n = 0; n < SERIES_COUNT; n++) {
        s->seconds[i - 1][n][*filled] = values[n];
        folded[n] = series_fold((enum series_name)n, s->seconds[i - 1][n], *filled + 1);
    }
    ++*filled;
    put(s, i, at_s, folded, full, ctx);
}

void series_take(struct series *s, int64_t at_s, const int64_t values[SERIES_COUNT],
                 series_full *full, void *ctx) {
    if (at_s <= s->last_s)
        return;
    put(s, 0, at_s, values, full, ctx);
    for (int i = 1; i < SERIES_STEPS; i++)
        put_folded(s, i, at_s, values, full, ctx);
    s->last_s = at_s;
}

/* ---- reading ----------------------------------------------------------------------------- */

struct folding {
    int64_t at_s;
    int64_t v[SERIES_COUNT][3600]; /* as many seconds as a point may stand for */
    int count;
};

static void put_point(const struct folding *f, const bool wanted[SERIES_COUNT], json_t *into) {
    json_t *point = json_pack("{s:I}", "at_s", (json_int_t)f->at_s);
    bool any = false;

    for (int n = 0; n < SERIES_COUNT; n++) {
        int64_t value = series_fold((enum series_name)n, f->v[n], f->count);

        any = any || value != SERIES_UNKNOWN;
        if (wanted[n])
            json_object_set_new(point, names[n].name,
                                value == SERIES_UNKNOWN ? json_null() : json_integer(value));
    }
    if (any)
        json_array_append(into, point);
    json_decref(point);
}

void series_fold_points(const struct series_bucket *buckets, size_t count, int step, int to_step,
                        int64_t from_s, int64_t to_s, const bool wanted[SERIES_COUNT],
                        json_t *into) {
    static _Thread_local struct folding f;

    f.count = 0;
    for (size_t b = 0; b < count; b++) {
        for (int m = 0; m < SERIES_MOMENTS; m++) {
            int64_t at_s = buckets[b].first_s + (int64_t)m * step;
            int64_t start_s = at_s - at_s % to_step;

            if (at_s < from_s || at_s >= to_s)
                continue;
            if (f.count > 0 && (f.at_s != start_s || f.count == 3600)) {
                put_point(&f, wanted, into);
                f.count = 0;
            }
            f.at_s = start_s;
            for (int n = 0; n < SERIES_COUNT; n++)
                f.v[n][f.count] = buckets[b].points[n][m];
            f.count++;
        }
    }
    if (f.count > 0)
        put_point(&f, wanted, into);
}
