/* scan_reader.h - the keys of a source as any client can read them.
 *
 * I/O over one connection. SELECT and SCAN wait for their answer (ten seconds at most);
 * values are asked for many at once and come without waiting, so that the owner can heed
 * its own messages meanwhile: ask, then pump until done, then take the answers one by
 * one. What is outstanding is bounded by how many keys are asked for at once, which
 * follows the sizes that were seen; a single value is bounded by SCAN_READER_ANSWERS_MAX.
 *
 * The expiry is the source's own absolute time: PEXPIRETIME where there is one (7.0), else
 * PTTL and the source's clock right behind it, which is late by a millisecond or two.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "services/redis/redis_client.h"

enum {
    SCAN_READER_KEYS_MAX = 1000,                 /* of one request */
    SCAN_READER_REQUEST_BYTES = 1024 * 1024,     /* of keys in it, but for a single one */
    SCAN_READER_ANSWERS_WANTED = 512 * 1024,     /* bytes of answers of one request */
    SCAN_READER_ANSWERS_MAX = 640 * 1024 * 1024, /* as large as a value can be, and some */
};

struct scan_reader {
    struct redis_client client;
    bool has_expiretime;
    bool has_functions; /* 7.0 */
    size_t keys_wanted; /* of the next request */

    /* Set by the owner: what SCAN is to name; "" = all. */
    const char *match, *type; /* a glob; a type, from 6.0 on */

    /* The request under way. */
    struct buf out, in;
    size_t out_at, in_at;
    size_t asked, items, items_wanted;
    int64_t heard_at_ms, clock_ms; /* the source's clock behind the last PTTL */
    struct {
        size_t dump_at, dump_len;
        bool is_gone;
        int64_t expiry; /* absolute, ms; -1 = none, -2 = the key went away meanwhile */
    } answers[SCAN_READER_KEYS_MAX];
};

/* Take over `client`, which is open and was asked for INFO. Errors: of the calls. */
MUST_CHECK bool scan_reader_open(struct scan_reader *s, struct redis_client client,
                                 const struct redis_info *info, struct err *err);
void scan_reader_close(struct scan_reader *s);

/* *ret_exists is false when the source has no such database. Errors: SOURCE_NOPERM, …; of
 * redis_client_call, as all below. */
MUST_CHECK bool scan_reader_select(struct scan_reader *s, uint32_t db, bool *ret_exists,
                                   struct err *err);

/* One step: keys (in `arena`) and the next cursor; 0 = that was all of the database. */
MUST_CHECK bool scan_reader_scan(struct scan_reader *s, uint64_t cursor, struct arena *arena,
                                 const struct resp_value **ret_keys, uint64_t *ret_next,
                                 struct err *err);

/* What FUNCTION DUMP answers, in `arena`; empty when the source has none to give: an
 * older one, or an account that may not (*ret_refused). */
MUST_CHECK bool scan_reader_functions(struct scan_reader *s, struct arena *arena,
                                      struct str *ret_payload, bool *ret_refused, struct err *err);

/* Ask for the first of `count` keys, at most `limit` of them; *ret_asked says how many.
 * Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool scan_reader_ask(struct scan_reader *s, const struct resp_value *keys, size_t count,
                                size_t limit, size_t *ret_asked, struct err *err);

/* Do what can be done without waiting; *ret_done: every answer is here.
 * Errors: SOURCE_DOWN, SOURCE_NOPERM and other refusals, PROTOCOL, TOO_BIG, TIMEOUT. */
MUST_CHECK bool scan_reader_pump(struct scan_reader *s, bool *ret_done, struct err *err);

/* Answer i of those asked for, valid until the next request. False: that key is no more. */
bool scan_reader_answer(const struct scan_reader *s, size_t i, struct str *ret_payload,
                        int64_t *ret_expire_at_ms);
