/* Rules: when somebody is to be told. */
#include <string.h>

#include "services/alert/alert_rule.h"
#include "services/common/ulid.h"
#include "sql/store_alert.h"
#include "sql/store_webhook.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"
#include "web-api/page.h"

enum { CONTACTS_MAX = 10, REPEAT_DEFAULT_S = 14400, REPEAT_LEAST_S = 300, RESOLVE_DEFAULT_S = 60 };

static const char *const members =
    "name job_id labels type threshold for_seconds resolve_threshold resolve_for_seconds "
    "suppress_until_caught_up repeat_interval_seconds severity contacts send_resolved enabled";

/* ---- reading a rule ---------------------------------------------------------------------- */

static bool number_or(struct call *call, const json_t *given, const char *name, double lowest,
                      double highest, double *value) {
    const json_t *member = json_object_get(given, name);

    if (!member || json_is_null(member))
        return false;
    if (!json_is_number(member) || json_number_value(member) < lowest ||
        json_number_value(member) > highest)
        json_read_wrong(&call->fields, arena_printf(call->arena, "/%s", name), "range",
                        "must be a number from %g to %g", lowest, highest);
    else
        *value = json_number_value(member);
    return true;
}

/* The value where the alert begins to end: on the good side of the threshold. */
static void read_thresholds(struct call *call, const json_t *given, enum alert_type type,
                            json_t *rule) {
    const struct alert_type_row *row = alert_type_row(type);
    bool below = row->side == ALERT_SIDE_BELOW;
    double threshold = row->threshold, resolve;

    if (!row->side) {
        if (json_is_number(json_object_get(given, "threshold")) ||
            json_is_number(json_object_get(given, "resolve_threshold")))
            json_read_wrong(&call->fields, "/threshold", "invalid", "%s has none", row->name);
        json_object_set_new(rule, "threshold", json_null());
        json_object_set_new(rule, "resolve_threshold", json_null());
        return;
    }
    number_or(call, given, "threshold", row->lowest, row->highest, &threshold);
    resolve = below ? threshold * 1.2 : threshold * 0.8;
    if (number_or(call, given, "resolve_threshold", 0, row->highest * 2, &resolve) &&
        (below ? resolve < threshold : resolve > threshold))
        json_read_wrong(&call->fields, "/resolve_threshold", "range", "must be %s the threshold",
                        below ? "above" : "below");
    json_object_set_new(rule, "threshold", json_real(threshold));
    json_object_set_new(rule, "resolve_threshold", json_real(resolve));
}

static void read_times(struct call *call, const json_t *given, enum alert_type type, json_t *rule) {
    int64_t for_s = alert_type_row(type)->for_seconds, resolve_s = RESOLVE_DEFAULT_S,
            repeat_s = REPEAT_DEFAULT_S;

    json_read_int(given, &call->fields, "for_seconds", 0, 3600, &for_s);
    json_read_int(given, &call->fields, "resolve_for_seconds", 0, 3600, &resolve_s);
    json_read_int(given, &call->fields, "repeat_interval_seconds", 0, 86400, &repeat_s);
    if (repeat_s > 0 && repeat_s < REPEAT_LEAST_S)
        json_read_wrong(&call->fields, "/repeat_interval_seconds", "range",
                        "must be 0 (never) or %d to 86400", REPEAT_LEAST_S);
    json_object_set_new(rule, "for_seconds", json_integer(for_s));
    json_object_set_new(rule, "resolve_for_seconds", json_integer(resolve_s));
    json_object_set_new(rule, "repeat_interval_seconds", json_integer(repeat_s));
}

static void read_labels(struct call *call, const json_t *given, json_t *rule) {
    json_t *labels = json_object_get(given, "labels"), *value;
    const char *name;

    if (!labels || json_is_null(labels)) {
        json_object_set_new(rule, "labels", json_object());
        return;
    }
    if (!json_is_object(labels) || json_object_size(labels) > 16)
        json_read_wrong(&call->fields, "/labels", "type", "must be an object of at most 16 texts");
    json_object_foreach(labels, name, value) {
        if (!json_is_string(value))
            json_read_wrong(&call->fields, "/labels", "type", "must hold texts alone");
    }
    json_object_set(rule, "labels", labels);
}

