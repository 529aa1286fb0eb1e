#include "services/job/job_request.h"

#include "services/job/job_spec.h"

static const char *const ends[2] = {"source", "destination"};

/* The inline object of an end with room for its secrets; NULL when it has none. */
static json_t *inline_of(const json_t *spec, const char *end) {
    json_t *stored = json_object_get(spec, end), *copy;

    if (!json_is_object(stored))
        return NULL;
    copy = json_deep_copy(stored);
    json_object_del(copy, "label");
    json_object_del(copy, "reference");
    json_object_del(json_object_get(copy, "auth"), "configured");
    json_object_del(json_object_get(copy, "tls"), "client_key_configured");
    return copy;
}

static void put_end(json_t *body, const char *end, json_t *inline_taken) {
    if (inline_taken)
        json_object_set_new(body, end, json_pack("{s:o}", "inline", inline_taken));
    else
        json_object_del(body, end);
}

static void put_secret(json_t *inline_form, const char *object, const char *name,
                       struct str value) {
    if (value.len > 0)
        json_object_set_new(json_object_get(inline_form, object), name,
                            json_stringn(value.ptr, value.len));
}

/* An end that an instance stands for holds no secret of its own. */
static bool put_reference(const json_t *spec, json_t *body, const char *end) {
    json_t *stored = json_object_get(spec, end), *resolved;
    json_t *reference = json_object_get(stored, "reference");

    if (!reference)
        return false;
    resolved = json_copy(stored);
    json_object_del(resolved, "reference");
    json_object_set_new(body, end,
                        json_pack("{s:o, s:O}", "resolved", resolved, "reference", reference));
    return true;
}

bool job_request_whole(const json_t *spec, const struct secret *sealed, json_t **ret_body,
                       struct err *err) {
    json_t *body = json_deep_copy(spec);

    for (int i = 0; i < 2; i++) {
        struct credentials cred = CREDENTIALS_INIT;
        json_t *form = inline_of(spec, ends[i]);

        if (put_reference(spec, body, ends[i])) {
            json_decref(form);
            continue;
        }
        if (form && !job_spec_credentials(sealed, ends[i], &cred, err)) {
            json_decref(form);
            json_decref(body);
            return false;
        }
        put_secret(form, "auth", "password", secret_str(&cred.password));
        put_secret(form, "tls", "client_key_pem", secret_str(&cred.client_key_pem));
        put_secret(form, "sentinel", "password", secret_str(&cred.sentinel_password));
        put_end(body, ends[i], form);
        credentials_done(&cred);
    }
    *ret_body = body;
    return true;
}

json_t *job_request_shown(const json_t *spec) {
    static const struct str stand_ins[2] = {{"<source password>", 17},
                                            {"<destination password>", 22}};
    json_t *body = json_deep_copy(spec);

    for (int i = 0; i < 2; i++) {
        const json_t *stored = json_object_get(spec, ends[i]);
        json_t *form = inline_of(spec, ends[i]);
        json_t *reference = json_object_get(stored, "reference");

        if (reference) {
            json_object_set(body, ends[i], reference);
            json_decref(form);
            continue;
        }
        if (json_is_true(json_object_get(json_object_get(stored, "auth"), "configured")))
            put_secret(form, "auth", "password", stand_ins[i]);
        if (json_is_true(json_object_get(json_object_get(stored, "tls"), "client_key_configured")))
            put_secret(form, "tls", "client_key_pem", STR_LIT("<client key>"));
        if (json_is_true(json_object_get(json_object_get(stored, "sentinel"), "configured")))
            put_secret(form, "sentinel", "password", STR_LIT("<Sentinels' password>"));
        put_end(body, ends[i], form);
    }
    return body;
}
