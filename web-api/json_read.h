/* json_read.h - request bodies: bytes to JSON, and members to values.
 *
 * Pure. Wrong members are collected, not stopped at: one answer names all of
 * them. `fields` is the array that becomes the problem's `errors`; it is made
 * with the first wrong member and stays the caller's to decref.
 *
 * The readers leave *value as it was when the member is absent, so its default
 * is what the caller put there.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

enum { JSON_READ_DEPTH_MAX = 32 };

/* Parse a body that must be one object; an empty body is {}. Duplicate members
 * are refused: two readers would understand two different requests. So is
 * nesting past JSON_READ_DEPTH_MAX, before the parser recurses into it.
 * Errors: NOT_JSON. */
MUST_CHECK bool json_read_object(struct str bytes, json_t **ret_object, struct err *err);

/* Add {pointer, code, detail} to *fields. */
void json_read_wrong(json_t **fields, const char *pointer, const char *code, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* Members outside `names` (blanks between) are wrong: code unknown_field. */
void json_read_known(const json_t *object, json_t **fields, const char *names);

void json_read_bool(const json_t *object, json_t **fields, const char *name, bool *value);

/* `*value` points into the object. Lengths count bytes. */
void json_read_text(const json_t *object, json_t **fields, const char *name, size_t min, size_t max,
                    const char **value);

/* One of "a|b|c". */
void json_read_choice(const json_t *object, json_t **fields, const char *name, const char *choices,
                      const char **value);

void json_read_int(const json_t *object, json_t **fields, const char *name, int64_t lowest,
                   int64_t highest, int64_t *value);

/* A list of at most `most` texts of 1 to `longest` bytes, none twice. *values point into the
 * object and has room for `most`; *count stays as it was when the member is absent. */
void json_read_texts(const json_t *object, json_t **fields, const char *name, size_t most,
                     size_t longest, const char **values, size_t *count);

/* A time as answers show it, or without its milliseconds. null is 0. */
void json_read_time(const json_t *object, json_t **fields, const char *name, int64_t *wall_ms);

/* False with VALIDATION when something was wrong; the detail quotes the first. */
MUST_CHECK bool json_read_end(const json_t *fields, struct err *err);
