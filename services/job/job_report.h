/* job_report.h - the record of a migration as text, for people and for a ticket.
 *
 * Pure: the JSON of GET /v1/jobs/{job}/report in, text out. What servers and users wrote is
 * escaped.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"

enum { JOB_REPORT_TEXT_MAX = 4 * 1024 * 1024 };

/* Append to `out`. Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool job_report_text(const json_t *report, bool is_markdown, struct buf *out,
                                struct err *err);
