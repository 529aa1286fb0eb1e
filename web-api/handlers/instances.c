/* Registered servers. Nothing is dialled here: a worker looks at them and tries new credentials. */
#include <string.h>

#include "services/common/ulid.h"
#include "services/job/job_spec.h"
#include "services/job/role_judge.h"
#include "services/net/endpoint.h"
#include "services/secret/seal.h"
#include "sql/store_account.h"
#include "sql/store_instance.h"
#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"

enum { LABELS_MAX = 32, SEALED_MAX = 1024 * 1024 };

/* What a request says about a server. */
struct said {
    const char *name;
    json_t *details;  /* owned */
    json_t *endpoint; /* owned; NULL = not said */
    char address[300];
    struct buf sealed;
};

static void said_done(struct said *said) {
    json_decref(said->details);
    json_decref(said->endpoint);
    buf_done(&said->sealed);
}

static bool seal(struct call *call, const char *id, const struct credentials *cred, struct buf *out,
                 struct err *err) {
    json_t *object = credentials_to_json(cred);
    const char *row = arena_printf(call->arena, "instance:%s", id);
    char *text = json_object_size(object) > 0 ? json_dumps(object, JSON_COMPACT) : NULL;
    bool ok = !text || seal_close(app_keyring(call->app), str_from(row), str_from(text), out, err);

    json_decref(object);
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    return ok;
}

/* The member `endpoint`: {"url"} or {"inline"}. */
static bool read_endpoint(struct call *call, const char *id, struct said *said, struct err *err) {
    const json_t *given = json_object_get(call->body, "endpoint");
    char inner[ENDPOINT_POINTER_SIZE] = "";
    struct credentials cred = CREDENTIALS_INIT;
    struct endpoint ep = ENDPOINT_INIT;
    struct err why = ERR_INIT;
    bool ok = true;

    if (!given)
        return true;
    if (!job_spec_end_parse(given, &ep, &cred, inner, &why)) {
        json_read_wrong(&call->fields, arena_printf(call->arena, "/endpoint%s", inner),
                        job_spec_end_code(&why), "%s", job_spec_end_detail(&why, inner));
        return true;
    }
    if (endpoint_is_file(&ep))
        json_read_wrong(&call->fields, "/endpoint", "invalid", "a file is no server");
    said->endpoint = endpoint_to_json(&ep);
    role_judge_address(said->endpoint, said->address);
    ok = seal(call, id, &cred, &said->sealed, err);
    endpoint_done(&ep);
    credentials_done(&cred);
    return ok;
}

/* Texts that only say something: what is left out stays. */
static void read_details(struct call *call, struct said *said) {
    const char *engine = NULL, *method = NULL, *region = NULL;
    const json_t *labels = json_object_get(call->body, "labels");
    const char *key;
    json_t *value;

    json_read_text(call->body, &call->fields, "name", 1, 128, &said->name);
    json_read_choice(call->body, &call->fields, "engine", "auto|redis|valkey", &engine);
    json_read_choice(call->body, &call->fields, "access_method", "instance|public|private|tunnel",
                     &method);
    json_read_text(call->body, &call->fields, "region", 1, 64, &region);
    if (engine)
        json_object_set_new(said->details, "engine", json_string(engine));
    if (method)
        json_object_set_new(said->details, "access_method", json_string(method));
    if (region)
        json_object_set_new(said->details, "region", json_string(region));
    if (!labels)
        return;
    if (!json_is_object(labels) || json_object_size(labels) > LABELS_MAX)
        json_read_wrong(&call->fields, "/labels", "type", "must be an object of at most %d texts",
                        (int)LABELS_MAX);
    json_object_foreach((json_t *)(uintptr_t)labels, key, value) {
        if (strlen(key) < 1 || strlen(key) > 63 || !json_is_string(value) ||
            json_string_length(value) > 255)
            json_read_wrong(&call->fields, "/labels", "invalid",
                            "keys have 1 to 63 bytes, values are texts of at most 255");
    }
    json_object_set(said->details, "labels", (json_t *)(uintptr_t)labels);
}

static bool find(struct call *call, const char *id, json_t **ret_row, int64_t *ret_version,
                 struct err *err) {
    json_t *list = NULL;

    return store_instance_list(call->store, call->caller.account, id, NULL, 1, NULL, &list, err) &&
           call_row(list, "instance", ret_row, ret_version, err);
}

static bool reply_instance(struct call *call, struct reply *reply, int status, const char *id,
                           struct err *err) {
    int64_t version;
    json_t *row;

    if (!find(call, id, &row, &version, err))
        return false;
    call_left(call, json_deep_copy(row));
    call_reply_row(reply, status, row, version);
    return true;
}

