/* reseal.h - every secret at rest under the key that seals now.
 *
 * Not pure: the control database. Whoever has the keys may do it, at any time, several at once and
 * in any pieces: a secret is replaced by itself under another key, and only while it is still the
 * one that was read. So a process that dies in between leaves some under the old key and some
 * under the new one, and both open as long as the key file holds both.
 */
#pragma once

#include "services/secret/keyring.h"
#include "sql/store_secret.h"

/* Where a pass over all secrets is. */
struct reseal {
    struct store_secret_place at; /* the last one looked at */
    uint64_t done, unreadable;    /* since reseal_begin() */
};

#define RESEAL_BEGIN ((struct reseal){.done = 0})

/* Seal what is not under the last key of `ring` and can be opened with another one, for at most
 * about budget_ms. *ret_over: the pass has come to its end. What cannot be opened (damaged) is
 * logged and passed over. Errors: STORE; call again. */
MUST_CHECK bool reseal_some(struct reseal *pass, struct store *store, const struct keyring *ring,
                            int budget_ms, bool *ret_over, struct err *err);
