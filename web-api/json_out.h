/* json_out.h - JSON written piece by piece into a buf, for answers that are asked for so often that
 * a tree of values made first would be most of their price. Pure.
 *
 * A piece with a name is a member of the object that is open; name NULL is an item of the array
 * that is. The comma before it is written where one is due: whoever begins a text begins it with a
 * bracket. What cannot be written (more than dst->max, which is above everything that is answered)
 * ends the process, as it would in reply_json().
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/str.h"

/* As it is. */
void json_out_raw(struct buf *dst, struct str text);
void json_out_raw_value(struct buf *dst, const json_t *value);

/* The comma, the name and the colon: the value comes next, by json_out_raw(). */
void json_out_name(struct buf *dst, const char *name);

/* '{' or '['; its end is '}' or ']'. */
void json_out_open(struct buf *dst, const char *name, char bracket);
void json_out_close(struct buf *dst, char bracket);

void json_out_null(struct buf *dst, const char *name);
void json_out_bool(struct buf *dst, const char *name, bool value);
void json_out_int(struct buf *dst, const char *name, int64_t value);
void json_out_text(struct buf *dst, const char *name, const char *text);         /* NULL is null */
void json_out_value(struct buf *dst, const char *name, const json_t *value);     /* NULL is null */
void json_out_time(struct buf *dst, const char *name, int64_t wall_ms);          /* 0 is null */
void json_out_positive(struct buf *dst, const char *name, int64_t value);        /* else null */
void json_out_text_or_null(struct buf *dst, const char *name, const char *text); /* "" is null */
