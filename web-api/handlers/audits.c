/* Who changed what. */
#include <stdlib.h>
#include <string.h>

#include "sql/store_audit.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_time.h"

static bool read_time(struct call *call, const char *name, int64_t *ret_ms, struct err *err) {
    struct str text;
    json_t *value;
    bool ok;

    if (!request_query(call->request, name, &text))
        return true;
    value = json_stringn(text.ptr, text.len);
    ok = json_time_parse(value, ret_ms);
    json_decref(value);
    return ok ||
           err_set(err, ERR_VALIDATION, "%s: must be a time like 2026-11-20T09:54:00.123Z", name);
}

static void read_text(struct call *call, const char *name, const char **ret) {
    struct str text;

    if (request_query(call->request, name, &text))
        *ret = arena_dup(call->arena, text);
}

bool audits_list(struct call *call, struct reply *reply, struct err *err) {
    struct store_audit_filter filter = {.before_number = 0};
    struct page page;
    json_t *rows;

    if (!page_parse(call->request, "audit", &page, err) ||
        !read_time(call, "since", &filter.since_ms, err) ||
        !read_time(call, "until", &filter.until_ms, err))
        return false;
    read_text(call, "object", &filter.object);
    read_text(call, "action", &filter.action);
    read_text(call, "actor", &filter.actor);
    if (page.after[0])
        filter.before_number =
            strtoll(str_skip(str_from(page.after), strlen("aud_")).ptr, NULL, 10);
    filter.limit = page.limit + 1;
    if (!store_audit_list(call->store, call->caller.account, &filter, &rows, err))
        return false;
    call_reply_rows(reply, &page, rows);
    return true;
}
