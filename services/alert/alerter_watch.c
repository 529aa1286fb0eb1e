#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/alert/alerter.h"
#include "services/alert/runbook.h"
#include "services/alert/webhook_message.h"
#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/common/metric.h"
#include "services/common/ulid.h"
#include "sql/store_alert.h"
#include "sql/store_txn.h"

enum { OUTBOX_MAX = 200, PUSH_SECONDS = 60, DETAIL_MAX = 700, TURN_SECONDS = 5 };

/* One look, in the transaction of its turn. */
struct look {
    struct alerter *a;
    json_t *watch, *open; /* owned; open: {"rule/job": row} */
    int64_t now_ms;
    int64_t evaluated, firing;
};

static json_t *text_or_null(const char *text) {
    return text ? json_string(text) : json_null();
}

/* ---- notices ----------------------------------------------------------------------------- */

static bool send_to(struct alerter *a, const json_t *ids, const struct store_notice *notice,
                    struct err *err) {
    const json_t *id;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)ids, i, id) {
        struct store_notice one = *notice;
        char message[ULID_ID_SIZE];
        bool sent;

        ulid_make("msg", message);
        one.id = message;
        one.endpoint = json_string_value(id);
        if (!store_webhook_send(a->store, &one, &sent, err))
            return false;
    }
    return true;
}

static bool tell(struct look *l, const struct alert_rule *rule, const struct alert_job *job,
                 const struct store_alert *alert, enum alert_notice notice, struct err *err) {
    const char *type = notice == ALERT_TELL_FIRING ? "alert.firing" : "alert.resolved";
    struct store_notice out = {.type = type, .alert = alert->id, .job = job->id};
    char now[CLOCK_RFC3339_SIZE], since[CLOCK_RFC3339_SIZE], doc_url[96];
    json_t *targets = NULL;
    char *body;
    bool ok;

    snprintf(doc_url, sizeof(doc_url), RUNBOOK_PATH "alert.%s", alert->type);
    clock_rfc3339(l->now_ms, now);
    clock_rfc3339(alert->since_ms, since);
    body = webhook_message_standard(
        type, now,
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s}", "alert_id",
                  alert->id, "rule_id", rule->id, "rule_name", rule->name, "job_id", job->id,
                  "job_name", text_or_null(job->name), "type", alert->type, "severity",
                  alert->severity, "state", alert->state, "value",
                  alert->has_value ? json_real(alert->value) : json_null(), "threshold",
                  alert_type_row(rule->type)->side ? json_real(rule->threshold) : json_null(),
                  "detail", alert->detail, "since", since, "doc_url", doc_url));
    out.body = body;
    ok = store_webhook_targets(l->a->store, rule->account, type, rule->contacts, &targets, err) &&
         send_to(l->a, targets, &out, err);
    free(body);
    json_decref(targets);
    if (ok)
        log_event(notice == ALERT_TELL_FIRING ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
                  notice == ALERT_TELL_FIRING ? "alert.firing" : "alert.resolved",
                  LOG_TEXT("job", job->id), LOG_TEXT("alert", alert->id),
                  LOG_TEXT("type", alert->type));
    return ok;
}

/* ---- one rule, one job ------------------------------------------------------------------- */

static int64_t ms_of(const json_t *row, const char *name) {
    return json_integer_value(json_object_get(row, name));
}

static struct alert_open open_of(const json_t *row) {
    const char *state = json_string_value(json_object_get(row, "state"));

    if (!row)
        return (struct alert_open){.state = ALERT_NONE};
    return (struct alert_open){
        .state = state && strcmp(state, "firing") == 0 ? ALERT_FIRING : ALERT_PENDING,
        .since_ms = ms_of(row, "since_ms"),
        .well_since_ms = ms_of(row, "well_since_ms"),
        .fired_ms = ms_of(row, "fired_ms"),
        .notified_ms = ms_of(row, "notified_ms"),
        .acknowledged_ms = ms_of(row, "acknowledged_ms"),
        .silenced_until_ms = ms_of(row, "silenced_until_ms"),
    };
}

static bool write_down(struct look *l, const struct alert_rule *rule, const struct alert_job *job,
                       const char *id, const struct alert_open *open, const struct alert_seen *seen,
                       enum alert_notice notice, struct err *err) {
    static const char *const states[] = {"", "pending", "firing", "resolved"};
    char detail[DETAIL_MAX], made[ULID_ID_SIZE];
    struct store_alert row = {
        .id = id,
        .account = rule->account,
        .rule = rule->id,
        .job = job->id,
        .type = alert_type_row(rule->type)->name,
        .severity = rule->severity,
        .state = states[open->state],
        .detail = detail,
        .has_value = seen->is_known && seen->value < ALERT_NO_END,
        .is_told = notice == ALERT_TELL_FIRING,
        .value = seen->value,
        .since_ms = open->since_ms,
        .well_since_ms = open->well_since_ms,
        .fired_ms = open->fired_ms,
        .notified_ms = open->notified_ms,
    };

    if (open->state == ALERT_NONE)
        return store_alert_forget(l->a->store, id, err);
    if (!id) {
        ulid_make("alt", made);
        row.id = made;
    }
    alert_eye_describe(rule, job, seen, detail, sizeof(detail));
    return store_alert_write(l->a->store, &row, err) &&
           (notice == ALERT_TELL_NOTHING || tell(l, rule, job, &row, notice, err));
}

