/* Where notices go. The signing secret is shown once, to who made it. */
#include <curl/curl.h>
#include <string.h>

#include "services/alert/webhook_message.h"
#include "services/common/clock.h"
#include "services/common/ulid.h"
#include "services/secret/seal.h"
#include "sql/store_webhook.h"
#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"

enum { EVENTS_MAX = 32, HEADERS_MAX = 16, HEADER_BYTES_MAX = 2048, URL_MAX = 2000 };

static const char *const members = "name url kind event_types timeout_ms enabled secret headers";

/* ---- reading one ------------------------------------------------------------------------- */

/* Syntax alone: which addresses may be dialled is looked at with each attempt, when they are
 * known. */
static void check_url(struct call *call, const char *url) {
    CURLU *parsed = curl_url();
    char *scheme = NULL, *user = NULL;

    if (!parsed || curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0))
        json_read_wrong(&call->fields, "/url", "invalid", "must be an https:// URL");
    else if (curl_url_get(parsed, CURLUPART_USER, &user, 0) == CURLUE_OK)
        json_read_wrong(&call->fields, "/url", "invalid",
                        "must not hold a password: URLs are shown; use headers");
    curl_free(scheme);
    curl_free(user);
    curl_url_cleanup(parsed);
}

static void read_events(struct call *call, const json_t *given, json_t *endpoint) {
    const char *types[EVENTS_MAX] = {"alert.*"};
    size_t count = 1;
    json_t *list = json_array();

    json_read_texts(given, &call->fields, "event_types", EVENTS_MAX, 64, types, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(types[i], "*") != 0 && strncmp(types[i], "job.", 4) != 0 &&
            strncmp(types[i], "alert.", 6) != 0)
            json_read_wrong(&call->fields, arena_printf(call->arena, "/event_types/%zu", i),
                            "choice", "is *, alert.*, job.* or one of their events");
        json_array_append_new(list, json_string(types[i]));
    }
    json_object_set_new(endpoint, "event_types", list);
}

static bool read_endpoint(struct call *call, const json_t *given, json_t **ret, struct err *err) {
    const char *name = "", *url = NULL, *kind = "standard";
    int64_t timeout_ms = 15000;
    bool enabled = true;
    json_t *endpoint = json_object();

    json_read_known(call->body, &call->fields, members);
    json_read_text(given, &call->fields, "name", 0, 128, &name);
    json_read_text(given, &call->fields, "url", 1, URL_MAX, &url);
    json_read_choice(given, &call->fields, "kind", "standard|alertmanager", &kind);
    json_read_int(given, &call->fields, "timeout_ms", 1000, 30000, &timeout_ms);
    json_read_bool(given, &call->fields, "enabled", &enabled);
    read_events(call, given, endpoint);
    if (url)
        check_url(call, url);
    else if (!call->fields)
        json_read_wrong(&call->fields, "/url", "required", "is missing");
    json_object_set_new(endpoint, "name", json_string(name));
    json_object_set_new(endpoint, "url", json_string(url ? url : ""));
    json_object_set_new(endpoint, "kind", json_string(kind));
    json_object_set_new(endpoint, "timeout_ms", json_integer(timeout_ms));
    json_object_set_new(endpoint, "enabled", json_boolean(enabled));
    *ret = endpoint;
    if (json_read_end(call->fields, err))
        return true;
    json_decref(endpoint);
    return false;
}

static bool is_token(const char *text) {
    return text[0] && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "!#$%&'*+-.^_`|~") == strlen(text);
}

/* Headers of the receiver's, often with a password in them: sealed, never shown. */
static void check_headers(struct call *call, const json_t *headers) {
    const char *name;
    json_t *value;

    if (!json_is_object(headers) || json_object_size(headers) > HEADERS_MAX) {
        json_read_wrong(&call->fields, "/headers", "type", "must be an object of at most %d texts",
                        HEADERS_MAX);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)headers, name, value) {
        const char *text = json_string_value(value);
        bool ok = is_token(name) && text && json_string_length(value) <= HEADER_BYTES_MAX;

        for (const char *c = text; ok && *c; c++)
            ok = (unsigned char)*c >= ' ' && *c != 0x7f;
        if (!ok || strncasecmp(name, "webhook-", 8) == 0 || strcasecmp(name, "host") == 0 ||
            strcasecmp(name, "content-length") == 0 || strcasecmp(name, "content-type") == 0 ||
            strcasecmp(name, "transfer-encoding") == 0)
            json_read_wrong(&call->fields, "/headers", "invalid",
                            "a name of letters, digits and -, not one of ours, and a printable "
                            "text of at most %d bytes",
                            HEADER_BYTES_MAX);
    }
}

