/* openapi_examples.h - examples and problem codes into the document of the API.
 *
 * Pure; used by the build step that makes the document (openapi_json_main.c). The examples are
 * what a service answered (tests/support/record_examples.py):
 *   {"<operationId>": {"call": "POST /v1/jobs", "request": …, "answers": {"201": …},
 *                      "problems": ["selection_overlaps"]}}
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* Every operation gets `x-example-call`, an `example` beside the schemas of its body and of its
 * answers where the document gives none itself, and `x-problem-codes`: those that every operation
 * of its kind may answer, and its own. An operation without a row gets the latter only; a test
 * (tests/api/test_examples.py) says which that is. */
void openapi_examples_add(json_t *document, const json_t *examples);