static bool look_at(struct look *l, const struct alert_rule *rule, const struct alert_job *job,
                    struct err *err) {
    char pair[STORE_ID_SIZE * 2 + 2];
    const json_t *row;
    struct alert_open open;
    struct alert_seen seen;
    enum alert_notice notice;
    bool changed;

    snprintf(pair, sizeof(pair), "%s/%s", rule->id, job->id);
    row = json_object_get(l->open, pair);
    open = open_of(row);
    seen = alert_eye_look(rule, job);
    notice = alert_machine_step(rule, &seen, l->now_ms, &open, &changed);
    l->evaluated++;
    l->firing += open.state == ALERT_FIRING;
    if (changed && !write_down(l, rule, job, json_string_value(json_object_get(row, "id")), &open,
                               &seen, notice, err))
        return false;
    json_object_del(l->open, pair);
    return true;
}

static bool look_at_job(struct look *l, struct alert_job *job, struct err *err) {
    const json_t *rules = json_object_get(l->watch, "rules"), *row;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rules, i, row) {
        struct alert_rule rule;

        if (alert_rule_from_row(row, &rule) &&
            alert_rule_covers(&rule, job->account, job->id, job->labels) &&
            !look_at(l, &rule, job, err))
            return false;
    }
    return true;
}

/* What is open and was not looked at belongs to no rule that is on. */
static bool end_the_rest(struct look *l, struct err *err) {
    const char *pair;
    json_t *row;

    json_object_foreach(l->open, pair, row) {
        if (!store_alert_end(l->a->store, json_string_value(json_object_get(row, "id")), err))
            return false;
    }
    return true;
}

static bool look_at_all(struct look *l, struct err *err) {
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(l->watch, "open"), i, row) {
        char pair[STORE_ID_SIZE * 2 + 2];
        const char *rule = json_string_value(json_object_get(row, "rule"));
        const char *job = json_string_value(json_object_get(row, "job"));

        snprintf(pair, sizeof(pair), "%s/%s", rule ? rule : "", job ? job : "");
        json_object_set(l->open, pair, (json_t *)(uintptr_t)row);
    }
    json_array_foreach(json_object_get(l->watch, "jobs"), i, row) {
        struct alert_job job;

        if (alert_job_from_row(row, l->now_ms, &job) && !look_at_job(l, &job, err))
            return false;
    }
    return end_the_rest(l, err);
}

/* ---- events and Alertmanagers ------------------------------------------------------------ */

static bool address_event(struct alerter *a, const json_t *event, struct err *err) {
    const char *account = json_string_value(json_object_get(event, "account"));
    const char *type = json_string_value(json_object_get(event, "type"));
    const char *at = json_string_value(json_object_get(event, "at"));
    struct store_notice out = {.type = type,
                               .job = json_string_value(json_object_get(event, "job_id"))};
    json_t *targets = NULL, *data;
    char *body;
    bool ok;

    if (!account || !type || !at || !out.job)
        return true;
    data = json_copy((json_t *)(uintptr_t)event);
    json_object_del(data, "account");
    json_object_del(data, "type");
    body = webhook_message_standard(type, at, data);
    out.body = body;
    ok = store_webhook_targets(a->store, account, type, NULL, &targets, err) &&
         send_to(a, targets, &out, err);
    free(body);
    json_decref(targets);
    return ok;
}

static bool address_events(struct alerter *a, struct err *err) {
    json_t *events = NULL;
    const json_t *event;
    size_t i;
    bool ok = store_webhook_outbox(a->store, OUTBOX_MAX, &events, err);

    json_array_foreach(events, i, event) {
        ok = ok && address_event(a, event, err);
    }
    json_decref(events);
    return ok;
}

static bool push(struct alerter *a, struct err *err) {
    json_t *pushes = NULL;
    const json_t *one;
    size_t i;
    bool ok = store_webhook_pushes(a->store, PUSH_SECONDS, &pushes, err);

    json_array_foreach(pushes, i, one) {
        /* The next push says it again: nothing is gained by repeating this one. */
        struct store_notice out = {.type = "alertmanager.push", .attempts_max = 1};
        json_t *to = json_pack("[O]", json_object_get(one, "endpoint"));
        char *body = webhook_message_alertmanager(json_object_get(one, "alerts"));

        out.body = body;
        ok = ok && send_to(a, to, &out, err);
        free(body);
        json_decref(to);
    }
    json_decref(pushes);
    return ok;
}

/* Who holds the turn has it until it says nothing for TURN_SECONDS. */
static bool take_turn(struct store *store, void *arg, struct err *err) {
    struct look *l = arg;
    bool ours, ok;

    l->a->is_acting = false;
    if (!store_alert_turn(store, l->a->id, TURN_SECONDS, &ours, err))
        return false;
    if (!ours)
        return true;
    l->watch = NULL;
    l->evaluated = l->firing = 0;
    if (!store_alert_watch(store, &l->watch, err))
        return false;
    l->open = json_object();
    l->now_ms = ms_of(l->watch, "now_ms");
    ok = look_at_all(l, err) && address_events(l->a, err) && push(l->a, err);
    metric_set(METRIC_ALERTER_RULES, (int64_t)json_array_size(json_object_get(l->watch, "rules")));
    metric_set(METRIC_ALERTER_JOBS, (int64_t)json_array_size(json_object_get(l->watch, "jobs")));
    json_decref(l->open);
    json_decref(l->watch);
    l->a->is_acting = ok;
    return ok;
}

void alerter_leave(struct alerter *a) {
    struct err ignored = ERR_INIT; /* then the next one waits for a moment */

    (void)!store_alert_turn_end(a->store, a->id, &ignored);
}

bool alerter_watch(struct alerter *a, struct err *err) {
    struct look l = {.a = a};

    if (!store_txn(a->store, take_turn, &l, err)) /* also one that was repeated counts once */
        return false;
    metric_add(METRIC_ALERTER_RULES_EVALUATED, l.evaluated);
    metric_set(METRIC_ALERTER_FIRING, l.firing);
    return true;
}
