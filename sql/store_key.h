/* store_key.h - API keys. Of a key only its hash is kept. */
#pragma once

#include <jansson.h>

#include "sql/store.h"

enum { STORE_KEY_HASH_SIZE = 32, STORE_KEY_CIDRS_MAX = 32 };

struct store_key {
    char id[STORE_ID_SIZE];
    char account[STORE_ID_SIZE];
    char account_name[513];
    char prefix[16];
    char name[513];
    char scopes[256]; /* separated by blanks: "admin" */
    unsigned char hash[STORE_KEY_HASH_SIZE];
    char allowed_cidrs[STORE_KEY_CIDRS_MAX * 52]; /* commas between; "" = from anywhere */
    bool is_usable;                               /* neither revoked nor expired, account active */
    bool is_operator;                             /* of the account that manages accounts */
    bool is_use_due;                              /* store_key_used() would write something */
    int64_t created_ms, expires_ms;               /* 0 = never */
};

/* The key with that public prefix. Compare the hash yourself, in constant time.
 * Errors: NOT_FOUND. */
MUST_CHECK bool store_key_find(struct store *store, const char *prefix, struct store_key *ret_key,
                               struct err *err);

struct store_key_new {
    const char *id, *account, *name, *prefix, *scopes;
    const unsigned char *hash;        /* STORE_KEY_HASH_SIZE */
    int64_t expires_ms;               /* 0 = never */
    const char *const *allowed_cidrs; /* NULL = from anywhere */
    size_t allowed_cidr_count;
};

/* Errors: STORE_CONFLICT (the prefix is taken: make another key). */
MUST_CHECK bool store_key_insert(struct store *store, const struct store_key_new *key,
                                 struct err *err);

/* Keys of an account as the API shows them, `version` beside; id NULL = all, before NULL = from
 * the newest. A new reference. */
MUST_CHECK bool store_key_list(struct store *store, const char *account, const char *id,
                               const char *before, int limit, json_t **ret_list, struct err *err);

/* What may change. NULL and -1 leave. */
struct store_key_edit {
    const char *name, *replaced_by;
    int64_t expires_ms; /* -1 leaves, 0 = never */
    const char *const *allowed_cidrs;
    size_t allowed_cidr_count;
    bool revoke;
};

/* *ret_written is false when there is no such key of that version. */
MUST_CHECK bool store_key_change(struct store *store, const char *account, const char *id,
                                 int64_t version, const struct store_key_edit *edit,
                                 bool *ret_written, struct err *err);

/* How many keys without an end can administrate the account, `id` aside. */
MUST_CHECK bool store_key_admins(struct store *store, const char *account, const char *id,
                                 int64_t *ret_count, struct err *err);

/* Take all of an account back. */
MUST_CHECK bool store_key_revoke_all(struct store *store, const char *account, struct err *err);

/* Write down that a key was used, at most once a minute. */
MUST_CHECK bool store_key_used(struct store *store, const char *id, struct err *err);

/* No key can log in any more when this is 0. */
MUST_CHECK bool store_key_count(struct store *store, int64_t *ret_usable, struct err *err);