static bool seal(struct call *call, const char *id, const json_t *sealed, struct buf *ret,
                 struct err *err) {
    char *text = json_dumps(sealed, JSON_COMPACT);
    const char *row = arena_printf(call->arena, "webhook_endpoint:%s", id);
    bool ok = text && seal_close(app_keyring(call->app), str_from(row), str_from(text), ret, err);

    if (text)
        memset(text, 0, strlen(text));
    free(text);
    return ok;
}

/* What is sealed now; {} when nothing is. */
static bool unseal(struct call *call, const char *id, json_t **ret, struct err *err) {
    const char *row = arena_printf(call->arena, "webhook_endpoint:%s", id);
    struct buf blob = BUF_INIT(STORE_WEBHOOK_SEALED_MAX);
    struct secret plain = SECRET_INIT;
    bool ok = store_webhook_sealed(call->store, call->caller.account, id, &blob, err);

    *ret = NULL;
    if (ok && blob.len > 0)
        ok = seal_open(app_keyring(call->app), str_from(row), buf_str(&blob), &plain, err);
    if (ok)
        *ret = plain.len ? json_loadb(plain.ptr, plain.len, 0, NULL) : json_object();
    if (ok && !*ret)
        ok = err_set(err, ERR_INTERNAL, "the sealed secrets are not JSON");
    secret_done(&plain);
    buf_done(&blob);
    return ok;
}

/* The secret that was given, or a new one. */
static bool choose_secret(struct call *call, char made[WEBHOOK_SECRET_TEXT_SIZE],
                          const char **ret_secret, struct err *err) {
    unsigned char key[WEBHOOK_SECRET_SIZE];
    const char *given = NULL;
    struct err why = ERR_INIT;
    size_t len;

    json_read_text(call->body, &call->fields, "secret", 1, 128, &given);
    if (given && !webhook_secret_parse(given, key, &len, &why))
        json_read_wrong(&call->fields, "/secret", "invalid", "%s", why.frame[0]);
    *ret_secret = given ? given : made;
    return given || webhook_secret_make(made, err);
}

/* ---- answers ----------------------------------------------------------------------------- */

static bool find(struct call *call, const char *id, json_t **ret_row, int64_t *ret_version,
                 struct err *err) {
    json_t *list = NULL;

    return store_webhook_list(call->store, call->caller.account, id, NULL, 1, &list, err) &&
           call_row(list, "webhook endpoint", ret_row, ret_version, err);
}

static bool reply_endpoint(struct call *call, struct reply *reply, int status, const char *id,
                           struct err *err) {
    int64_t version;
    json_t *row;

    if (!find(call, id, &row, &version, err))
        return false;
    call_left(call, json_deep_copy(row));
    call_reply_row(reply, status, row, version);
    return true;
}

/* Answer with the row and, this once, the secret. What is kept for a repetition has it not. */
static bool reply_with_secret(struct call *call, struct reply *reply, int status, const char *id,
                              const char *secret, struct err *err) {
    json_t *row;

    if (!reply_endpoint(call, reply, status, id, err))
        return false;
    row = json_loadb(reply->body.ptr, reply->body.len, 0, NULL);
    json_object_set_new(row, "secret", json_null());
    reply_json(reply, status, json_incref(row));
    reply->kept_body = reply->body;
    json_object_set_new(row, "secret", json_string(secret));
    reply_json(reply, status, row);
    return true;
}

