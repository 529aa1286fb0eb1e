#include "services/job/job_edit.h"

#include <stdio.h>
#include <string.h>

#include "services/job/job_edit_class.h"
#include "services/job/job_edit_ends.h"
#include "services/job/job_reference.h"
#include "services/job/job_request.h"
#include "services/job/job_spec_conflict.h"
#include "sql/store_job.h"
#include "sql/store_job_edit.h"
#include "sql/store_txn.h"

enum { ATTEMPTS_MAX = 8 };

struct edit {
    const struct keyring *ring;
    const char *job;
    const struct job_move *move;
    const json_t *patch;
    json_t **ret_errors;
};

void job_edit_merge(json_t *target, const json_t *patch) {
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)patch, name, value) {
        json_t *old = json_object_get(target, name);

        if (json_is_null(value)) {
            json_object_del(target, name);
        } else if (json_is_object(value) && json_is_object(old)) {
            job_edit_merge(old, value);
        } else if (json_is_object(value)) {
            json_t *made = json_object();

            job_edit_merge(made, value);
            json_object_set_new(target, name, made);
        } else {
            json_object_set(target, name, value);
        }
    }
}

/* `alerts` and `verification` so far take nothing but their default, which is one at any time. */
static const char *const light_members[] = {
    "name",  "labels",        "environment", "resource_group", "instance_class",
    "retry", "auto_recovery", "throttle",    "alerts",         "verification",
    NULL};
enum { LIGHT_COUNT = LENGTH_OF(light_members) - 1 };

/* What a command of the stream is met with. It takes effect with the next claim, so it changes
 * only where the job stands still. */
static const char *const policies[] = {"lua_policy", "flush_policy", "publish",
                                       "unknown_command_policy", "exclude_commands"};

static bool is_one_of(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool changes_policies_only(const json_t *patch, const char *state) {
    const json_t *objects = json_object_get(patch, "objects");
    const char *name;
    json_t *value;

    if (!json_is_object(objects) || (strcmp(state, "paused") != 0 &&
                                     strcmp(state, "blocked") != 0 && strcmp(state, "failed") != 0))
        return false;
    json_object_foreach((json_t *)(uintptr_t)objects, name, value) {
        if (!is_one_of(name, policies, LENGTH_OF(policies)))
            return false;
    }
    return true;
}

/* May every member of the patch change while the job runs? */
static bool is_light(const json_t *patch, const char *state) {
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)patch, name, value) {
        if (!is_one_of(name, light_members, LIGHT_COUNT) &&
            !(strcmp(name, "objects") == 0 && changes_policies_only(patch, state)))
            return false;
    }
    return true;
}

static bool has_warning(const json_t *warnings, const char *code) {
    const json_t *warning;
    size_t i;

    json_array_foreach(warnings, i, warning) {
        const char *its = json_string_value(json_object_get(warning, "code"));

        if (its && strcmp(its, code) == 0)
            return true;
    }
    return false;
}

static bool is_started(const struct store_job *job) {
    return job->started_ms != 0;
}

/* What the patched job would have been asked for with. */
static bool patched_request(struct store *store, const struct edit *e, const struct store_job *job,
                            json_t **ret_body, struct err *err) {
    static const char *const ends[2] = {"source", "destination"};
    struct secret sealed = SECRET_INIT;
    json_t *body = NULL, *patch = json_deep_copy(e->patch);
    bool ok = job_reference_resolve(store, job->account, patch, e->ret_errors, err) &&
              job_control_unseal(e->ring, "job", job->id, buf_str(&job->sealed), &sealed, err) &&
              job_request_whole(job->spec, &sealed, &body, err);

    secret_done(&sealed);
    if (!ok) {
        json_decref(patch);
        return false;
    }
    json_object_set_new(
        body, "name", job_control_is_half_named(job->name) ? json_null() : json_string(job->name));
    if (!job_spec_conflict_is_chosen(body))
        json_object_del(body, "conflict_scope"); /* follows the selection */
    /* A selection that the source's URL made goes with it and comes again with it. */
    if (has_warning(job->warnings, "database_of_url"))
        json_object_del(json_object_get(body, "objects"), "databases");
    if (is_started(job)) {
        job_edit_ends_merge(body, patch);
        json_object_del(patch, ends[0]);
        json_object_del(patch, ends[1]);
    }
    for (int i = 0; i < 2; i++)
        if (json_object_get(patch, ends[i]))
            json_object_del(body, ends[i]);
    job_edit_merge(body, patch);
    json_decref(patch);
    *ret_body = body;
    return true;
}

bool job_edit_request(struct store *store, const struct keyring *ring, const struct store_job *job,
                      const json_t *patch, json_t **ret_body, json_t **ret_errors,
                      struct err *err) {
    const struct edit e = {.ring = ring, .job = job->id, .patch = patch, .ret_errors = ret_errors};

    return patched_request(store, &e, job, ret_body, err);
}

