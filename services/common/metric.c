#include "services/common/metric.h"

#include <stdatomic.h>
#include <string.h>

enum metric_kind { COUNTER, GAUGE, COUNTER_US, GAUGE_US };

struct metric_row {
    enum metric_kind kind;
    enum metric_process process;
    const char *name, *labels, *help;
};

static const struct metric_row rows[METRIC_COUNT] = {
#define METRIC(symbol, kind, process, name, labels, help)                                          \
    {kind, METRIC_OF_##process, name, labels, help},
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

static const char *type_of(const struct metric_row *row) {
    return row->kind == COUNTER || row->kind == COUNTER_US ? "counter" : "gauge";
}

static bool put_value(const struct metric_row *row, int64_t value, struct buf *out,
                      struct err *err) {
    bool has_labels = row->labels[0] != '\0';
    bool is_us = row->kind == COUNTER_US || row->kind == GAUGE_US;

    return buf_printf(out, err, "%s%s%s%s ", row->name, has_labels ? "{" : "", row->labels,
                      has_labels ? "}" : "") &&
           (is_us ? buf_printf(out, err, "%lld.%06lld\n", (long long)(value / 1000000),
                               (long long)(value % 1000000))
                  : buf_printf(out, err, "%lld\n", (long long)value));
}

bool metric_format(enum metric_process process, struct buf *out, struct err *err) {
    const char *last = "";

    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = &rows[i];

        if (row->process != process && row->process != METRIC_OF_ALL)
            continue;
        if (strcmp(row->name, last) != 0 &&
            !buf_printf(out, err, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                        type_of(row)))
            return false;
        last = row->name;
        if (!put_value(row, metric_get((enum metric)i), out, err))
            return false;
    }
    return true;
}
