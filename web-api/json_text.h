/* json_text.h - JSON as text. Pure.
 *
 * What json_dumps() of jansson 2.14 writes with JSON_COMPACT and a precision of 15, in a fifth of
 * its time: that one prints the address of each array and object into a table to find values that
 * hold themselves, which nothing here makes.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/str.h"

/* Above everything that is answered: 200 jobs of a specification as large as a body may be. */
enum { JSON_TEXT_MAX = 512 * 1024 * 1024 };

/* Append `value` to dst. Errors: TOO_BIG, MEMORY; dst then holds a part. */
MUST_CHECK bool json_text(struct buf *dst, const json_t *value, struct err *err);

/* The same of a text (UTF-8) and of a number. */
MUST_CHECK bool json_text_string(struct buf *dst, struct str text, struct err *err);
MUST_CHECK bool json_text_integer(struct buf *dst, int64_t value, struct err *err);