bool webhook_endpoints_create(struct call *call, struct reply *reply, struct err *err) {
    const json_t *headers = json_object_get(call->body, "headers");
    struct buf blob = BUF_INIT(STORE_WEBHOOK_SEALED_MAX);
    char id[ULID_ID_SIZE], made[WEBHOOK_SECRET_TEXT_SIZE];
    const char *secret;
    json_t *endpoint, *sealed;
    bool ok;

    if (headers && !json_is_null(headers))
        check_headers(call, headers);
    if (!choose_secret(call, made, &secret, err) ||
        !read_endpoint(call, call->body, &endpoint, err))
        return false;
    ulid_make("whe", id);
    sealed = json_pack("{s:[s], s:O?}", "secrets", secret, "headers", headers);
    ok = seal(call, id, sealed, &blob, err) &&
         store_webhook_add(call->store, id, call->caller.account, endpoint, buf_str(&blob), err) &&
         reply_with_secret(call, reply, 201, id, secret, err);
    json_decref(sealed);
    json_decref(endpoint);
    buf_done(&blob);
    if (ok)
        reply_header(reply, "Location", arena_printf(call->arena, "/v1/webhook-endpoints/%s", id));
    return ok;
}

bool webhook_endpoints_list(struct call *call, struct reply *reply, struct err *err) {
    struct page page;
    json_t *rows;

    if (!page_parse(call->request, "webhook-endpoints", &page, err) ||
        !store_webhook_list(call->store, call->caller.account, NULL,
                            page.after[0] ? page.after : NULL, page.limit + 1, &rows, err))
        return false;
    call_reply_rows(reply, &page, rows);
    return true;
}

bool webhook_endpoints_get(struct call *call, struct reply *reply, struct err *err) {
    const char *id;

    return call_id(call, 0, "whe", &id, err) && reply_endpoint(call, reply, 200, id, err);
}

static bool write_down(struct call *call, const char *id, int64_t version, const json_t *endpoint,
                       const json_t *sealed, struct err *err) {
    struct buf blob = BUF_INIT(STORE_WEBHOOK_SEALED_MAX);
    bool written = false;
    bool ok =
        (!sealed || seal(call, id, sealed, &blob, err)) &&
        store_webhook_change(call->store, id, version, endpoint, buf_str(&blob), &written, err) &&
        call_was_written(id, written, err);

    buf_done(&blob);
    return ok;
}

bool webhook_endpoints_patch(struct call *call, struct reply *reply, struct err *err) {
    const json_t *headers = json_object_get(call->body, "headers");
    json_t *row, *endpoint, *value, *sealed = NULL;
    const char *id, *name;
    int64_t version;
    bool ok;

    if (!call_change(call, "whe", find, &id, &row, &version, err))
        return false;
    json_object_foreach(call->body, name, value) {
        if (json_is_null(value))
            json_object_del(row, name);
        else
            json_object_set(row, name, value);
    }
    if (json_object_get(call->body, "secret"))
        json_read_wrong(&call->fields, "/secret", "invalid", "is changed by /rotate-secret");
    if (headers && !json_is_null(headers))
        check_headers(call, headers);
    ok = read_endpoint(call, row, &endpoint, err);
    json_decref(row);
    if (!ok)
        return false;
    if (headers) {
        ok = unseal(call, id, &sealed, err);
        if (ok)
            json_object_set(sealed, "headers", (json_t *)(uintptr_t)headers);
    }
    ok = ok && write_down(call, id, version, endpoint, sealed, err) &&
         reply_endpoint(call, reply, 200, id, err);
    json_decref(sealed);
    json_decref(endpoint);
    return ok;
}

bool webhook_endpoints_delete(struct call *call, struct reply *reply, struct err *err) {
    int64_t version;
    const char *id;
    json_t *row;
    bool found;

    if (!call_change(call, "whe", find, &id, &row, &version, err))
        return false;
    json_decref(row);
    if (!store_webhook_delete(call->store, call->caller.account, id, &found, err))
        return false;
    reply_empty(reply, 204);
    return true;
}

/* Both secrets sign until the next rotation, so that a receiver can change over. */
bool webhook_endpoints_rotate(struct call *call, struct reply *reply, struct err *err) {
    char made[WEBHOOK_SECRET_TEXT_SIZE];
    json_t *row, *sealed = NULL;
    const char *id, *secret;
    int64_t version;
    bool ok;

    json_read_known(call->body, &call->fields, "secret");
    if (!choose_secret(call, made, &secret, err) || !json_read_end(call->fields, err) ||
        !call_change(call, "whe", find, &id, &row, &version, err))
        return false;
    ok = unseal(call, id, &sealed, err);
    if (ok) {
        json_t *old = json_array_get(json_object_get(sealed, "secrets"), 0);
        json_t *both = json_pack("[s]", secret);

        if (old)
            json_array_append(both, old);
        json_object_set_new(sealed, "secrets", both);
        ok = write_down(call, id, version, row, sealed, err) &&
             reply_with_secret(call, reply, 200, id, secret, err);
    }
    json_decref(sealed);
    json_decref(row);
    return ok;
}