bool instances_create(struct call *call, struct reply *reply, struct err *err) {
    struct said said = {.details = json_pack("{s:s, s:n, s:s, s:{}}", "engine", "auto", "region",
                                             "access_method", "public", "labels"),
                        .sealed = BUF_INIT(SEALED_MAX)};
    char id[ULID_ID_SIZE];
    bool ok;

    ulid_make("inst", id);
    json_read_known(call->body, &call->fields, "name engine region access_method labels endpoint");
    read_details(call, &said);
    if (!said.name && !call->fields)
        json_read_wrong(&call->fields, "/name", "required", "is missing");
    if (!json_object_get(call->body, "endpoint"))
        json_read_wrong(&call->fields, "/endpoint", "required", "say url or inline");
    ok = read_endpoint(call, id, &said, err) && json_read_end(call->fields, err) &&
         store_account_room(call->store, call->caller.account, "instances", err) &&
         store_instance_insert(call->store,
                               &(struct store_instance){.id = id,
                                                        .account = call->caller.account,
                                                        .name = said.name,
                                                        .details = said.details,
                                                        .endpoint = said.endpoint,
                                                        .address = said.address,
                                                        .sealed = buf_str(&said.sealed)},
                               err) &&
         reply_instance(call, reply, 201, id, err);
    said_done(&said);
    if (ok)
        reply_header(reply, "Location", arena_printf(call->arena, "/v1/instances/%s", id));
    return ok;
}

bool instances_list(struct call *call, struct reply *reply, struct err *err) {
    const char *name = NULL;
    struct page page;
    struct str text;
    json_t *rows;

    if (request_query(call->request, "name", &text))
        name = arena_dup(call->arena, text);
    if (!page_parse(call->request, "instances", &page, err) ||
        !store_instance_list(call->store, call->caller.account, NULL,
                             page.after[0] ? page.after : NULL, page.limit + 1, name, &rows, err))
        return false;
    call_reply_rows(reply, &page, rows);
    return true;
}

bool instances_get(struct call *call, struct reply *reply, struct err *err) {
    const char *id;

    return call_id(call, 0, "inst", &id, err) && reply_instance(call, reply, 200, id, err);
}

/* What jobs go by must not change under them. */
static bool is_unused(struct call *call, const char *id, const char *what, struct err *err) {
    char job[STORE_ID_SIZE];

    if (!store_instance_user(call->store, id, job, err))
        return false;
    return job[0] == '\0' || err_set(err, ERR_IN_USE, "a job that has not ended uses it: %s", what);
}

bool instances_patch(struct call *call, struct reply *reply, struct err *err) {
    struct said said = {.sealed = BUF_INIT(SEALED_MAX)};
    json_t *row, *old;
    bool written = false, ok;
    int64_t version;
    const char *id;
    size_t i;
    static const char *const kept[] = {"engine", "region", "access_method", "labels"};

    json_read_known(call->body, &call->fields, "name engine region access_method labels endpoint");
    if (!call_change(call, "inst", find, &id, &row, &version, err))
        return false;
    said.details = json_object();
    for (i = 0; i < LENGTH_OF(kept); i++) {
        old = json_object_get(row, kept[i]);
        json_object_set(said.details, kept[i], old);
    }
    said.name = json_string_value(json_object_get(row, "name"));
    read_details(call, &said);
    ok = read_endpoint(call, id, &said, err) && json_read_end(call->fields, err) &&
         (!said.endpoint || is_unused(call, id, "its address cannot change", err)) &&
         store_instance_change(call->store,
                               &(struct store_instance){.id = id,
                                                        .account = call->caller.account,
                                                        .name = said.name,
                                                        .version = version,
                                                        .details = said.details,
                                                        .endpoint = said.endpoint,
                                                        .address = said.address,
                                                        .sealed = buf_str(&said.sealed)},
                               &written, err) &&
         call_was_written(id, written, err) && reply_instance(call, reply, 200, id, err);
    said_done(&said);
    json_decref(row);
    return ok;
}

bool instances_delete(struct call *call, struct reply *reply, struct err *err) {
    bool written = false, ok;
    int64_t version;
    const char *id;
    json_t *row;

    if (!call_change(call, "inst", find, &id, &row, &version, err))
        return false;
    ok = is_unused(call, id, "stop it first, or delete it where it was not started", err) &&
         store_instance_delete(call->store, call->caller.account, id, version, &written, err) &&
         call_was_written(id, written, err);
    if (ok)
        reply_json(reply, 200, json_incref(row));
    json_decref(row);
    return ok;
}

