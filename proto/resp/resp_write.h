/* resp_write.h - writes commands as arrays of bulk strings.
 *
 * Pure. Two ways: resp_put_* append to a buf and check its limit; resp_write_*
 * write to memory the caller has reserved (buf_reserve of the sum of the
 * resp_size_*) and return the place behind, which is what the copy uses.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

/* Decimal digits of `v`: 1 to 20. */
unsigned resp_digits(uint64_t v);

/* Bytes of "*n\r\n" and of "$len\r\n" + len + "\r\n". */
static inline size_t resp_size_array(uint64_t count) {
    return 1 + resp_digits(count) + 2;
}
static inline size_t resp_size_bulk(size_t len) {
    return 1 + resp_digits(len) + 2 + len + 2;
}
/* A number as a bulk takes at most this many bytes. */
enum { RESP_SIZE_NUMBER_MAX = 1 + 2 + 2 + 20 + 2 };

/* Write at `at`, which has room; return the byte behind. */
char *resp_write_decimal(char *at, uint64_t v); /* digits only */
char *resp_write_array(char *at, uint64_t count);
char *resp_write_bulk(char *at, struct str s);
char *resp_write_u64(char *at, uint64_t v); /* as a bulk */
char *resp_write_i64(char *at, int64_t v);  /* as a bulk */

/* Append. Errors: TOO_BIG, MEMORY (as buf_reserve); then nothing was appended. */
MUST_CHECK bool resp_put_array(struct buf *b, uint64_t count, struct err *err);
MUST_CHECK bool resp_put_bulk(struct buf *b, struct str s, struct err *err);
MUST_CHECK bool resp_put_u64(struct buf *b, uint64_t v, struct err *err);
MUST_CHECK bool resp_put_i64(struct buf *b, int64_t v, struct err *err);

/* Several pieces as one bulk. */
MUST_CHECK bool resp_put_joined(struct buf *b, size_t count, const struct str *pieces,
                                struct err *err);

/* A string literal as a bulk. */
#define resp_put_literal(b, literal, err) resp_put_bulk((b), STR_LIT(literal), (err))

/* A whole command: its header and every argument. */
MUST_CHECK bool resp_put_command(struct buf *b, size_t argc, const struct str *argv,
                                 struct err *err);

enum { RESP_WORDS_MAX = 16 };

/* A whole command of at most RESP_WORDS_MAX C strings, ended by NULL:
 *     resp_put_words(&out, err, "REPLCONF", "capa", "eof", NULL) */
MUST_CHECK bool resp_put_words(struct buf *b, struct err *err, const char *first, ...)
    __attribute__((sentinel));
