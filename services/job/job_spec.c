#include "services/job/job_spec.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/job/job_schedule.h"
#include "services/job/job_spec_conflict.h"
#include "services/job/job_spec_fields.h"
#include "services/job/job_spec_objects.h"
#include "services/job/job_spec_reading.h"
#include "services/job/throttle_plan.h"
#include "services/secret/api_key.h"

enum { LABELS_MAX = 32, LABEL_KEY_MAX = 63, LABEL_VALUE_MAX = 255 };

/* One specification in the making. */
struct reading {
    const json_t *body;
    struct job_spec *spec;
    struct spec_report *report;
    struct endpoint ends[2];       /* source, destination */
    bool has_end[2], is_broken[2]; /* it is there and was refused */
};

static const char *const end_names[2] = {"source", "destination"};

static void warn(struct reading *r, const char *pointer, const char *code, const char *detail) {
    json_array_append_new(r->spec->warnings, json_pack("{s:s, s:s, s:s}", "pointer", pointer,
                                                       "code", code, "detail", detail));
}

static json_t *member_of(const struct reading *r, const char *object, const char *name) {
    json_t *at = object ? json_object_get(r->body, object) : (json_t *)(uintptr_t)r->body;
    json_t *value = json_object_get(at, name);

    return json_is_null(value) ? NULL : value;
}

/* ---- labels ---- */

static bool is_label_key(const char *key) {
    size_t len = strlen(key);

    return len >= 1 && len <= LABEL_KEY_MAX &&
           strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789._/-") == len;
}

static void read_labels(struct reading *r) {
    json_t *given = member_of(r, NULL, "labels"), *into = json_object(), *value;
    const char *key;

    json_object_set_new(r->spec->spec, "labels", into);
    if (!given)
        return;
    if (!json_is_object(given) || json_object_size(given) > LABELS_MAX) {
        spec_report_add(r->report, "/labels", json_is_object(given) ? "range" : "type",
                        "must be an object of at most %d texts", (int)LABELS_MAX);
        return;
    }
    json_object_foreach(given, key, value) {
        if (!is_label_key(key))
            spec_report_add(r->report, "/labels", "invalid",
                            "a key has 1 to %d of the characters a-z 0-9 . _ / -",
                            (int)LABEL_KEY_MAX);
        else if (!json_is_string(value) || json_string_length(value) > LABEL_VALUE_MAX)
            spec_report_add(r->report, "/labels", "invalid",
                            "the value of %s must be a text of at most %d bytes", key,
                            (int)LABEL_VALUE_MAX);
        else
            json_object_set(into, key, value);
    }
}

/* ---- ends ---- */

static void read_end(struct reading *r, int end, json_t *sealed) {
    char inner[ENDPOINT_POINTER_SIZE] = "", pointer[ENDPOINT_POINTER_SIZE + 16];
    json_t *given = member_of(r, NULL, end_names[end]), *reference, *made, *secrets;
    struct credentials cred = CREDENTIALS_INIT;
    struct err err = ERR_INIT;

    snprintf(pointer, sizeof(pointer), "/%s", end_names[end]);
    if (!given) {
        json_array_append_new(r->spec->missing, json_string(pointer));
        return;
    }
    r->ends[end] = ENDPOINT_INIT;
    reference = json_object_get(given, "reference"); /* job_reference.h made it */
    if (!(reference ? endpoint_from_json(json_object_get(given, "resolved"), &r->ends[end], NULL,
                                         inner, &err)
                    : job_spec_end_parse(given, &r->ends[end], &cred, inner, &err))) {
        snprintf(pointer, sizeof(pointer), "/%s%s", end_names[end], inner);
        spec_report_add(r->report, pointer, job_spec_end_code(&err), "%s",
                        job_spec_end_detail(&err, inner));
        r->is_broken[end] = true;
        return;
    }
    r->has_end[end] = true;
    made = endpoint_to_json(&r->ends[end]);
    if (reference)
        json_object_set(made, "reference", reference);
    json_object_set_new(r->spec->spec, end_names[end], made);
    secrets = credentials_to_json(&cred);
    if (json_object_size(secrets) > 0)
        json_object_set(sealed, end_names[end], secrets);
    json_decref(secrets);
    credentials_done(&cred);
}

static void read_ends(struct reading *r) {
    json_t *sealed = json_object();
    char *text;

    read_end(r, 0, sealed);
    read_end(r, 1, sealed);
    if (json_object_size(sealed) > 0) {
        text = json_dumps(sealed, JSON_COMPACT);
        if (!text)
            abort();
        secret_set(&r->spec->sealed, str_from(text));
        explicit_bzero(text, strlen(text));
        free(text);
    }
    json_decref(sealed);
    if (r->has_end[1])
        endpoint_server(&r->ends[1], r->spec->destination_key);
}

/* ---- the rest ---- */

