#include "web-api/audit_trail.h"

#include <stdio.h>
#include <string.h>

#include "sql/store_audit.h"
#include "sql/store_txn.h"

bool audit_trail_applies(const struct route *route) {
    return strcmp(route->method, "GET") != 0 && route->scope > SCOPE_READ;
}

static const char *verb_of(const char *method) {
    if (strcmp(method, "POST") == 0)
        return "create";
    return strcmp(method, "DELETE") == 0 ? "delete" : "update";
}

void audit_trail_action(const struct route *route, char dst[AUDIT_ACTION_SIZE]) {
    struct str rest = str_skip(str_from(route->path), strlen("/v1/")), piece;
    bool ends_in_id = true;
    size_t at = 0, names = 0;

    dst[0] = '\0';
    while (str_cut(&rest, '/', &piece)) {
        ends_in_id = piece.ptr[0] == '{';
        if (ends_in_id || at + piece.len + 2 > AUDIT_ACTION_SIZE)
            continue;
        at += (size_t)snprintf(dst + at, AUDIT_ACTION_SIZE - at, "%s" STR_FMT, at ? "." : "",
                               STR_ARG(piece));
        names++;
    }
    /* A word behind an id is what is done, as is a PUT's; a collection's POST makes one. */
    if (names == 1 || ends_in_id)
        snprintf(dst + at, AUDIT_ACTION_SIZE - at, ".%s", verb_of(route->method));
}

void audit_trail_reduce(json_t *before, json_t *after) {
    const char *name;
    json_t *old;
    void *next;

    json_object_foreach_safe(before, next, name, old) {
        json_t *new = json_object_get(after, name);

        if (!new)
            continue;
        if (json_equal(old, new)) {
            json_object_del(after, name);
            json_object_del(before, name);
        } else if (json_is_object(old) && json_is_object(new)) {
            audit_trail_reduce(old, new);
        }
    }
}

struct attempt {
    struct call *call;
    struct reply *reply;
};

/* The thing changed: the first id of the path, else what the answer names. */
static const char *object_of(struct call *call, const struct reply *reply, json_t **ret_body) {
    const char *id;

    if (strchr(call->route->path, '{'))
        return arena_dup(call->arena, call->param[0]);
    *ret_body = reply->body.len ? json_loadb(reply->body.ptr, reply->body.len, 0, NULL) : NULL;
    id = json_string_value(json_object_get(*ret_body, "id"));
    return id ? id : "";
}

static bool write_down(struct call *call, const struct reply *reply, struct err *err) {
    struct str kind = str_skip(str_from(call->route->path), strlen("/v1/")), first = STR_EMPTY;
    json_t *before = json_deep_copy(call->before), *after = json_deep_copy(call->after);
    char action[AUDIT_ACTION_SIZE];
    json_t *body = NULL;
    bool ok;

    (void)str_cut(&kind, '/', &first);
    audit_trail_action(call->route, action);
    audit_trail_reduce(before, after);
    ok = store_audit_add(call->store,
                         &(struct store_audit){.account = call->caller.account,
                                               .actor = call->caller.actor,
                                               .action = action,
                                               .kind = arena_dup(call->arena, first),
                                               .object = object_of(call, reply, &body),
                                               .before = before,
                                               .after = after,
                                               .request_id = call->request->id,
                                               .peer = call->request->peer},
                         err);
    json_decref(body);
    json_decref(before);
    json_decref(after);
    return ok;
}

static bool attempt_body(struct store *store, void *arg, struct err *err) {
    struct attempt *a = arg;
    struct call *call = a->call;

    (void)store;
    /* The server may ask for this body again: begin from nothing each time. */
    *a->reply = REPLY_INIT(call->arena);
    json_decref(call->fields);
    json_decref(call->before);
    json_decref(call->after);
    call->fields = call->before = call->after = NULL;
    call->wait_for = WAIT_FOR_NOTHING;
    return call->route->handle(call, a->reply, err) && write_down(call, a->reply, err);
}

bool audit_trail_run(struct call *call, struct reply *reply, struct err *err) {
    struct attempt a = {.call = call, .reply = reply};

    if (!audit_trail_applies(call->route))
        return call->route->handle(call, reply, err);
    return store_txn(call->store, attempt_body, &a, err);
}
