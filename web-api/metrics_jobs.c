#include "web-api/metrics_jobs.h"

#include <string.h>

#include "services/job/job_health.h"

struct job_metrics {
    struct store_progress progress;
    struct job_latency latency;
    struct job_safe_for safe_for;
};

struct row {
    const char *name, *kind, *labels, *help;
    bool (*applies)(const struct job_metrics *m, const struct store_progress *p);
    double (*value)(const struct job_metrics *m, const struct store_progress *p);
};

/* A function per cell: the expressions of the table, compiled. */
#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)
#define JOB_METRIC(name, kind, labels, applies, value, help)                                       \
    static bool CONCAT(applies_, __LINE__)(const struct job_metrics *m,                            \
                                           const struct store_progress *p) {                       \
        (void)m;                                                                                   \
        (void)p;                                                                                   \
        return applies;                                                                            \
    }                                                                                              \
    static double CONCAT(value_, __LINE__)(const struct job_metrics *m,                            \
                                           const struct store_progress *p) {                       \
        (void)m;                                                                                   \
        (void)p;                                                                                   \
        return value;                                                                              \
    }
#include "web-api/metrics_jobs.def"
#undef JOB_METRIC

static const struct row rows[] = {
#define JOB_METRIC(name, kind, labels, applies, value, help)                                       \
    {name, kind, labels, help, CONCAT(applies_, __LINE__), CONCAT(value_, __LINE__)},
#include "web-api/metrics_jobs.def"
#undef JOB_METRIC
};

static bool head(struct buf *out, const char *name, const char *kind, const char *help,
                 struct err *err) {
    return buf_printf(out, err, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

/* A label's value: backslash, quote and line feed are escaped. */
static bool put_label(struct buf *out, const char *text, struct err *err) {
    for (const char *c = text ? text : ""; *c; c++) {
        bool ok = *c == '\n' ? buf_append(out, STR_LIT("\\n"), err)
                             : ((*c != '"' && *c != '\\') || buf_append(out, STR_LIT("\\"), err)) &&
                                   buf_append(out, str_of(c, 1), err);

        if (!ok)
            return false;
    }
    return true;
}

static const char *text_of(const json_t *job, const char *name) {
    return json_string_value(json_object_get(job, name));
}

static bool put_info(const json_t *jobs, struct buf *out, struct err *err) {
    static const char *const names[] = {"name", "account", "state"};
    const json_t *job;
    size_t i;

    if (!head(out, "keyferry_job_info", "gauge",
              "1 for each job that is at work or waits for somebody", err))
        return false;
    json_array_foreach((json_t *)(uintptr_t)jobs, i, job) {
        bool ok = buf_append(out, STR_LIT("keyferry_job_info{job=\""), err) &&
                  put_label(out, text_of(job, "id"), err) && buf_append(out, STR_LIT("\""), err);

        for (size_t n = 0; ok && n < LENGTH_OF(names); n++)
            ok = buf_printf(out, err, ",%s=\"", names[n]) &&
                 put_label(out, text_of(job, names[n]), err) && buf_append(out, STR_LIT("\""), err);
        if (!ok || !buf_append(out, STR_LIT("} 1\n"), err))
            return false;
    }
    return true;
}

static void read_job(const json_t *job, int64_t now_ms, struct job_metrics *m) {
    struct job_seen seen = {.state = JOB_DRAFT, .progress = &m->progress, .now_ms = now_ms};
    const char *state = text_of(job, "state");

    store_progress_from_json(json_object_get(job, "progress"), &m->progress);
    if (state)
        (void)!job_state_parse(state, &seen.state);
    seen.retry_deadline_ms = json_integer_value(json_object_get(job, "retry_deadline_ms"));
    seen.attention = text_of(job, "attention");
    m->latency = job_health_latency(&seen);
    m->safe_for = job_health_safe_for(&seen);
}

static bool put_row(const struct row *row, const json_t *jobs, int64_t now_ms, struct buf *out,
                    struct err *err) {
    const json_t *job;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)jobs, i, job) {
        struct job_metrics m;

        read_job(job, now_ms, &m);
        if (row->applies(&m, &m.progress) &&
            (!buf_printf(out, err, "%s{job=\"", row->name) ||
             !put_label(out, text_of(job, "id"), err) ||
             !buf_printf(out, err, "\"%s} %.15g\n", row->labels, row->value(&m, &m.progress))))
            return false;
    }
    return true;
}

static bool put_counts(const json_t *counts, const char *name, const char *help, const char *label,
                       struct buf *out, struct err *err) {
    const char *key;
    json_t *value;

    if (!head(out, name, "gauge", help, err))
        return false;
    json_object_foreach((json_t *)(uintptr_t)counts, key, value) {
        if (!buf_printf(out, err, "%s{%s=\"%s\"} %lld\n", name, label, key,
                        (long long)json_integer_value(value)))
            return false;
    }
    return true;
}

bool metrics_jobs_format(const json_t *look, struct buf *out, struct err *err) {
    const json_t *jobs = json_object_get(look, "jobs");
    int64_t now_ms = json_integer_value(json_object_get(look, "now_ms"));

    if (!put_info(jobs, out, err))
        return false;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        if ((i == 0 || strcmp(rows[i].name, rows[i - 1].name) != 0) &&
            !head(out, rows[i].name, rows[i].kind, rows[i].help, err))
            return false;
        if (!put_row(&rows[i], jobs, now_ms, out, err))
            return false;
    }
    return put_counts(json_object_get(look, "alerts"), "keyferry_alerts_firing",
                      "Alerts that fire, by severity", "severity", out, err) &&
           put_counts(json_object_get(look, "deliveries"), "keyferry_webhook_deliveries",
                      "Notices of the last month by what became of them", "state", out, err) &&
           head(out, "keyferry_workers_up", "gauge", "Workers that were heard of within 30 seconds",
                err) &&
           buf_printf(out, err, "keyferry_workers_up %lld\n",
                      (long long)json_integer_value(json_object_get(look, "workers")));
}