/* A text, or {"mode": text} as the answers have it. */
static void read_expiry(struct reading *r) {
    const json_t *given = member_of(r, NULL, "expiry");
    const char *mode = "held";

    if (json_is_object(given) && json_object_size(given) == 1)
        given = json_object_get(given, "mode");
    if (given) {
        mode = json_string_value(given);
        if (!mode || (strcmp(mode, "held") != 0 && strcmp(mode, "exact") != 0)) {
            spec_report_add(r->report, "/expiry", "choice", "must be held or exact");
            mode = "held";
        }
    }
    json_object_set_new(r->spec->spec, "expiry", json_string(mode));
    if (strcmp(mode, "exact") == 0)
        warn(r, "/expiry", "expiry_exact",
             "Keys may expire on the destination before the source has renewed them, by as much as "
             "the destination is behind");
}

/* In a tail a key's end comes as a DEL, and one of the source's clock looks like one of a user. */
static void check_extension(struct reading *r, bool follows) {
    json_int_t seconds = json_integer_value(json_object_get(r->spec->spec, "extend_ttl_seconds"));

    if (seconds > 0 && follows)
        spec_report_add(
            r->report, "/extend_ttl_seconds", "invalid",
            "while changes are followed the source's own expiry removes a key, and "
            "cannot be told from a DEL of a client: set migration.incremental to false");
    else if (seconds > 0)
        warn(r, "/extend_ttl_seconds", "ttl_extension",
             "Keys live longer on the destination than on the source; what relies on an expiry, as "
             "locks do, is released late");
}

static void judge_field_expiry(struct reading *r) {
    const char *mode = json_string_value(json_object_get(r->spec->spec, "hash_field_expiry"));

    if (mode && strcmp(mode, "drop") == 0)
        warn(r, "/hash_field_expiry", "field_expiries_dropped",
             "Where the destination has no expiry of hash fields, fields that expire on the source "
             "stay "
             "until the source removes them; in a copy alone, for ever");
}

static bool flag(const struct reading *r, const char *object, const char *name) {
    return json_is_true(json_object_get(json_object_get(r->spec->spec, object), name));
}

static int64_t number(const struct reading *r, const char *object, const char *name) {
    return json_integer_value(json_object_get(json_object_get(r->spec->spec, object), name));
}

/* A switch without a limit looks like a brake and is none. */
static void judge_limits(struct reading *r, const char *part) {
    const json_t *limits = json_object_get(json_object_get(r->spec->spec, "throttle"), part),
                 *value;
    bool on = json_is_true(json_object_get(limits, "enabled")), any = false;
    char pointer[48];
    const char *name;

    if (json_array_size(json_object_get(json_object_get(r->spec->spec, "throttle"), "schedule")))
        return;
    json_object_foreach((json_t *)(uintptr_t)limits, name, value) any =
        any || json_is_integer(value);
    snprintf(pointer, sizeof(pointer), "/throttle/%s/enabled", part);
    if (on && !any)
        warn(r, pointer, "throttle_without_limit", "No limit is set: nothing is held back");
}

static bool limits_following(const struct reading *r) {
    const json_t *throttle = json_object_get(r->spec->spec, "throttle");

    return json_is_true(json_object_get(json_object_get(throttle, "incremental"), "enabled"));
}

static bool limits_copy(const struct reading *r) {
    const json_t *throttle = json_object_get(r->spec->spec, "throttle");

    return json_is_true(json_object_get(json_object_get(throttle, "full"), "enabled"));
}

static void check_together(struct reading *r) {
    const json_t *backoff = json_object_get(json_object_get(r->spec->spec, "retry"), "backoff");
    int64_t connection = number(r, "retry", "connection_minutes");
    int64_t other = number(r, "retry", "other_minutes"); /* 0: was refused by itself */

    if (!flag(r, "migration", "full") && !flag(r, "migration", "incremental"))
        spec_report_add(r->report, "/migration", "invalid",
                        "full and incremental are both off: nothing would be migrated");
    else if (!flag(r, "migration", "full"))
        spec_report_add(r->report, "/migration/full", "not_supported_yet",
                        "following changes without a full copy is not built yet");
    if (!flag(r, "migration", "full") && flag(r, "migration", "incremental") && limits_copy(r))
        spec_report_add(r->report, "/throttle/full/enabled", "invalid",
                        "the job makes no full copy: there is nothing to be limited");
    if (flag(r, "migration", "full") && !flag(r, "migration", "incremental") && limits_following(r))
        spec_report_add(r->report, "/throttle/incremental/enabled", "invalid",
                        "the job follows no changes: there is nothing to be limited");
    else if (flag(r, "migration", "full") && !flag(r, "migration", "incremental") &&
             !(r->has_end[0] && endpoint_is_file(&r->ends[0])))
        warn(r, "/migration/incremental", "full_only",
             "What is written to the source during the copy may be missing or half there");
    check_extension(r, flag(r, "migration", "incremental"));
    if (connection > 0 && other >= connection)
        spec_report_add(r->report, "/retry/other_minutes", "range",
                        "is %lld%s and must be less than connection_minutes, %lld",
                        (long long)other,
                        member_of(r, "retry", "other_minutes") ? "" : " unless it is said",
                        (long long)connection);
    if (json_is_integer(json_object_get(backoff, "max_ms")) &&
        json_integer_value(json_object_get(backoff, "initial_ms")) >
            json_integer_value(json_object_get(backoff, "max_ms")))
        spec_report_add(r->report, "/retry/backoff/max_ms", "range",
                        "must not be less than initial_ms");
    if (connection > 0 && connection <= 30)
        warn(r, "/retry/connection_minutes", "retry_short",
             "A failover or a maintenance may take longer than the job keeps trying");
    if (member_of(r, "retry", "other_minutes") && other > 0 && other < 10)
        warn(r, "/retry/other_minutes", "retry_short",
             "Errors that heal by themselves may take longer than the job keeps trying");
}

