/* What fires and what has fired; taking care of it. */
#include <string.h>

#include "services/alert/alert_rule.h"
#include "services/alert/runbook.h"
#include "services/common/clock.h"
#include "sql/store_alert.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"

/* With its unit and the page that says what to do. */
static void add_doc(struct call *call, json_t *row) {
    const char *type = json_string_value(json_object_get(row, "type"));

    alert_type_add_unit(row);
    json_object_set_new(row, "doc_url",
                        json_string(arena_printf(call->arena, RUNBOOK_PATH "alert.%s", type)));
}

static bool reply_alert(struct call *call, struct reply *reply, const char *id, struct err *err) {
    int64_t version;
    json_t *list = NULL, *row;

    if (!store_alert_list(call->store, call->caller.account, id, NULL, NULL, NULL, 1, &list, err) ||
        !call_row(list, "alert", &row, &version, err))
        return false;
    add_doc(call, row);
    call_left(call, json_deep_copy(row));
    call_reply_row(reply, 200, row, version);
    return true;
}

static bool query_text(struct call *call, const char *name, const char **ret) {
    struct str value;

    *ret = NULL;
    if (!request_query(call->request, name, &value))
        return false;
    *ret = arena_dup(call->arena, value);
    return true;
}

bool alerts_list(struct call *call, struct reply *reply, struct err *err) {
    const char *state, *job;
    struct page page;
    json_t *rows, *row;
    size_t i;

    if (query_text(call, "state", &state) && strcmp(state, "firing") != 0 &&
        strcmp(state, "resolved") != 0)
        return err_set(err, ERR_VALIDATION, "state: must be firing or resolved");
    query_text(call, "job_id", &job);
    if (!page_parse(call->request, "alerts", &page, err) ||
        !store_alert_list(call->store, call->caller.account, NULL, state, job,
                          page.after[0] ? page.after : NULL, page.limit + 1, &rows, err))
        return false;
    json_array_foreach(rows, i, row) add_doc(call, row);
    call_reply_rows(reply, &page, rows);
    return true;
}

bool alerts_get(struct call *call, struct reply *reply, struct err *err) {
    const char *id;

    return call_id(call, 0, "alt", &id, err) && reply_alert(call, reply, id, err);
}

static bool heed(struct call *call, struct reply *reply, const char *by, int64_t until_ms,
                 struct err *err) {
    json_t *list = NULL, *row;
    int64_t version, expected;
    const char *id;
    bool found;

    if (!call_id(call, 0, "alt", &id, err) ||
        !store_alert_list(call->store, call->caller.account, id, NULL, NULL, NULL, 1, &list, err) ||
        !call_row(list, "alert", &row, &version, err))
        return false;
    call_found(call, row);
    if (!call_if_match(call, version, &expected, err) ||
        !store_alert_heed(call->store, call->caller.account, id, by, until_ms, &found, err))
        return false;
    if (!found)
        return err_set(err, ERR_INVALID_STATE, "the alert is over");
    return reply_alert(call, reply, id, err);
}

bool alerts_acknowledge(struct call *call, struct reply *reply, struct err *err) {
    json_read_known(call->body, &call->fields, "");
    return json_read_end(call->fields, err) && heed(call, reply, call->caller.actor, -1, err);
}

/* {"until": time}; null ends a silence. */
bool alerts_silence(struct call *call, struct reply *reply, struct err *err) {
    int64_t until_ms = -1;

    json_read_known(call->body, &call->fields, "until");
    json_read_time(call->body, &call->fields, "until", &until_ms);
    if (until_ms == -1 && !call->fields)
        json_read_wrong(&call->fields, "/until", "required", "is missing; null ends a silence");
    if (until_ms > 0 && until_ms <= clock_wall_ms())
        json_read_wrong(&call->fields, "/until", "range", "must lie in the future");
    return json_read_end(call->fields, err) && heed(call, reply, NULL, until_ms, err);
}
