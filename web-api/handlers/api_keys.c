/* Keys of the API: the key itself is shown once, to who made it. */
#include <string.h>

#include "services/common/clock.h"
#include "services/common/ulid.h"
#include "services/net/egress.h"
#include "services/secret/api_key.h"
#include "sql/store_account.h"
#include "sql/store_key.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"
#include "web-api/json_time.h"

enum { OVERLAP_DEFAULT_SECONDS = 86400, OVERLAP_MAX_SECONDS = 604800, CIDR_TEXT_MAX = 49 };

/* Members that a create and a change have in common. */
struct wanted {
    const char *name;
    int64_t expires_ms; /* -1 = not said */
    const char *cidrs[STORE_KEY_CIDRS_MAX];
    size_t cidr_count;
    bool has_cidrs;
};

static void read_wanted(struct call *call, struct wanted *w) {
    *w = (struct wanted){.expires_ms = -1};
    json_read_text(call->body, &call->fields, "name", 1, 128, &w->name);
    json_read_time(call->body, &call->fields, "expires_at", &w->expires_ms);
    if (w->expires_ms > 0 && w->expires_ms <= clock_wall_ms())
        json_read_wrong(&call->fields, "/expires_at", "range", "must lie in the future");
    json_read_texts(call->body, &call->fields, "allowed_cidrs", STORE_KEY_CIDRS_MAX, CIDR_TEXT_MAX,
                    w->cidrs, &w->cidr_count);
    w->has_cidrs = json_is_array(json_object_get(call->body, "allowed_cidrs"));
    for (size_t i = 0; i < w->cidr_count; i++) {
        struct egress_rule rule;
        struct err why = ERR_INIT;

        if (!egress_parse_block(str_from(w->cidrs[i]), &rule, &why))
            json_read_wrong(&call->fields, arena_printf(call->arena, "/allowed_cidrs/%zu", i),
                            "invalid", "must be an address or a block like 10.0.0.0/8");
    }
}

/* Each scope includes the ones below it, so one is all a key needs. */
static const char *read_scopes(struct call *call) {
    const char *scopes[3] = {NULL}, *widest = "read";
    size_t count = 0;

    json_read_texts(call->body, &call->fields, "scopes", 3, 16, scopes, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(scopes[i], "admin") == 0)
            widest = "admin";
        else if (strcmp(scopes[i], "operate") == 0 && strcmp(widest, "admin") != 0)
            widest = "operate";
        else if (strcmp(scopes[i], "read") != 0 && strcmp(scopes[i], "operate") != 0)
            json_read_wrong(&call->fields, arena_printf(call->arena, "/scopes/%zu", i), "choice",
                            "must be one of read|operate|admin");
    }
    if (count == 0 && !call->fields)
        json_read_wrong(&call->fields, "/scopes", "required", "say read, operate or admin");
    return widest;
}

static bool find(struct call *call, const char *account, const char *id, json_t **ret_row,
                 int64_t *ret_version, struct err *err) {
    json_t *list = NULL;

    return store_key_list(call->store, account, id, NULL, 1, &list, err) &&
           call_row(list, "key", ret_row, ret_version, err);
}

static bool reply_key(struct call *call, struct reply *reply, int status, const char *account,
                      const char *id, struct err *err) {
    int64_t version;
    json_t *row;

    if (!find(call, account, id, &row, &version, err))
        return false;
    call_left(call, json_deep_copy(row));
    call_reply_row(reply, status, row, version);
    return true;
}

/* Answer with the row and, this once, the key. What is kept for a repetition has it not. */
static bool reply_new(struct call *call, struct reply *reply, const char *account, const char *id,
                      struct str key, struct err *err) {
    json_t *row;

    if (!reply_key(call, reply, 201, account, id, err))
        return false;
    row = json_loadb(reply->body.ptr, reply->body.len, 0, NULL);
    json_object_set_new(row, "key", json_null());
    reply_json(reply, 201, json_incref(row));
    reply->kept_body = reply->body;
    json_object_set_new(row, "key", json_stringn(key.ptr, key.len));
    reply_json(reply, 201, row);
    reply_header(reply, "Location", arena_printf(call->arena, "/v1/api-keys/%s", id));
    return true;
}

