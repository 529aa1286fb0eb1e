/* ctl_json.h - reading members of answers. Pure.
 *
 * `path` is member names with dots between. What is absent, null or of another
 * type reads as "", 0 or false: the screens show what there is.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* How answers are printed: on one line, with the digits of a fraction that the API sent. */
#define CTL_JSON_LINE (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

json_t *ctl_json_at(const json_t *root, const char *path); /* borrowed; NULL = absent */
const char *ctl_json_text(const json_t *root, const char *path);
double ctl_json_number(const json_t *root, const char *path);
bool ctl_json_is(const json_t *root, const char *path, const char *text);