/* ---- deliveries -------------------------------------------------------------------------- */

static bool reply_delivery(struct call *call, struct reply *reply, int status, const char *endpoint,
                           const char *id, struct err *err) {
    json_t *list = NULL, *row;

    if (!store_webhook_deliveries(call->store, call->caller.account, endpoint, id, NULL, NULL, 1,
                                  &list, err))
        return false;
    row = json_array_get(list, 0);
    if (!row) {
        json_decref(list);
        return err_set(err, ERR_NOT_FOUND, "there is no such delivery");
    }
    reply_json(reply, status, json_incref(row));
    json_decref(list);
    return true;
}

bool webhook_endpoints_test(struct call *call, struct reply *reply, struct err *err) {
    struct store_notice notice = {.type = "webhook.test", .attempts_max = 1};
    char message[ULID_ID_SIZE], now[CLOCK_RFC3339_SIZE];
    int64_t version, expected;
    const char *id;
    json_t *row;
    char *body;
    bool ok, sent;

    json_read_known(call->body, &call->fields, "");
    if (!json_read_end(call->fields, err) || !call_id(call, 0, "whe", &id, err) ||
        !find(call, id, &row, &version, err))
        return false;
    if (!call_if_match(call, version, &expected, err)) {
        json_decref(row);
        return false;
    }
    if (!json_is_true(json_object_get(row, "enabled"))) {
        json_decref(row);
        return err_set(err, ERR_INVALID_STATE, "the endpoint is switched off");
    }
    ulid_make("msg", message);
    clock_rfc3339(clock_wall_ms(), now);
    if (strcmp(json_string_value(json_object_get(row, "kind")), "alertmanager") == 0) {
        json_t *none = json_array();

        body = webhook_message_alertmanager(none);
        json_decref(none);
    } else {
        body = webhook_message_standard(notice.type, now, json_pack("{s:s}", "endpoint_id", id));
    }
    json_decref(row);
    notice.id = message;
    notice.endpoint = id;
    notice.body = body;
    ok = store_webhook_send(call->store, &notice, &sent, err) &&
         reply_delivery(call, reply, 202, id, message, err);
    free(body);
    return ok;
}

bool webhook_endpoints_deliveries(struct call *call, struct reply *reply, struct err *err) {
    const char *state = NULL, *id;
    struct str value;
    int64_t version;
    struct page page;
    json_t *rows, *row;

    if (!call_id(call, 0, "whe", &id, err) || !find(call, id, &row, &version, err))
        return false;
    json_decref(row);
    if (request_query(call->request, "state", &value))
        state = arena_dup(call->arena, value);
    if (!page_parse(call->request, "webhook-deliveries", &page, err) ||
        !store_webhook_deliveries(call->store, call->caller.account, id, NULL, state,
                                  page.after[0] ? page.after : NULL, page.limit + 1, &rows, err))
        return false;
    call_reply_rows(reply, &page, rows);
    return true;
}

/* {"delivery_id"}: once more, under its id. */
bool webhook_endpoints_redeliver(struct call *call, struct reply *reply, struct err *err) {
    const char *id, *delivery = NULL;
    int64_t version, expected;
    json_t *row;
    bool found;

    json_read_known(call->body, &call->fields, "delivery_id");
    json_read_text(call->body, &call->fields, "delivery_id", 1, STORE_ID_SIZE - 1, &delivery);
    if (!delivery && !call->fields)
        json_read_wrong(&call->fields, "/delivery_id", "required", "is missing");
    if (!json_read_end(call->fields, err) || !call_id(call, 0, "whe", &id, err) ||
        !find(call, id, &row, &version, err))
        return false;
    json_decref(row);
    if (!call_if_match(call, version, &expected, err) ||
        !reply_delivery(call, reply, 202, id, delivery, err) ||
        !store_webhook_redeliver(call->store, call->caller.account, id, delivery, &found, err))
        return false;
    if (!found)
        return err_set(err, ERR_INVALID_STATE, "it is on its way");
    return reply_delivery(call, reply, 202, id, delivery, err);
}