static bool set_live(struct call *call, struct reply *reply, bool live, struct err *err) {
    const char *id, *reason = NULL;
    bool written = false, ok;
    int64_t version;
    json_t *row;

    json_read_known(call->body, &call->fields, "reason");
    json_read_text(call->body, &call->fields, "reason", 1, 500, &reason);
    if (!json_read_end(call->fields, err) ||
        !call_change(call, "inst", find, &id, &row, &version, err))
        return false;
    ok = store_instance_live(call->store, call->caller.account, id, version, live, reason, &written,
                             err) &&
         call_was_written(id, written, err) && reply_instance(call, reply, 200, id, err);
    json_decref(row);
    return ok;
}

bool instances_set_live(struct call *call, struct reply *reply, struct err *err) {
    return set_live(call, reply, true, err);
}

bool instances_clear_live(struct call *call, struct reply *reply, struct err *err) {
    return set_live(call, reply, false, err);
}

/* ---- what a worker does ---- */

static bool ask(struct call *call, struct reply *reply, const char *id, int64_t version,
                const char *work, struct str sealed, const json_t *endpoint, struct err *err) {
    bool written = false;

    if (!store_instance_ask(call->store, call->caller.account, id, version, work, sealed, endpoint,
                            &written, err))
        return false;
    if (!written)
        return err_set(err, ERR_INVALID_STATE, "a worker is at %s already", id);
    call->wait_for = WAIT_FOR_INSTANCE;
    memcpy(call->wait_id, id, strlen(id) + 1);
    return reply_instance(call, reply, 202, id, err);
}

bool instances_discover(struct call *call, struct reply *reply, struct err *err) {
    int64_t version;
    const char *id;
    json_t *row;
    bool ok;

    json_read_known(call->body, &call->fields, "");
    if (!json_read_end(call->fields, err) ||
        !call_change(call, "inst", find, &id, &row, &version, err))
        return false;
    ok = ask(call, reply, id, version, "discover", STR_EMPTY, NULL, err);
    json_decref(row);
    return ok;
}

/* New credentials take the place of the old ones once a worker has logged in with them. */
bool instances_rotate(struct call *call, struct reply *reply, struct err *err) {
    const json_t *auth = json_object_get(call->body, "auth");
    char inner[ENDPOINT_POINTER_SIZE] = "";
    struct credentials cred = CREDENTIALS_INIT;
    struct endpoint ep = ENDPOINT_INIT;
    struct buf sealed = BUF_INIT(SEALED_MAX);
    json_t *row, *form, *endpoint;
    struct err why = ERR_INIT;
    int64_t version;
    const char *id;
    bool ok;

    json_read_known(call->body, &call->fields, "auth");
    if (!json_is_object(auth))
        json_read_wrong(&call->fields, "/auth", "required", "say username and password");
    if (!json_read_end(call->fields, err) ||
        !call_change(call, "inst", find, &id, &row, &version, err))
        return false;
    form = json_deep_copy(json_object_get(row, "endpoint"));
    json_object_del(form, "label");
    json_object_set(form, "auth", (json_t *)(uintptr_t)auth);
    if (json_is_true(json_object_get(json_object_get(form, "tls"), "client_key_configured")))
        ok = err_set(err, ERR_NOT_SUPPORTED_YET,
                     "changing the password beside a client certificate is not built yet: PATCH "
                     "the endpoint");
    else if (!endpoint_from_json(form, &ep, &cred, inner, &why)) {
        json_read_wrong(&call->fields, inner, job_spec_end_code(&why), "%s",
                        job_spec_end_detail(&why, inner));
        ok = json_read_end(call->fields, err);
    } else {
        endpoint = endpoint_to_json(&ep);
        ok = seal(call, id, &cred, &sealed, err) &&
             ask(call, reply, id, version, "rotate", buf_str(&sealed), endpoint, err);
        json_decref(endpoint);
    }
    endpoint_done(&ep);
    credentials_done(&cred);
    buf_done(&sealed);
    json_decref(form);
    json_decref(row);
    return ok;
}

bool instances_look(struct call *call, struct reply *fresh, bool *ret_ended, struct err *err) {
    const char *state;
    int64_t version;
    json_t *row;

    if (!find(call, call->wait_id, &row, &version, err))
        return false;
    state = json_string_value(json_object_get(json_object_get(row, "work"), "state"));
    *ret_ended = !state || strcmp(state, "done") == 0 || strcmp(state, "failed") == 0;
    call_reply_row(fresh, 0, row, version);
    return true;
}
