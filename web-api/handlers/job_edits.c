/* Changes of a job that exists: its specification and its limits. */
#include <string.h>

#include "services/common/clock.h"
#include "services/flow/throttle.h"
#include "services/job/job_class.h"
#include "services/job/job_edit.h"
#include "services/job/throttle_plan.h"

#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/etag.h"
#include "web-api/handlers/handlers.h"

/* Patch the job of the address under the caller's condition; ret_job is as it was. */
static bool patch_job(struct call *call, const json_t *patch, struct store_job *ret_job,
                      struct err *err) {
    struct job_move move = call_move(call);

    return call_job(call, ret_job, err) &&
           call_if_match(call, ret_job->version, &move.expected_version, err) &&
           job_edit_patch(call->store, app_keyring(call->app), ret_job->id, &move, patch,
                          &call->fields, err);
}

/* Nothing is written: a worker looks whether both ends can be reached as they would then be. */
static bool try_patch(struct call *call, struct reply *reply, struct err *err) {
    static const struct store_precheck_options options = {.purpose = "connectivity",
                                                          .read_only = true};
    struct store_job job = STORE_JOB_INIT;
    struct job_move move = call_move(call);
    struct job_spec spec = {0};
    char id[STORE_ID_SIZE];
    bool ok = call_job(call, &job, err) &&
              call_if_match(call, job.version, &move.expected_version, err) &&
              job_edit_try(call->store, app_keyring(call->app), &job, &move, call->body, &spec,
                           &call->fields, err) &&
              job_control_precheck_alone(call->store, app_keyring(call->app), call->caller.account,
                                         call->caller.actor, &spec, &options, id, err);

    job_spec_done(&spec);
    store_job_done(&job);
    if (!ok)
        return false;
    call->wait_for = WAIT_FOR_PRECHECK;
    memcpy(call->wait_id, id, strlen(id) + 1);
    reply_header(reply, "Location", arena_printf(call->arena, "/v1/connectivity-tests/%s", id));
    return call_reply_precheck(call, reply, 202, id, err);
}

bool job_edits_patch(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    bool dry_run = false, ok;

    if (!call_query_flag(call, "dry_run", &dry_run, err))
        return false;
    if (dry_run)
        return try_patch(call, reply, err);
    ok = patch_job(call, call->body, &job, err) && call_reply_job(call, reply, 200, job.id, err);
    store_job_done(&job);
    return ok;
}

/* ---- throttle ---- */

/* null = none, 0 = a window of the schedule halts the job. */
static json_t *limit_view(uint64_t limit) {
    return limit == 0               ? json_null()
           : limit == THROTTLE_HALT ? json_integer(0)
                                    : json_integer((json_int_t)limit);
}

static json_t *effective_view(const json_t *throttle, const char *instance_class,
                              const struct store_progress *p) {
    uint32_t cap = job_class_cap(instance_class);
    struct throttle_limits l;
    int window;

    throttle_plan_at(throttle, clock_wall_ms(), &l, &window);
    l.tail_commands = throttle_stricter(l.tail_commands, cap);
    throttle_plan_cap(&l, (uint64_t)p->role_rps, (uint64_t)p->role_bytes_per_second);
    return json_pack("{s:{s:o, s:o, s:o}, s:{s:o, s:o}, s:o}", "full", "source_qps",
                     limit_view(l.full_source_commands), "rps", limit_view(l.full_keys),
                     "bytes_per_second", limit_view(l.full_bytes), "incremental", "rps",
                     limit_view(l.tail_commands), "bytes_per_second", limit_view(l.tail_bytes),
                     "window", window < 0 ? json_null() : json_integer(window));
}

static json_t *measured_view(const struct store_progress *p) {
    return json_pack(
        "{s:I, s:I, s:I, s:{s:I, s:I, s:I}, s:f, s:f}", "keys_per_second",
        (json_int_t)p->keys_per_second, "commands_per_second", (json_int_t)p->commands_per_second,
        "bytes_per_second", (json_int_t)p->bytes_per_second, "waited_ms", "source",
        (json_int_t)(p->source_waited_us / 1000), "full", (json_int_t)(p->full_waited_us / 1000),
        "incremental", (json_int_t)(p->tail_waited_us / 1000), "source_latency_ms",
        (double)p->source_latency_us / 1000, "destination_latency_ms",
        (double)p->destination_latency_us / 1000);
}

static bool reply_throttle(struct call *call, struct reply *reply, const char *id,
                           struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    const json_t *throttle;
    json_t *view;

    if (!store_job_get(call->store, call->caller.account, id, &job, err))
        return false;
    throttle = json_object_get(job.spec, "throttle");
    view = json_pack("{s:O?, s:o, s:o}", "configured", throttle, "effective",
                     effective_view(throttle, job.instance_class, &job.progress), "measured",
                     measured_view(&job.progress));
    etag_add(view, job.version);
    store_job_done(&job);
    call_reply_tagged(reply, 200, view);
    return true;
}

bool job_edits_throttle_get(struct call *call, struct reply *reply, struct err *err) {
    const char *id;

    return call_id(call, 0, "job", &id, err) && reply_throttle(call, reply, id, err);
}

/* A PUT says the whole: what it leaves out goes back to its default, which a merge
 * patch says with null. */
static json_t *whole_throttle(const json_t *body) {
    json_t *patch = json_pack("{s:{s:n, s:n, s:n, s:n}, s:{s:n, s:n, s:n}, s:n, s:n}", "full",
                              "enabled", "source_qps", "rps", "bytes_per_second", "incremental",
                              "enabled", "rps", "bytes_per_second", "schedule", "adaptive");
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)body, name, value) {
        json_t *into = json_object_get(patch, name);

        if (json_is_object(into) && json_is_object(value))
            json_object_update(into, value);
        else
            json_object_set(patch, name, value);
    }
    return json_pack("{s:o}", "throttle", patch);
}

bool job_edits_throttle_put(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    json_t *patch = whole_throttle(call->body);
    bool ok = patch_job(call, patch, &job, err) && reply_throttle(call, reply, job.id, err);

    json_decref(patch);
    store_job_done(&job);
    return ok;
}
