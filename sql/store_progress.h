/* store_progress.h - how far a task has got, as a value.
 *
 * Pure on jansson: rows of progress_fields.def.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "proto/base/str.h"

struct store_progress {
#define PROGRESS_TEXT(name, size) char name[size];
#define PROGRESS_INT(name) int64_t name;
#include "sql/progress_fields.def"
#undef PROGRESS_TEXT
#undef PROGRESS_INT
};

/* A new reference; never NULL. */
json_t *store_progress_to_json(const struct store_progress *progress);

/* What is missing or of another type reads as "" or 0; NULL as all of that. */
void store_progress_from_json(const json_t *from, struct store_progress *ret_progress);

/* The same of text that PostgreSQL wrote of a jsonb; STR_EMPTY as NULL. */
void store_progress_from_text(struct str from, struct store_progress *ret_progress);
