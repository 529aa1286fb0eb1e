#include "web-api/idempotency.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/secret/api_key.h"
#include "sql/store_idempotency.h"
#include "sql/store_txn.h"
#include "web-api/app.h"
#include "web-api/audit_trail.h"

struct attempt {
    struct call *call;
    struct reply *reply;
    const char *key;
    const char *request;                                      /* "POST /v1/jobs" */
    char hash[KEYRING_KEYS_MAX + 1][STORE_REQUEST_HASH_SIZE]; /* of query and body, by each key */
    size_t hash_count;                                        /* the last one is kept */
};

bool idempotency_applies(const struct call *call) {
    return strcmp(call->route->method, "POST") == 0 &&
           request_header(call->request, "Idempotency-Key").len > 0;
}

/* Headers of an answer that must come again with it. */
static const char *const kept_headers[] = {"ETag", "Location"};

static bool keep(struct attempt *a, struct err *err) {
    struct store_answer answer = {.status = a->reply->status, .headers = json_object()};
    struct str body = a->reply->kept_body.len ? a->reply->kept_body : a->reply->body;
    bool ok;

    for (size_t i = 0; i < LENGTH_OF(kept_headers); i++) {
        const char *value = reply_header_get(a->reply, kept_headers[i]);

        if (value)
            json_object_set_new(answer.headers, kept_headers[i], json_string(value));
    }
    if (body.len > 0)
        answer.body = json_loadb(body.ptr, body.len, 0, NULL);
    ok = store_idempotency_finish(a->call->store, a->call->caller.account, a->key, a->request,
                                  a->hash[a->hash_count - 1], &answer, err);
    store_answer_done(&answer);
    return ok;
}

static void replay(struct attempt *a, struct store_answer *answer) {
    if (answer->body)
        reply_json(a->reply, answer->status, json_incref(answer->body));
    else
        reply_empty(a->reply, answer->status);
    for (size_t i = 0; i < LENGTH_OF(kept_headers); i++) {
        const char *value = json_string_value(json_object_get(answer->headers, kept_headers[i]));

        if (value)
            reply_header(a->reply, kept_headers[i], value);
    }
    reply_header(a->reply, "Idempotent-Replayed", "true");
    a->call->wait_for = WAIT_FOR_NOTHING;
}

static bool attempt_body(struct store *store, void *arg, struct err *err) {
    struct attempt *a = arg;
    struct store_answer answer = {0};
    enum store_idempotency_verdict verdict;

    /* The server may ask for this body again: begin from nothing each time. */
    *a->reply = REPLY_INIT(a->call->arena);
    json_decref(a->call->fields);
    a->call->fields = NULL;
    a->call->wait_for = WAIT_FOR_NOTHING;
    if (!store_idempotency_begin(store, a->call->caller.account, a->key, a->request, a->hash,
                                 a->hash_count, &verdict, &answer, err))
        return false;
    switch (verdict) {
    case STORE_IDEMPOTENCY_NEW:
        return audit_trail_run(a->call, a->reply, err) && keep(a, err);
    case STORE_IDEMPOTENCY_REPLAY:
        replay(a, &answer);
        store_answer_done(&answer);
        return true;
    case STORE_IDEMPOTENCY_CONFLICT:
        return err_set(err, ERR_IDEMPOTENCY_CONFLICT,
                       "this Idempotency-Key was sent with another request: a new "
                       "request needs a key of its own");
    case STORE_IDEMPOTENCY_IN_FLIGHT:
        break;
    }
    return err_set(err, ERR_IDEMPOTENCY_IN_FLIGHT, "ask again in a moment");
}

/* "<number of the key>.<SHA-256>": a master key can be replaced between a request and its
 * repetition. */
static void hash_with(struct attempt *a, uint32_t id, struct str key, struct str text) {
    char *hash = a->hash[a->hash_count++];
    struct buf whole = BUF_INIT(key.len + text.len + 1);
    struct err err = ERR_INIT;
    char hex[65];

    if (!buf_append(&whole, key, &err) || !buf_append(&whole, text, &err))
        abort();
    api_key_sha256_hex(buf_str(&whole), hex);
    snprintf(hash, STORE_REQUEST_HASH_SIZE, "%u.%s", id, hex);
    explicit_bzero(whole.ptr, whole.len);
    buf_done(&whole);
}

/* The address with its query, and the body as JSON with sorted members: the same
 * request written with other blanks is the same request. A body may hold a
 * password, and a bare digest of it would let a reader of the database try guesses:
 * the master key goes in first. */
static void hash_request(struct attempt *a) {
    const struct request *r = a->call->request;
    const struct keyring *ring = app_keyring(a->call->app);
    char *body = json_dumps(a->call->body, JSON_COMPACT | JSON_SORT_KEYS);
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (!body || !out)
        abort();
    for (size_t i = 0; i < r->query_count; i++)
        fprintf(out, STR_FMT "=" STR_FMT "&", STR_ARG(r->query[i].name),
                STR_ARG(r->query[i].value));
    fputs(body, out);
    if (fclose(out) != 0)
        abort();
    for (int i = 0; i < ring->count; i++)
        hash_with(a, ring->keys[i].id, str_of(ring->keys[i].key, sizeof(ring->keys[i].key)),
                  str_of(text, len));
    if (ring->count == 0)
        hash_with(a, 0, STR_EMPTY, str_of(text, len));
    /* Both may hold a password. */
    explicit_bzero(text, len);
    explicit_bzero(body, strlen(body));
    free(text);
    free(body);
}

bool idempotency_run(struct call *call, struct reply *reply, struct err *err) {
    struct str key = request_header(call->request, "Idempotency-Key");
    struct attempt a = {.call = call, .reply = reply};

    if (key.len > IDEMPOTENCY_KEY_MAX)
        return err_set(err, ERR_VALIDATION, "Idempotency-Key: at most %d bytes",
                       IDEMPOTENCY_KEY_MAX);
    for (size_t i = 0; i < key.len; i++)
        if (key.ptr[i] < 0x21 || key.ptr[i] > 0x7e)
            return err_set(err, ERR_VALIDATION, "Idempotency-Key: printable ASCII only");
    a.key = arena_dup(call->arena, key);
    a.request = arena_printf(call->arena, "POST " STR_FMT, STR_ARG(call->request->path));
    hash_request(&a);
    return store_txn(call->store, attempt_body, &a, err);
}
