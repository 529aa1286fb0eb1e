#include "services/common/metric.h"

#include <stdatomic.h>
#include <string.h>

enum metric_kind { COUNTER, GAUGE };

struct metric_row {
    enum metric_kind kind;
    const char *name, *labels, *help;
};

static const struct metric_row rows[METRIC_COUNT] = {
#define METRIC(symbol, kind, name, labels, help) {kind, name, labels, help},
#include "services/common/metric_names.def"
#undef METRIC
};

static _Atomic int64_t values[METRIC_COUNT];

void metric_add(enum metric m, int64_t n) {
    atomic_fetch_add_explicit(&values[m], n, memory_order_relaxed);
}

void metric_set(enum metric m, int64_t value) {
    atomic_store_explicit(&values[m], value, memory_order_relaxed);
}

int64_t metric_get(enum metric m) {
    return atomic_load_explicit(&values[m], memory_order_relaxed);
}

bool metric_format(struct buf *out, struct err *err) {
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = &rows[i];
        bool has_labels = row->labels[0] != '\0';

        if (i == 0 || strcmp(row->name, rows[i - 1].name) != 0) {
            if (!buf_printf(out, err, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help,
                            row->name, row->kind == COUNTER ? "counter" : "gauge"))
                return false;
        }
        if (!buf_printf(out, err, "%s%s%s%s %lld\n", row->name, has_labels ? "{" : "", row->labels,
                        has_labels ? "}" : "", (long long)metric_get((enum metric)i)))
            return false;
    }
    return true;
}