/* Contacts must be endpoints of the same account, and the job must be, too. */
static bool read_names(struct call *call, const json_t *given, json_t *rule, struct err *err) {
    const char *contacts[CONTACTS_MAX], *job = NULL;
    json_t *list = json_array();
    size_t count = 0;
    bool ok = true;

    json_object_set_new(rule, "contacts", list);
    json_read_texts(given, &call->fields, "contacts", CONTACTS_MAX, STORE_ID_SIZE, contacts,
                    &count);
    for (size_t i = 0; ok && i < count; i++) {
        json_t *found = NULL;

        ok = store_webhook_list(call->store, call->caller.account, contacts[i], NULL, 1, &found,
                                err);
        if (ok && json_array_size(found) == 0)
            json_read_wrong(&call->fields, arena_printf(call->arena, "/contacts/%zu", i), "invalid",
                            "is no webhook endpoint of yours");
        json_array_append_new(list, json_string(contacts[i]));
        json_decref(found);
    }
    json_read_text(given, &call->fields, "job_id", 1, STORE_ID_SIZE - 1, &job);
    json_object_set_new(rule, "job_id", job ? json_string(job) : json_null());
    if (ok && job) {
        struct store_job row = STORE_JOB_INIT;

        ok = store_job_get(call->store, call->caller.account, job, &row, err);
        if (!ok && err->code == ERR_NOT_FOUND) {
            err_clear(err);
            ok = true;
            json_read_wrong(&call->fields, "/job_id", "invalid", "is no job of yours");
        }
        store_job_done(&row);
    }
    return ok;
}

static void read_choices(struct call *call, const json_t *given, enum alert_type type,
                         json_t *rule) {
    const char *severity = alert_type_row(type)->severity, *name = alert_type_row(type)->title;
    bool suppress = type == ALERT_LATENCY, send_resolved = true, enabled = true;

    json_read_text(given, &call->fields, "name", 1, 128, &name);
    json_read_choice(given, &call->fields, "severity", "info|warning|critical", &severity);
    json_read_bool(given, &call->fields, "suppress_until_caught_up", &suppress);
    json_read_bool(given, &call->fields, "send_resolved", &send_resolved);
    json_read_bool(given, &call->fields, "enabled", &enabled);
    json_object_set_new(rule, "name", json_string(name));
    json_object_set_new(rule, "severity", json_string(severity));
    json_object_set_new(rule, "suppress_until_caught_up", json_boolean(suppress));
    json_object_set_new(rule, "send_resolved", json_boolean(send_resolved));
    json_object_set_new(rule, "enabled", json_boolean(enabled));
}

/* All members of a rule from what was given; what is missing has its type's default. */
static bool read_rule(struct call *call, const json_t *given, json_t **ret_rule, struct err *err) {
    static const char *const later[] = {"verification_diff"};
    const char *name = json_string_value(json_object_get(given, "type"));
    enum alert_type type = ALERT_LATENCY;
    json_t *rule = json_object();

    for (size_t i = 0; name && i < LENGTH_OF(later); i++) {
        if (strcmp(name, later[i]) == 0) {
            json_decref(rule);
            return err_set(err, ERR_NOT_SUPPORTED_YET, "rules of type %s are not built yet", name);
        }
    }
    json_read_known(call->body, &call->fields, members);
    if (!alert_type_parse(name, &type))
        json_read_wrong(&call->fields, "/type", name ? "choice" : "required",
                        "must be one of the types that GET /v1/alert-rules/types lists");
    json_object_set_new(rule, "type", json_string(alert_type_row(type)->name));
    read_choices(call, given, type, rule);
    read_thresholds(call, given, type, rule);
    read_times(call, given, type, rule);
    read_labels(call, given, rule);
    if (read_names(call, given, rule, err) && json_read_end(call->fields, err)) {
        *ret_rule = rule;
        return true;
    }
    json_decref(rule);
    return false;
}

/* ---- calls ------------------------------------------------------------------------------- */

