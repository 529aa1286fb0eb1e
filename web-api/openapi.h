/* openapi.h - the contract, openapi.yaml, as the JSON that /openapi.json serves.
 * Made at build time by openapi_json_main.c. */
#pragma once

#include <stddef.h>

extern const char openapi_json_bytes[]; /* NUL behind */
extern const size_t openapi_json_len;
