/* json_compact.h - JSON text of the database as json_text() would write it. Pure. */
#pragma once

#include "proto/base/buf.h"
#include "proto/base/str.h"

/* Append the value without blanks between its parts, fractions with fifteen digits. What is no JSON
 * is not read beyond its end. Too much for dst->max ends the process, as in json_out.h. */
void json_compact(struct buf *dst, struct str value);