static bool seal_again(const struct edit *e, const struct job_spec *spec, struct buf *out,
                       struct err *err) {
    char row[STORE_ID_SIZE + 8];

    if (secret_str(&spec->sealed).len == 0)
        return true;
    snprintf(row, sizeof(row), "job:%s", e->job);
    return seal_close(e->ring, str_from(row), secret_str(&spec->sealed), out, err);
}

/* The members that were named, for the history. */
static void name_members(const json_t *patch, char *dst, size_t size) {
    const char *name;
    json_t *value;
    size_t at = 0;

    dst[0] = '\0';
    json_object_foreach((json_t *)(uintptr_t)patch, name, value) {
        int n = snprintf(dst + at, size - at, "%s%.20s", at ? ", " : "", name);

        if (n < 0 || (size_t)n >= size - at)
            return;
        at += (size_t)n;
    }
}

static bool write_down(struct store *store, const struct edit *e, const struct job_spec *spec,
                       const char *name, int64_t version, bool light, struct err *err) {
    struct buf sealed = BUF_INIT(STORE_SEALED_MAX);
    char detail[200];
    struct store_job_edit edit = {
        .job = e->job,
        .name = name,
        .detail = detail,
        .actor = e->move->actor,
        .version = version,
        .spec = spec->spec,
        .warnings = spec->warnings,
        .is_whole = !light,
        .spec_digest = spec->digest,
        .destination_key = spec->destination_key[0] ? spec->destination_key : NULL,
        .destination_databases = spec->destination_databases,
        .destination_database_count = spec->destination_database_count,
    };
    bool written = false, ok;

    name_members(e->patch, detail, sizeof(detail));
    ok = light || seal_again(e, spec, &sealed, err);
    edit.sealed = buf_str(&sealed);
    ok = ok && store_job_edit(store, &edit, &written, err);
    buf_done(&sealed);
    if (ok && !written)
        return err_set(err, ERR_STORE_CONFLICT, "%s was changed by somebody else meanwhile",
                       e->job);
    return ok;
}

/* The way back to `configured` (or `draft`), where the job stands before its start. */
static bool take_precheck_back(struct store *store, const struct edit *e,
                               const struct store_job *job, const struct job_spec *spec,
                               struct err *err) {
    enum job_event event = !job_spec_is_complete(spec)        ? JOB_EV_SPEC_INCOMPLETE
                           : strcmp(job->state, "draft") == 0 ? JOB_EV_SPEC_COMPLETED
                                                              : JOB_EV_SPEC_CHANGED;
    struct job_move move = *e->move;

    move.expected_version = job->version;
    return job_control_move(store, e->job, event, &move, NULL, err);
}

static bool is_under(const json_t *warning, const char *member) {
    const char *pointer = json_string_value(json_object_get(warning, "pointer"));

    return pointer && pointer[0] == '/' && strncmp(pointer + 1, member, strlen(member)) == 0;
}

/* A light change leaves everything else as it was written, warnings included. */
static void keep_the_rest(const struct store_job *job, struct job_spec *spec) {
    json_t *whole = json_deep_copy(job->spec), *warnings = json_array(), *warning;
    size_t i;

    for (size_t k = 0; k < LIGHT_COUNT; k++)
        json_object_set(whole, light_members[k], json_object_get(spec->spec, light_members[k]));
    for (size_t k = 0; k < LENGTH_OF(policies); k++)
        json_object_set(json_object_get(whole, "objects"), policies[k],
                        json_object_get(json_object_get(spec->spec, "objects"), policies[k]));
    json_array_foreach(job->warnings, i, warning) if (!is_under(warning, "retry"))
        json_array_append(warnings, warning);
    json_array_foreach(spec->warnings, i, warning) if (is_under(warning, "retry"))
        json_array_append(warnings, warning);
    json_decref(spec->spec);
    json_decref(spec->warnings);
    spec->spec = whole;
    spec->warnings = warnings;
}

/* What the job waited for may be right now: it goes on by itself. */
static bool take_up_again(struct store *store, const struct edit *e, const struct store_job *job,
                          struct err *err) {
    struct job_move move = *e->move;

    if (!job_control_may_hold(store, job, err))
        return false;
    if (!job_edit_ends_resumes(job))
        return true;
    move.expected_version = 0;
    move.detail = "its ends were changed";
    return job_control_move(store, e->job, JOB_EV_RESUME, &move, NULL, err);
}

/* Before the start everything may change. */
static bool may_be_whole(const struct edit *e, const struct store_job *job, struct err *err) {
    enum job_state state;
    const char *name, *heavy = "this";
    json_t *value;

    if (!job_state_parse(job->state, &state) || state == JOB_DRAFT ||
        job_state_next(state, JOB_EV_SPEC_CHANGED))
        return true;
    json_object_foreach((json_t *)(uintptr_t)e->patch, name, value) {
        if (!is_one_of(name, light_members, LIGHT_COUNT)) {
            heavy = name;
            break;
        }
    }
    return err_set(err, ERR_INVALID_STATE,
                   "%s is %s: %.40s may change before the start only; a clone can be given another",
                   e->job, job->state, heavy);
}