static bool make(struct call *call, struct reply *reply, struct store_key_new *row,
                 struct err *err) {
    unsigned char hash[API_KEY_HASH_SIZE];
    char prefix[API_KEY_PREFIX_LEN + 1], id[ULID_ID_SIZE];
    struct secret key = SECRET_INIT;
    bool ok = api_key_make(&key, prefix, err);

    if (ok) {
        ulid_make("ak", id);
        api_key_hash(secret_str(&key), hash);
        row->id = arena_dup(call->arena, str_from(id));
        row->prefix = prefix;
        row->hash = hash;
        ok = store_key_insert(call->store, row, err) &&
             reply_new(call, reply, row->account, row->id, secret_str(&key), err);
    }
    secret_done(&key);
    return ok;
}

/* The caller's own account, or the one that the operator names. */
static bool whose(struct call *call, const char **ret_account, struct err *err) {
    const char *named = NULL;
    json_t *list = NULL;
    bool found;

    *ret_account = call->caller.account;
    json_read_text(call->body, &call->fields, "account_id", 1, STORE_ID_SIZE - 1, &named);
    if (!named || strcmp(named, call->caller.account) == 0)
        return true;
    if (call->caller.is_operator && !store_account_list(call->store, named, NULL, 1, &list, err))
        return false;
    found = json_array_size(list) > 0;
    json_decref(list);
    if (!found)
        json_read_wrong(&call->fields, "/account_id", "invalid", "there is no such account");
    *ret_account = named;
    return true;
}

bool api_keys_create(struct call *call, struct reply *reply, struct err *err) {
    struct store_key_new row = {.account = NULL};
    struct wanted w;

    json_read_known(call->body, &call->fields, "name scopes expires_at allowed_cidrs account_id");
    read_wanted(call, &w);
    if (!w.name && !call->fields)
        json_read_wrong(&call->fields, "/name", "required", "is missing");
    row.scopes = read_scopes(call);
    if (!whose(call, &row.account, err) || !json_read_end(call->fields, err) ||
        !store_account_room(call->store, row.account, "api_keys", err))
        return false;
    row.name = w.name;
    row.expires_ms = w.expires_ms > 0 ? w.expires_ms : 0;
    row.allowed_cidrs = w.has_cidrs ? w.cidrs : NULL;
    row.allowed_cidr_count = w.cidr_count;
    return make(call, reply, &row, err);
}

bool api_keys_list(struct call *call, struct reply *reply, struct err *err) {
    struct page page;
    json_t *rows;

    if (!page_parse(call->request, "api-keys", &page, err) ||
        !store_key_list(call->store, call->caller.account, NULL, page.after[0] ? page.after : NULL,
                        page.limit + 1, &rows, err))
        return false;
    call_reply_rows(reply, &page, rows);
    return true;
}

bool api_keys_get(struct call *call, struct reply *reply, struct err *err) {
    const char *id;

    return call_id(call, 0, "ak", &id, err) &&
           reply_key(call, reply, 200, call->caller.account, id, err);
}

static bool find_own(struct call *call, const char *id, json_t **ret_row, int64_t *ret_version,
                     struct err *err) {
    return find(call, call->caller.account, id, ret_row, ret_version, err);
}

static bool begin_change(struct call *call, const char **ret_id, json_t **ret_row,
                         int64_t *ret_version, struct err *err) {
    return json_read_end(call->fields, err) &&
           call_change(call, "ak", find_own, ret_id, ret_row, ret_version, err);
}

/* An account without an administrator could only be helped by who runs the database. */
static bool keep_an_administrator(struct call *call, const char *id, struct err *err) {
    int64_t others = 0;

    if (!store_key_admins(call->store, call->caller.account, id, &others, err))
        return false;
    return others > 0 || err_set(err, ERR_IN_USE,
                                 "it is the last key that can administrate this account: make "
                                 "another one first");
}