static void read_objects(struct reading *r) {
    struct job_spec_objects objects = {
        .given = member_of(r, NULL, "objects"),
        .source = r->has_end[0] ? &r->ends[0] : NULL,
        .is_source_broken = r->is_broken[0],
        .destination = r->has_end[1] ? &r->ends[1] : NULL,
        .report = r->report,
        .spec = r->spec,
    };

    job_spec_objects_read(&objects);
}

/* What a precheck looked at. Credentials are part of it by a salt: their own digest could be
 * tried against a list of passwords. */
static bool make_digest(struct job_spec *spec, struct err *err) {
    static const char *const parts[] = {"kind",
                                        "source",
                                        "destination",
                                        "migration",
                                        "objects",
                                        "conflict_mode",
                                        "conflict_scope",
                                        "expiry",
                                        "heartbeat",
                                        "extend_ttl_seconds",
                                        "hash_field_expiry"};
    unsigned char salt[16] = {0};
    json_t *of = json_object();
    char hex[65];
    char *text;

    if (secret_str(&spec->sealed).len && RAND_bytes(salt, sizeof(salt)) != 1) {
        json_decref(of);
        return err_set(err, ERR_INTERNAL, "no random bytes for a salt");
    }
    for (size_t i = 0; i < LENGTH_OF(parts); i++)
        json_object_set(of, parts[i], json_object_get(spec->spec, parts[i]));
    api_key_sha256_hex(str_of(salt, sizeof(salt)), hex);
    json_object_set_new(of, "salt", json_string(hex));
    text = json_dumps(of, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(of);
    if (!text)
        abort();
    api_key_sha256_hex(str_from(text), spec->digest);
    free(text);
    return true;
}

static bool judge(const struct spec_report *report, struct err *err) {
    if (report->total == 0)
        return true;
    *err = report->first;
    if (report->later == report->total)
        err->code = ERR_NOT_SUPPORTED_YET;
    else if (report->ambiguous == report->total)
        err->code = ERR_AMBIGUOUS_USERINFO;
    return false;
}

static void read_throttle(struct reading *r) {
    const json_t *given = member_of(r, NULL, "throttle");
    json_t *throttle = json_object_get(r->spec->spec, "throttle");

    job_spec_fields_limits(given, throttle);
    if (json_is_object(throttle))
        throttle_plan_read(json_object_get(given, "schedule"), throttle, r->report);
}

bool job_spec_read(const json_t *body, struct job_spec *ret, struct err *err) {
    struct spec_report report = {.first = ERR_INIT};
    struct reading r = {.body = body, .spec = ret, .report = &report};

    *ret = (struct job_spec){
        .spec = json_object(),
        .errors = json_array(),
        .warnings = json_array(),
        .missing = json_array(),
        .sealed = SECRET_INIT,
    };
    report.errors = ret->errors;
    if (!json_is_object(body)) {
        spec_report_add(&report, "", "type", "must be an object");
        return judge(&report, err);
    }
    job_spec_fields_read("", body, ret->spec, &report);
    read_labels(&r);
    read_ends(&r);
    if (json_is_object(json_object_get(ret->spec, "objects")))
        read_objects(&r);
    read_expiry(&r);
    judge_field_expiry(&r);
    read_throttle(&r);
    judge_limits(&r, "full");
    judge_limits(&r, "incremental");
    if (json_is_object(json_object_get(ret->spec, "migration")))
        job_schedule_read(member_of(&r, "migration", "start_at"),
                          json_object_get(ret->spec, "migration"), &report);
    check_together(&r);
    if (job_spec_unbuilt(ret->spec))
        warn(&r, "", "checked_only", job_spec_unbuilt(ret->spec));
    job_spec_read_scan(json_object_get(body, "migration"), json_object_get(ret->spec, "migration"),
                       &report);
    job_spec_check_reading(ret->spec, r.has_end[0] ? &r.ends[0] : NULL,
                           r.has_end[1] ? &r.ends[1] : NULL, &report);
    job_spec_check_conflict(ret->spec, r.has_end[1] ? &r.ends[1] : NULL, ret->warnings, &report);
    endpoint_done(&r.ends[0]);
    endpoint_done(&r.ends[1]);
    return judge(&report, err) && make_digest(ret, err);
}

void job_spec_done(struct job_spec *spec) {
    json_decref(spec->spec);
    json_decref(spec->errors);
    json_decref(spec->warnings);
    json_decref(spec->missing);
    secret_done(&spec->sealed);
    memset(spec, 0, sizeof(*spec));
}
