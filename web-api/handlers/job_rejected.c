/* Commands of the source that a policy left out: read, and applied after all. */
#include <stdlib.h>
#include <string.h>

#include "services/job/job_state.h"
#include "sql/store_rejected.h"
#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"
#include "web-api/page.h"

enum { IDS_MAX = 1000, ID_DIGITS_MAX = 18 };

static const char *id_of(const json_t *item) {
    return json_string_value(json_object_get(item, "id"));
}

bool job_rejected_list(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    struct page page;
    json_t *items;
    bool ok;

    if (!page_parse(call->request, "rejected", &page, err) || !call_job(call, &job, err))
        return false;
    ok = store_rejected_list(call->store, job.id, strtoll(page.after, NULL, 10), page.limit + 1,
                             &items, err);
    store_job_done(&job);
    if (ok)
        reply_json(reply, 200, page_json(&page, items, id_of));
    return ok;
}

static void check_ids(struct call *call, const char *const *ids, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strlen(ids[i]) > ID_DIGITS_MAX || strspn(ids[i], "0123456789") != strlen(ids[i])) {
            json_read_wrong(&call->fields, "/ids", "invalid", "are ids of the list");
            return;
        }
    }
}

/* The worker that follows the source carries it out; a job that is paused or blocked does when it
 * goes on. */
bool job_rejected_replay(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    const char *ids[IDS_MAX];
    enum job_state state;
    int64_t wanted = 0, expected;
    size_t count = 0;
    bool ok;

    json_read_known(call->body, &call->fields, "ids");
    json_read_texts(call->body, &call->fields, "ids", IDS_MAX, ID_DIGITS_MAX, ids, &count);
    check_ids(call, ids, count);
    if (!json_read_end(call->fields, err) || !call_job(call, &job, err))
        return false;
    ok = !job_state_parse(job.state, &state) || !job_state_is_final(state) ||
         err_set(err, ERR_INVALID_STATE, "%s is %s: nothing is applied to its destination any more",
                 job.id, job.state);
    ok = ok && call_if_match(call, job.version, &expected, err) &&
         store_rejected_want(call->store, job.id, ids, count, &wanted, err);
    store_job_done(&job);
    if (ok)
        reply_json(reply, 202, json_pack("{s:I}", "wanted", (json_int_t)wanted));
    return ok;
}