static bool write_down(struct call *call, const char *id, int64_t version,
                       const struct store_key_edit *edit, struct err *err) {
    bool written = false;

    if (!store_key_change(call->store, call->caller.account, id, version, edit, &written, err))
        return false;
    return call_was_written(id, written, err);
}

bool api_keys_patch(struct call *call, struct reply *reply, struct err *err) {
    struct store_key_edit edit = {.expires_ms = -1};
    struct wanted w;
    int64_t version;
    const char *id;
    json_t *row;
    bool ok;

    json_read_known(call->body, &call->fields, "name expires_at allowed_cidrs");
    read_wanted(call, &w);
    if (!begin_change(call, &id, &row, &version, err))
        return false;
    edit.name = w.name;
    edit.expires_ms = w.expires_ms;
    edit.allowed_cidrs = w.has_cidrs ? w.cidrs : NULL;
    edit.allowed_cidr_count = w.cidr_count;
    ok = (w.expires_ms <= 0 || keep_an_administrator(call, id, err)) &&
         write_down(call, id, version, &edit, err) &&
         reply_key(call, reply, 200, call->caller.account, id, err);
    json_decref(row);
    return ok;
}

bool api_keys_revoke(struct call *call, struct reply *reply, struct err *err) {
    const struct store_key_edit edit = {.expires_ms = -1, .revoke = true};
    int64_t version;
    const char *id;
    json_t *row;
    bool ok;

    if (!begin_change(call, &id, &row, &version, err))
        return false;
    ok = keep_an_administrator(call, id, err) && write_down(call, id, version, &edit, err) &&
         reply_key(call, reply, 200, call->caller.account, id, err);
    json_decref(row);
    return ok;
}

/* "read" out of ["read"]. */
static const char *scopes_of(const json_t *row) {
    return json_string_value(json_array_get(json_object_get(row, "scopes"), 0));
}

/* A new key of the same kind; the old one works for a while longer, so nobody has to be faster
 * than the other. */
bool api_keys_rotate(struct call *call, struct reply *reply, struct err *err) {
    int64_t overlap = OVERLAP_DEFAULT_SECONDS, version, until, ends = 0;
    struct store_key_edit edit = {.expires_ms = -1};
    struct store_key_new fresh = {.account = call->caller.account};
    const char *id, *cidrs[STORE_KEY_CIDRS_MAX];
    json_t *row, *cidr;
    size_t i;
    bool ok;

    json_read_known(call->body, &call->fields, "overlap_seconds");
    json_read_int(call->body, &call->fields, "overlap_seconds", 0, OVERLAP_MAX_SECONDS, &overlap);
    if (!begin_change(call, &id, &row, &version, err))
        return false;
    if (strcmp(json_string_value(json_object_get(row, "status")), "active") != 0 ||
        !json_is_null(json_object_get(row, "replaced_by"))) {
        json_decref(row);
        return err_set(err, ERR_INVALID_STATE, "%s is not active, or was replaced before", id);
    }
    json_array_foreach(json_object_get(row, "allowed_cidrs"), i, cidr) cidrs[i] =
        json_string_value(cidr);
    (void)!json_time_parse(json_object_get(row, "expires_at"), &ends);
    fresh.name = json_string_value(json_object_get(row, "name"));
    fresh.scopes = scopes_of(row);
    fresh.expires_ms = ends;
    fresh.allowed_cidrs = cidrs;
    fresh.allowed_cidr_count = json_array_size(json_object_get(row, "allowed_cidrs"));
    until = clock_wall_ms() + overlap * 1000;
    edit.expires_ms = ends > 0 && ends < until ? ends : until;
    ok = store_account_room(call->store, call->caller.account, "api_keys", err) &&
         make(call, reply, &fresh, err);
    edit.replaced_by = fresh.id;
    ok = ok && write_down(call, id, version, &edit, err);
    json_decref(row);
    return ok;
}
