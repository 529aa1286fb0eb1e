#include "services/job/job_edit_ends.h"

#include <string.h>

#include "services/job/job_edit.h"

static const char *const ends[2] = {"source", "destination"};

static bool is_among(const char *name, const char *const *names) {
    for (; *names; names++) {
        if (strcmp(name, *names) == 0)
            return true;
    }
    return false;
}

bool job_edit_ends_is(const json_t *patch, const char *const *others) {
    bool has_end = false;
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)patch, name, value) {
        if (strcmp(name, ends[0]) == 0 || strcmp(name, ends[1]) == 0)
            has_end = true;
        else if (!is_among(name, others))
            return false;
    }
    return has_end;
}

bool job_edit_ends_may(const struct store_job *job, struct err *err) {
    static const char *const states[] = {"paused", "blocked", "failed", "retrying", NULL};

    return is_among(job->state, states) ||
           err_set(err, ERR_INVALID_STATE,
                   "%s is %s: its ends may change before it is started, and while it is paused, "
                   "blocked, failed or retrying",
                   job->id, job->state);
}

/* One login takes the place of the other: they stand side by side in no request. */
static void drop_former_login(json_t *form, const json_t *patch) {
    const json_t *auth = json_object_get(patch, "auth");
    json_t *old = json_object_get(form, "auth");

    if (json_object_get(auth, "secret_ref"))
        json_object_del(old, "password");
    if (json_object_get(auth, "password") || json_object_get(auth, "secret"))
        json_object_del(old, "secret_ref");
    if (json_object_get(auth, "secret")) {
        json_object_del(old, "password");
        json_object_del(old, "username");
    }
}

void job_edit_ends_merge(json_t *body, const json_t *patch) {
    for (int i = 0; i < 2; i++) {
        const json_t *change = json_object_get(patch, ends[i]);
        json_t *form = json_object_get(json_object_get(body, ends[i]), "inline");

        if (!change)
            continue;
        if (json_object_get(change, "inline"))
            change = json_object_get(change, "inline");
        if (!json_is_object(change) || !form || json_object_get(change, "url")) {
            json_object_set(body, ends[i], json_object_get(patch, ends[i]));
            continue;
        }
        drop_former_login(form, change);
        job_edit_merge(form, change);
    }
}

bool job_edit_ends_keep(const struct store_job *job, const char *const *others,
                        struct job_spec *spec, struct err *err) {
    json_t *whole = json_deep_copy(job->spec);
    bool ok = true;

    for (int i = 0; ok && i < 2; i++) {
        const json_t *was = json_object_get(job->spec, ends[i]);
        json_t *is = json_object_get(spec->spec, ends[i]);

        if ((json_object_get(was, "file") == NULL) != (json_object_get(is, "file") == NULL))
            ok = err_set(err, ERR_VALIDATION, "the %s was a %s and stays one", ends[i],
                         json_object_get(was, "file") ? "file" : "server");
        json_object_set(whole, ends[i], is);
    }
    if (ok && job_spec_unbuilt(whole))
        ok = err_set(err, ERR_NOT_SUPPORTED_YET, "%s", job_spec_unbuilt(whole));
    if (ok &&
        !json_equal(json_object_get(job->spec, "objects"), json_object_get(spec->spec, "objects")))
        ok = err_set(err, ERR_VALIDATION,
                     "the databases are fixed once the job has started: name the same ones");
    for (; *others; others++)
        json_object_set(whole, *others, json_object_get(spec->spec, *others));
    if (!ok) {
        json_decref(whole);
        return false;
    }
    json_decref(spec->spec);
    spec->spec = whole;
    json_decref(spec->warnings);
    spec->warnings = json_incref(job->warnings);
    return true;
}

bool job_edit_ends_moves(const struct store_job *job, const json_t *spec, const char *end) {
    static const char *const ways[] = {"auth", "tls", "connect_timeout_ms", "label"};
    json_t *was = json_copy(json_object_get(job->spec, end));
    json_t *is = json_copy(json_object_get(spec, end));
    bool moves;

    for (size_t i = 0; i < LENGTH_OF(ways); i++) {
        json_object_del(was, ways[i]);
        json_object_del(is, ways[i]);
    }
    moves = !json_equal(was, is);
    json_decref(was);
    json_decref(is);
    return moves;
}

bool job_edit_ends_resumes(const struct store_job *job) {
    static const char *const codes[] = {"source_auth_failed",
                                        "source_permission_missing",
                                        "destination_auth_failed",
                                        "destination_noperm",
                                        "tls_failed",
                                        NULL};
    const char *asked = json_string_value(json_object_get(job->attention, "code"));

    return strcmp(job->state, "failed") == 0 ||
           (strcmp(job->state, "blocked") == 0 && asked && is_among(asked, codes));
}
