/* err.h - an error is a value: a code, and the story from the root cause up.
 *
 * Pure; no allocation. A function that can fail takes `struct err *` last and
 * returns false; on success the error is untouched, so calls chain with &&.
 * The setters return false, so failing is one line:
 *
 *     return err_set(err, ERR_TIMEOUT, "no answer from %s in %d ms", label, ms);
 *
 * What an error means to HTTP, to the retry decision and to a reader is one row
 * of err_codes.def.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/attrs.h"

enum err_retry { RETRY_NEVER, RETRY_LATER, RETRY_NOW };

enum err_code {
    ERR_NONE = 0,
#define ERR(symbol, http, retry, code, title) ERR_##symbol,
#include "proto/base/err_codes.def"
#undef ERR
    ERR_COUNT
};

enum { ERR_FRAMES = 6, ERR_FRAME_LEN = 200 };

struct err {
    enum err_code code;
    int frame_count;                       /* frame[0] is the root cause */
    char frame[ERR_FRAMES][ERR_FRAME_LEN]; /* NUL-terminated, truncated when longer */
};

#define ERR_INIT ((struct err){.code = ERR_NONE})

/* Start the story: drops what was there. Returns false. */
bool err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Add what this caller was doing; keeps the code. Returns false. */
bool err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Add a frame and give the failure the meaning it has here. Returns false. */
bool err_recode(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Forget: the value is as after ERR_INIT. */
void err_clear(struct err *err);

/* Write the story, outermost frame first, joined with ": ". Always terminates
 * `dst`; returns the length written, without the NUL. */
size_t err_format(const struct err *err, char *dst, size_t dst_size);

/* Columns of the code's row. An unknown code answers as ERR_INTERNAL does. */
const char *err_slug(enum err_code code); /* "validation_failed" */
const char *err_title(enum err_code code);
int err_http(enum err_code code);
enum err_retry err_retry_class(enum err_code code);

/* The code whose slug is `slug`, or ERR_NONE: errors cross process borders by
 * their slug. */
enum err_code err_from_slug(const char *slug);
