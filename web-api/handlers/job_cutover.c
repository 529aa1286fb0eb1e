/* The switch: cutover, calling it off, forgetting. The worker carries each out; here is judged
 * what can be known without asking a server. */
#include <stdio.h>
#include <string.h>

#include "services/common/clock.h"
#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"

enum {
    /* The source is looked at once in a heartbeat interval, and reported once a second. */
    WRITTEN_WITHIN_MS = 3000,
    LAG_BYTES_MAX = 1 << 30,
    PAUSE_MS_MIN = 1000,
    PAUSE_MS_MAX = 60000,
};

static void read_number(struct call *call, const char *name, json_int_t lowest, json_int_t highest,
                        json_int_t *value) {
    const json_t *member = json_object_get(call->body, name);
    char pointer[64];

    if (!member)
        return;
    snprintf(pointer, sizeof(pointer), "/%s", name);
    if (!json_is_integer(member))
        json_read_wrong(&call->fields, pointer, "type", "must be a whole number");
    else if (json_integer_value(member) < lowest || json_integer_value(member) > highest)
        json_read_wrong(&call->fields, pointer, "range",
                        "must be %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT, lowest,
                        highest);
    else
        *value = json_integer_value(member);
}

/* What the contract has and this version has not: said by name, unless it is left off. */
static bool refuse_later(struct call *call, const char *pause, struct err *err) {
    static const struct {
        const char *name, *what;
    } later[] = {
        {"verify", "comparing both ends within a cutover"},
        {"reverse", "a way back"},
        {"rehearse", "a rehearsal"},
        {"hook", "a hook"},
        {"acl_users", "taking writers their rights"},
    };
    const char *missing = strcmp(pause, "acl") == 0 ? "taking writers their rights" : NULL;

    if (missing)
        json_read_wrong(&call->fields, "/pause_source", "not_supported_yet", "%s is not built yet",
                        missing);
    for (size_t i = 0; i < LENGTH_OF(later); i++) {
        const json_t *member = json_object_get(call->body, later[i].name);
        char pointer[32];

        if (!member || json_is_null(member) || json_is_false(member) ||
            (json_is_array(member) && json_array_size(member) == 0))
            continue;
        snprintf(pointer, sizeof(pointer), "/%s", later[i].name);
        json_read_wrong(&call->fields, pointer, "not_supported_yet", "%s is not built yet",
                        later[i].what);
        missing = later[i].what;
    }
    return !missing || err_set(err, ERR_NOT_SUPPORTED_YET, "%s is not built yet", missing);
}

static bool is_written(const struct store_job *job, int64_t *ret_ago_ms) {
    *ret_ago_ms = clock_wall_ms() - job->progress.source_written_at_ms;
    return job->progress.source_written_at_ms > 0 && *ret_ago_ms < WRITTEN_WITHIN_MS;
}

/* May it begin now? The state's own refusal comes first, from the table of states. */
static bool may_cut_over(const struct store_job *job, const char *pause, struct err *err) {
    int64_t ago_ms;

    if (strcmp(job->state, "running") != 0)
        return true;
    if (strcmp(job->progress.phase, "incremental") != 0)
        return err_set(err, ERR_INVALID_STATE,
                       "%s follows no changes yet: a cutover comes behind the full copy", job->id);
    if (strcmp(pause, "none") == 0 && is_written(job, &ago_ms))
        return err_set(err, ERR_SOURCE_STILL_WRITTEN,
                       "the source was written %lld ms ago: stop its writers first, or let them be "
                       "stopped with \"pause_source\": \"client_pause\"",
                       (long long)ago_ms);
    return true;
}

static bool move_on(struct call *call, struct reply *reply, const struct store_job *job,
                    enum job_event event, json_t *wanted_taken, const char *detail,
                    struct err *err) {
    struct job_move move = call_move(call);
    bool ok;

    move.wanted = wanted_taken;
    move.detail = detail;
    ok = call_if_match(call, job->version, &move.expected_version, err) &&
         job_control_move(call->store, job->id, event, &move, NULL, err);
    json_decref(wanted_taken);
    call->wait_for = WAIT_FOR_JOB;
    memcpy(call->wait_id, job->id, strlen(job->id) + 1);
    return ok && call_reply_job(call, reply, 202, job->id, err);
}

bool job_cutover_begin(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    json_int_t lag_bytes = 1 << 20, pause_ms = 10000;
    const char *pause = "none";
    json_t *wanted;
    bool ok;

    json_read_known(call->body, &call->fields,
                    "pause_source acl_users handoff_max_lag_bytes write_pause_timeout_ms verify "
                    "reverse rehearse hook");
    json_read_choice(call->body, &call->fields, "pause_source", "none|client_pause|acl", &pause);
    read_number(call, "handoff_max_lag_bytes", 0, LAG_BYTES_MAX, &lag_bytes);
    read_number(call, "write_pause_timeout_ms", PAUSE_MS_MIN, PAUSE_MS_MAX, &pause_ms);
    if (!json_read_end(call->fields, err) || !refuse_later(call, pause, err) ||
        !call_job(call, &job, err))
        return false;
    wanted = json_pack("{s:{s:s, s:I, s:I}, s:b}", "cutover", "pause_source", pause,
                       "handoff_max_lag_bytes", lag_bytes, "write_pause_timeout_ms", pause_ms,
                       "abort_cutover", 0);
    ok = may_cut_over(&job, pause, err);
    if (!ok)
        json_decref(wanted);
    ok = ok && move_on(call, reply, &job, JOB_EV_CUTOVER, wanted,
                       strcmp(pause, "none") == 0 ? "the source's writers were stopped by its owner"
                                                  : "the source's writers are paused",
                       err);
    store_job_done(&job);
    return ok;
}

bool job_cutover_abort(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    bool ok;

    json_read_known(call->body, &call->fields, "");
    if (!json_read_end(call->fields, err) || !call_job(call, &job, err))
        return false;
    /* A seal that is set meanwhile wins, too: the job is then completed. */
    ok = strcmp(job.progress.position_state, "sealed") != 0 ||
         err_set(err, ERR_INVALID_STATE,
                 "the destination is sealed: from there a cutover only goes forward");
    ok = ok && move_on(call, reply, &job, JOB_EV_ABORT_ASKED,
                       json_pack("{s:b}", "abort_cutover", 1), NULL, err);
    store_job_done(&job);
    return ok;
}

bool job_cutover_forget(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    bool ok;

    json_read_known(call->body, &call->fields, "");
    if (!json_read_end(call->fields, err) || !call_job(call, &job, err))
        return false;
    ok =
        move_on(call, reply, &job, JOB_EV_FORGET_ASKED, json_pack("{s:b}", "forget", 1), NULL, err);
    store_job_done(&job);
    return ok;
}
