/* store_key.h - accounts and their API keys. Of a key only its hash is kept. */
#pragma once

#include "sql/store.h"

enum { STORE_KEY_HASH_SIZE = 32 };

struct store_key {
    char id[STORE_ID_SIZE];
    char account[STORE_ID_SIZE];
    char account_name[513];
    char prefix[16];
    char name[513];
    char scopes[256]; /* separated by blanks: "admin" */
    unsigned char hash[STORE_KEY_HASH_SIZE];
    bool is_usable;                 /* neither revoked nor expired, account active */
    int64_t created_ms, expires_ms; /* 0 = never */
};

/* The key with that public prefix. Compare the hash yourself, in constant time.
 * Errors: NOT_FOUND. */
MUST_CHECK bool store_key_find(struct store *store, const char *prefix, struct store_key *ret_key,
                               struct err *err);

/* Errors: STORE_CONFLICT (the prefix is taken: make another key). */
MUST_CHECK bool store_key_insert(struct store *store, const char *id, const char *account,
                                 const char *name, const char *prefix,
                                 const unsigned char hash[STORE_KEY_HASH_SIZE], const char *scopes,
                                 struct err *err);

/* Make an account, or leave the one of that id as it is. */
MUST_CHECK bool store_key_account(struct store *store, const char *id, const char *name,
                                  struct err *err);

/* The oldest account: what `keyferry up` made on its first start. *ret_id is "" when
 * there is none. */
MUST_CHECK bool store_key_first_account(struct store *store, char ret_id[STORE_ID_SIZE],
                                        struct err *err);

/* Write down that a key was used, at most once a minute. */
MUST_CHECK bool store_key_used(struct store *store, const char *id, struct err *err);

/* No key can log in any more when this is 0. */
MUST_CHECK bool store_key_count(struct store *store, int64_t *ret_usable, struct err *err);
