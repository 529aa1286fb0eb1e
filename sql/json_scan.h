/* json_scan.h - the members of an object in a JSON text, without making values of them. Pure.
 *
 * For text that PostgreSQL wrote of a jsonb, or json_text() of a value, so it is JSON. What is not
 * is never read beyond its end, and ends the object.
 */
#pragma once

#include <stdbool.h>

#include "proto/base/str.h"

struct json_scan {
    const char *at, *end;
};

struct json_member {
    struct str name;  /* as it is written, without its quotes */
    struct str value; /* as it is written, blanks included */
};

/* Of something that is no object there are no members. */
struct json_scan json_scan_begin(struct str object);
bool json_scan_next(struct json_scan *scan, struct json_member *ret_member);

/* The value of that member; empty when there is none. */
struct str json_scan_find(struct str object, struct str name);

/* Behind the text whose opening quote is at `at`; `end` when it is not closed. */
const char *json_scan_behind_text(const char *at, const char *end);
