/* Changes of a job that exists: its specification and its limits. */
#include <poll.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/flow/throttle.h"
#include "services/job/job_class.h"
#include "services/job/job_edit.h"
#include "services/job/job_edit_ends.h"
#include "services/job/throttle_plan.h"

#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/etag.h"
#include "web-api/handlers/handlers.h"

static const char *const ends[] = {"source", "destination"};

/* Patch the job of the address under the caller's condition; ret_job is as it was. */
static bool patch_job(struct call *call, const json_t *patch, struct store_job *ret_job,
                      struct err *err) {
    struct job_move move = call_move(call);

    return call_job(call, ret_job, err) &&
           call_if_match(call, ret_job->version, &move.expected_version, err) &&
           job_edit_patch(call->store, app_keyring(call->app), ret_job->id, &move, patch,
                          &call->fields, err);
}

/* What the patch would make of the job, and a worker that looks at `ends` of that (all of them, or
 * those only that move). *ret_id is "" when there is none to be looked at. */
static bool queue_look(struct call *call, bool moved_only, char ret_id[STORE_ID_SIZE],
                       struct err *err) {
    struct store_precheck_options options = {.purpose = "connectivity", .read_only = true};
    struct store_job job = STORE_JOB_INIT;
    struct job_move move = call_move(call);
    struct job_spec spec = {0};
    size_t left = LENGTH_OF(ends);
    bool ok = call_job(call, &job, err) &&
              call_if_match(call, job.version, &move.expected_version, err) &&
              job_edit_try(call->store, app_keyring(call->app), &job, &move, call->body, &spec,
                           &call->fields, err);

    ret_id[0] = '\0';
    for (size_t i = 0; ok && moved_only && i < LENGTH_OF(ends); i++) {
        if (job.started_ms == 0 || !job_edit_ends_moves(&job, spec.spec, ends[i])) {
            json_object_del(spec.spec, ends[i]);
            left--;
        }
    }
    if (job.started_ms != 0)
        options.of_job = job.id;
    if (ok && left > 0)
        ok = job_control_precheck_alone(call->store, app_keyring(call->app), call->caller.account,
                                        call->caller.actor, &spec, &options, ret_id, err);
    job_spec_done(&spec);
    store_job_done(&job);
    return ok;
}

/* Nothing is written: a worker looks whether both ends can be reached as they would then be, and
 * whether they are still the job's own. */
static bool try_patch(struct call *call, struct reply *reply, struct err *err) {
    char id[STORE_ID_SIZE];

    if (!queue_look(call, false, id, err))
        return false;
    call->wait_for = WAIT_FOR_PRECHECK;
    memcpy(call->wait_id, id, strlen(id) + 1);
    reply_header(reply, "Location", arena_printf(call->arena, "/v1/connectivity-tests/%s", id));
    return call_reply_precheck(call, reply, 202, id, err);
}

/* ---- a new address is looked at before it is taken ---- */

enum { TAKE_STORE_MS = 3000, LOOK_MS = 15000, CLAIM_MS = 8000, PAUSE_MS = 60 };

/* An end that turned out to be another server. Errors: CONFIG_DRIFT. */
static bool judge(const struct store_precheck *run, struct err *err) {
    static const char *const ids[] = {"src.identity", "dst.identity"};
    const json_t *item;
    size_t i;

    json_array_foreach(run->items, i, item) {
        const char *id = json_string_value(json_object_get(item, "id"));
        const char *result = json_string_value(json_object_get(item, "result"));
        const char *message = json_string_value(json_object_get(item, "message"));

        for (size_t k = 0; k < LENGTH_OF(ids); k++) {
            if (id && result && strcmp(id, ids[k]) == 0 && strcmp(result, "fail") == 0)
                return err_set(err, ERR_CONFIG_DRIFT, "%s: %s", ends[k], message ? message : "");
        }
    }
    return true;
}

/* Look at the run once. *ret_over: it has ended, or no worker has taken it in time. */
static bool look(struct call *call, const char *id, bool is_late, bool *ret_over, struct err *err) {
    struct store_precheck run = {0};
    bool ok = store_pool_take(app_pool(call->app), TAKE_STORE_MS, &call->store, err);

    if (!ok)
        return false;
    ok = store_precheck_get(call->store, call->caller.account, id, &run, err);
    store_pool_give(app_pool(call->app), call->store);
    call->store = NULL;
    if (ok) {
        *ret_over = strcmp(run.state, "queued") == 0 ? is_late : strcmp(run.state, "running") != 0;
        ok = judge(&run, err);
    }
    store_precheck_done(&run);
    return ok;
}

/* Whoever cannot be reached, or is not looked at in time, is not called another server: the worker
 * that connects is careful all the same. */
bool job_edits_prepare(struct call *call, struct err *err) {
    int64_t began = clock_mono_ms();
    char id[STORE_ID_SIZE];
    bool over = false, dry_run = false, ok;

    if (!call_query_flag(call, "dry_run", &dry_run, err))
        return false;
    if (dry_run || (!json_object_get(call->body, ends[0]) && !json_object_get(call->body, ends[1])))
        return true;
    if (!store_pool_take(app_pool(call->app), TAKE_STORE_MS, &call->store, err))
        return false;
    ok = queue_look(call, true, id, err);
    store_pool_give(app_pool(call->app), call->store);
    call->store = NULL;
    while (ok && id[0] && !over && !app_is_stopping(call->app) &&
           clock_mono_ms() - began < LOOK_MS) {
        poll(NULL, 0, PAUSE_MS);
        ok = look(call, id, clock_mono_ms() - began >= CLAIM_MS, &over, err);
    }
    return ok;
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

/* The patch stands below /throttle, the caller's body does not. */
static void point_into_body(json_t *errors) {
    static const char above[] = "/throttle";
    json_t *one;
    size_t i;

    json_array_foreach(errors, i, one) {
        const char *pointer = json_string_value(json_object_get(one, "pointer"));

        if (pointer && strncmp(pointer, above, strlen(above)) == 0)
            json_object_set_new(one, "pointer", json_string(pointer + strlen(above)));
    }
}

bool job_edits_throttle_put(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    json_t *patch = whole_throttle(call->body);
    bool ok = patch_job(call, patch, &job, err) && reply_throttle(call, reply, job.id, err);

    if (!ok)
        point_into_body(call->fields);
    json_decref(patch);
    store_job_done(&job);
    return ok;
}