/* What a patch makes of a job. */
struct edited {
    struct job_spec spec;
    bool is_light, is_ends;
};

static bool read_edited(struct store *store, const struct edit *e, const struct store_job *job,
                        struct edited *x, struct err *err) {
    json_t *body = NULL;
    bool ok;

    x->is_light = is_light(e->patch, job->state);
    x->is_ends = is_started(job) && job_edit_ends_is(e->patch, light_members);
    if (strcmp(job->state, "released") == 0)
        return err_set(err, ERR_INVALID_STATE, "%s is released", e->job);
    if (x->is_ends && !job_edit_ends_may(job, err))
        return false;
    if (!patched_request(store, e, job, &body, err))
        return false;
    ok = job_spec_read(body, &x->spec, err);
    json_decref(body);
    if (!ok)
        *e->ret_errors = json_incref(x->spec.errors);
    else if (x->is_light)
        keep_the_rest(job, &x->spec);
    else if (x->is_ends)
        ok = job_edit_ends_keep(job, light_members, &x->spec, err);
    else
        ok = may_be_whole(e, job, err);
    return ok && (x->is_light || x->is_ends ||
                  job_reference_check(store, job->account, x->spec.spec, err));
}

/* The newest retry times are those of every job that shares an end and wants that. */
static bool share_retry(struct store *store, const struct edit *e, struct err *err) {
    bool may_differ = json_object_get(e->patch, "retry") || json_object_get(e->patch, "source") ||
                      json_object_get(e->patch, "destination");

    return !may_differ || store_job_share_retry(store, e->job, e->move->actor, err);
}

static bool apply(struct store *store, const struct edit *e, const struct store_job *job,
                  struct err *err) {
    struct edited x = {.is_light = false};
    bool ok = read_edited(store, e, job, &x, err);
    const char *its = json_string_value(json_object_get(x.spec.spec, "name"));
    char made[JOB_SPEC_NAME_MAX + 1];
    const char *name = its ? its : made;
    int64_t version = job->version;

    job_control_make_name(x.spec.spec, made, sizeof(made));
    if (ok && !x.is_light && !x.is_ends) {
        ok = take_precheck_back(store, e, job, &x.spec, err);
        version++;
    }
    ok = ok && write_down(store, e, &x.spec, name, version, x.is_light, err) &&
         job_edit_class_follow(store, job, version + 1, e->move->actor, e->patch, x.spec.spec, err);
    if (ok && x.is_ends)
        ok = take_up_again(store, e, job, err);
    job_spec_done(&x.spec);
    return ok && share_retry(store, e, err);
}

bool job_edit_try(struct store *store, const struct keyring *ring, const struct store_job *job,
                  const struct job_move *move, const json_t *patch, struct job_spec *ret_spec,
                  json_t **ret_errors, struct err *err) {
    const struct edit e = {
        .ring = ring, .job = job->id, .move = move, .patch = patch, .ret_errors = ret_errors};
    struct edited x = {.is_light = false};

    *ret_errors = NULL;
    if (!read_edited(store, &e, job, &x, err)) {
        job_spec_done(&x.spec);
        return false;
    }
    *ret_spec = x.spec;
    return true;
}

static bool patch_once(struct store *store, const struct edit *e, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    bool ok;

    json_decref(*e->ret_errors);
    *e->ret_errors = NULL;
    if (!store_job_get(store, e->move->account, e->job, &job, err))
        return false;
    if (e->move->expected_version && e->move->expected_version != job.version)
        ok = err_set(err, ERR_ETAG_MISMATCH, "%s is at version %lld by now", e->job,
                     (long long)job.version);
    else
        ok = apply(store, e, &job, err);
    store_job_done(&job);
    return ok;
}

/* Who named no version means the job as it is by then: that a worker moved it in between is no
 * reason to refuse. What is written first finds the conflict, so nothing was written. */
static bool patch_body(struct store *store, void *arg, struct err *err) {
    const struct edit *e = arg;

    for (int attempt = 1; !patch_once(store, e, err); attempt++) {
        if (err->code != ERR_STORE_CONFLICT || e->move->expected_version || attempt == ATTEMPTS_MAX)
            return false;
        err_clear(err);
    }
    return true;
}

bool job_edit_patch(struct store *store, const struct keyring *ring, const char *job,
                    const struct job_move *move, const json_t *patch, json_t **ret_errors,
                    struct err *err) {
    struct edit e = {
        .ring = ring, .job = job, .move = move, .patch = patch, .ret_errors = ret_errors};

    *ret_errors = NULL;
    return store_txn(store, patch_body, &e, err);
}
