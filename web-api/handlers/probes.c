/* Looks at a server that need not belong to a job: does one get there, and what is it. Carried out
 * by a worker, as a precheck is. */
#include <stdio.h>
#include <string.h>

#include "services/job/job_reference.h"
#include "services/job/job_spec.h"
#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"

/* Queue a run for a specification that was read, and answer with it. */
static bool queue(struct call *call, struct reply *reply, const struct job_spec *spec,
                  const char *purpose, bool read_only, const char *path, struct err *err) {
    const struct store_precheck_options options = {.purpose = purpose, .read_only = read_only};
    char id[STORE_ID_SIZE];

    if (!job_control_precheck_alone(call->store, app_keyring(call->app), call->caller.account,
                                    call->caller.actor, spec, &options, id, err))
        return false;
    call->wait_for = WAIT_FOR_PRECHECK;
    memcpy(call->wait_id, id, strlen(id) + 1);
    if (!call_reply_precheck(call, reply, 202, id, err))
        return false;
    reply_header(reply, "Location", arena_printf(call->arena, "%s/%s", path, id));
    return true;
}

/* `probe` beside what job_spec reads. */
static bool read_probe(struct call *call, bool *ret_read_only) {
    const char *probe = "read_only";

    json_read_choice(call->body, &call->fields, "probe", "full|read_only", &probe);
    *ret_read_only = strcmp(probe, "read_only") == 0;
    json_object_del(call->body, "probe");
    return true;
}

bool probes_connectivity(struct call *call, struct reply *reply, struct err *err) {
    struct job_spec spec = {0};
    bool read_only, ok;

    json_read_known(call->body, &call->fields, "source destination migration worker_pool probe");
    if (!read_probe(call, &read_only) || !json_read_end(call->fields, err))
        return false;
    ok = job_reference_read(call->store, call->caller.account, call->body, &spec, &call->fields,
                            err);
    if (ok && json_array_size(spec.missing) == 2) {
        json_read_wrong(&call->fields, "/source", "required",
                        "name a source, a destination or both");
        ok = json_read_end(call->fields, err);
    }
    ok = ok && queue(call, reply, &spec, "connectivity", read_only, "/v1/connectivity-tests", err);
    job_spec_done(&spec);
    return ok;
}

/* The reader knows the endpoint as a source, and why a file is none to follow: who asked knows it
 * as `endpoint`. */
static json_t *renamed(const json_t *errors) {
    json_t *list = json_array(), *one;
    size_t i;

    json_array_foreach(errors, i, one) {
        json_t *copy = json_copy(one);
        const char *pointer = json_string_value(json_object_get(one, "pointer"));

        bool is_inside = pointer && strncmp(pointer, "/source", strlen("/source")) == 0;

        if (!pointer || strcmp(pointer, "/worker_pool") != 0)
            json_object_set_new(
                copy, "pointer",
                json_sprintf("/endpoint%s", is_inside ? pointer + strlen("/source") : ""));
        json_array_append_new(list, copy);
    }
    return list;
}

bool probes_discover(struct call *call, struct reply *reply, struct err *err) {
    json_t *endpoint = json_object_get(call->body, "endpoint"), *body;
    const json_t *pool = json_object_get(call->body, "worker_pool");
    struct job_spec spec = {0};
    json_t *errors = NULL;
    bool ok;

    json_read_known(call->body, &call->fields, "endpoint worker_pool");
    if (!endpoint)
        json_read_wrong(&call->fields, "/endpoint", "required", "is missing");
    if (!json_read_end(call->fields, err))
        return false;
    body = json_pack("{s:O}", "source", endpoint);
    if (pool)
        json_object_set(body, "worker_pool", (json_t *)(uintptr_t)pool);
    ok = job_reference_read(call->store, call->caller.account, body, &spec, &errors, err);
    json_decref(body);
    if (!ok)
        call->fields = renamed(errors);
    json_decref(errors);
    ok = ok && queue(call, reply, &spec, "discover", true, "/v1/discover", err);
    job_spec_done(&spec);
    return ok;
}

static bool get(struct call *call, struct reply *reply, const char *prefix, struct err *err) {
    const char *id;

    return call_id(call, 0, prefix, &id, err) && call_reply_precheck(call, reply, 200, id, err);
}

bool probes_connectivity_get(struct call *call, struct reply *reply, struct err *err) {
    return get(call, reply, "cnt", err);
}

bool probes_discover_get(struct call *call, struct reply *reply, struct err *err) {
    return get(call, reply, "dsc", err);
}
