/* What of the source a job migrates, and how far each part is. */
#include <stdlib.h>
#include <string.h>

#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/job_objects_view.h"
#include "web-api/page.h"

static const char *id_of(const json_t *item) {
    return json_string_value(json_object_get(item, "id"));
}

bool job_objects_list(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    json_t *all, *items, *row;
    struct page page;
    size_t i;

    if (!page_parse(call->request, "objects", &page, err) || !call_job(call, &job, err))
        return false;
    all = job_objects_view(&job);
    items = json_array();
    json_array_foreach(all, i, row) {
        bool is_behind =
            page.after[0] == '\0' || strtol(id_of(row), NULL, 10) > strtol(page.after, NULL, 10);

        if (is_behind && json_array_size(items) <= (size_t)page.limit)
            json_array_append(items, row);
    }
    json_decref(all);
    store_job_done(&job);
    reply_json(reply, 200, page_json(&page, items, id_of));
    return true;
}