static bool find(struct call *call, const char *id, json_t **ret_row, int64_t *ret_version,
                 struct err *err) {
    json_t *list = NULL;

    if (!store_alert_rule_list(call->store, call->caller.account, id, NULL, NULL, 1, &list, err) ||
        !call_row(list, "alert rule", ret_row, ret_version, err))
        return false;
    json_object_del(*ret_row, "account");
    return true;
}

static bool reply_rule(struct call *call, struct reply *reply, int status, const char *id,
                       struct err *err) {
    int64_t version;
    json_t *row;

    if (!find(call, id, &row, &version, err))
        return false;
    alert_type_add_unit(row);
    call_left(call, json_deep_copy(row));
    call_reply_row(reply, status, row, version);
    return true;
}

bool alert_rules_create(struct call *call, struct reply *reply, struct err *err) {
    char id[ULID_ID_SIZE];
    json_t *rule;
    bool ok;

    if (!read_rule(call, call->body, &rule, err))
        return false;
    ulid_make("arl", id);
    ok = store_alert_rule_add(call->store, id, call->caller.account, rule, err) &&
         reply_rule(call, reply, 201, id, err);
    json_decref(rule);
    if (ok)
        reply_header(reply, "Location", arena_printf(call->arena, "/v1/alert-rules/%s", id));
    return ok;
}

bool alert_rules_list(struct call *call, struct reply *reply, struct err *err) {
    struct page page;
    json_t *rows, *row;
    size_t i;

    if (!page_parse(call->request, "alert-rules", &page, err) ||
        !store_alert_rule_list(call->store, call->caller.account, NULL, NULL,
                               page.after[0] ? page.after : NULL, page.limit + 1, &rows, err))
        return false;
    json_array_foreach(rows, i, row) {
        json_object_del(row, "account");
        alert_type_add_unit(row);
    }
    call_reply_rows(reply, &page, rows);
    return true;
}

bool alert_rules_types(struct call *call, struct reply *reply, struct err *err) {
    json_t *items = json_array();

    for (int i = 0; i < ALERT_TYPE_COUNT; i++) {
        const struct alert_type_row *row = alert_type_row((enum alert_type)i);

        json_array_append_new(
            items, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:i, s:s}", "type", row->name, "title",
                             row->title, "unit", row->unit, "threshold",
                             row->side ? json_real(row->threshold) : json_null(), "lowest",
                             row->side ? json_real(row->lowest) : json_null(), "highest",
                             row->side ? json_real(row->highest) : json_null(), "for_seconds",
                             row->for_seconds, "severity", row->severity));
    }
    return page_whole(call->request, "alert-types", reply, items, err);
}

bool alert_rules_get(struct call *call, struct reply *reply, struct err *err) {
    const char *id;

    return call_id(call, 0, "arl", &id, err) && reply_rule(call, reply, 200, id, err);
}

bool alert_rules_patch(struct call *call, struct reply *reply, struct err *err) {
    json_t *merged, *rule, *value;
    const char *id, *name;
    int64_t version;
    bool ok, written;

    if (!call_change(call, "arl", find, &id, &merged, &version, err))
        return false;
    json_object_foreach(call->body, name, value) {
        if (json_is_null(value))
            json_object_del(merged, name);
        else
            json_object_set(merged, name, value);
    }
    /* Another threshold takes the old one's end with it. */
    if (json_object_get(call->body, "threshold") &&
        !json_object_get(call->body, "resolve_threshold"))
        json_object_del(merged, "resolve_threshold");
    ok = read_rule(call, merged, &rule, err);
    json_decref(merged);
    if (!ok)
        return false;
    ok = store_alert_rule_change(call->store, id, version, rule, &written, err) &&
         call_was_written(id, written, err) && reply_rule(call, reply, 200, id, err);
    json_decref(rule);
    return ok;
}

bool alert_rules_delete(struct call *call, struct reply *reply, struct err *err) {
    int64_t version;
    const char *id;
    json_t *row;
    bool found;

    if (!call_change(call, "arl", find, &id, &row, &version, err))
        return false;
    json_decref(row);
    if (!store_alert_rule_delete(call->store, call->caller.account, id, &found, err))
        return false;
    reply_empty(reply, 204);
    return true;
}
