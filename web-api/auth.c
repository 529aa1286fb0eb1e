#include "web-api/auth.h"

#include <stdio.h>
#include <string.h>

#include "services/net/egress.h"
#include "services/secret/api_key.h"
#include "sql/store_key.h"

static const char *const scope_names[] = {"none", "read", "operate", "admin"};

const char *auth_scope_name(enum scope scope) {
    return scope_names[scope];
}

enum scope auth_scope(struct str scopes) {
    enum scope widest = SCOPE_NONE;
    struct str one;

    while (str_cut(&scopes, ' ', &one))
        for (enum scope s = SCOPE_READ; s <= SCOPE_ADMIN; s++)
            if (str_equal(one, str_from(scope_names[s])) && s > widest)
                widest = s;
    return widest;
}

static bool bearer(const struct request *r, struct str *ret_key, struct err *err) {
    struct str header = request_header(r, "Authorization"), scheme;

    if (header.len == 0)
        return err_set(err, ERR_UNAUTHORIZED, "send Authorization: Bearer <api key>");
    if (!str_cut(&header, ' ', &scheme) || !str_equal_nocase(scheme, STR_LIT("Bearer")))
        return err_set(err, ERR_UNAUTHORIZED, "the only scheme taken is Bearer");
    *ret_key = str_trim(header);
    return true;
}

bool auth_check(struct store *store, const struct request *r, enum scope needed,
                struct caller *ret_caller, struct err *err) {
    unsigned char hash[API_KEY_HASH_SIZE];
    char prefix[API_KEY_PREFIX_LEN + 1];
    struct store_key key;
    struct err why = ERR_INIT;
    struct str text;
    enum scope scope;

    if (!bearer(r, &text, err))
        return false;
    if (!api_key_prefix(text, prefix))
        return err_set(err, ERR_UNAUTHORIZED, "this is no API key, or not one of ours");
    if (!store_key_find(store, prefix, &key, &why)) {
        if (why.code != ERR_NOT_FOUND) {
            *err = why;
            return false;
        }
        memset(&key, 0, sizeof(key));
    }
    api_key_hash(text, hash);
    if (!api_key_hash_equal(hash, key.hash) || !key.is_usable)
        return err_set(err, ERR_UNAUTHORIZED, "this is no API key, or not one of ours");
    if (key.allowed_cidrs[0] && !egress_list_holds(str_from(key.allowed_cidrs), r->peer))
        return err_set(err, ERR_FORBIDDEN, "this key may not be used from %s", r->peer);
    scope = auth_scope(str_from(key.scopes));
    if (scope < needed)
        return err_set(err, ERR_FORBIDDEN, "this call needs the scope %s, the key has %s",
                       auth_scope_name(needed), auth_scope_name(scope));
    if (key.is_use_due && !store_key_used(store, key.id, err))
        return false;
    memcpy(ret_caller->account, key.account, sizeof(ret_caller->account));
    snprintf(ret_caller->actor, sizeof(ret_caller->actor), "key:%s", key.prefix);
    ret_caller->scope = scope;
    ret_caller->is_operator = key.is_operator && scope == SCOPE_ADMIN;
    return true;
}
