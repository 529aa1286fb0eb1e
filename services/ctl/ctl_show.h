/* ctl_show.h - what an answer of the API looks like on a screen or in a pipe.
 *
 * Pure: JSON in, text out, appended to `out`. Lines end with '\n' except the live
 * one. Text that came from servers is escaped.
 *
 * Errors of all: TOO_BIG, MEMORY.
 */
#pragma once

#include <jansson.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"

/* The one line that lives: bar, lag, or what it waits for. No newline. */
MUST_CHECK bool ctl_show_live(const json_t *job, struct buf *out, struct err *err);

/* The same for a pipe: time, id, state or phase, name=value. */
MUST_CHECK bool ctl_show_plain(const json_t *job, const char *time, struct buf *out,
                               struct err *err);

/* "copy    done   1,204,331 keys in 20.4 s; 3,112 expired, 0 refused, 0 conflicts" */
MUST_CHECK bool ctl_show_copied(const json_t *job, double seconds, struct buf *out,
                                struct err *err);

/* Attention with its choices, or the last error: why it stands still. */
MUST_CHECK bool ctl_show_trouble(const json_t *job, struct buf *out, struct err *err);

/* One job, several lines; and one row of a list (NULL = the heading). */
MUST_CHECK bool ctl_show_job(const json_t *job, struct buf *out, struct err *err);
MUST_CHECK bool ctl_show_row(const json_t *job, struct buf *out, struct err *err);

/* A precheck: ends, counts, what did not pass with its remedy, the plan. */
MUST_CHECK bool ctl_show_precheck(const json_t *precheck, struct buf *out, struct err *err);

/* "10.0.1.5:6379" of one end of a job: its label. */
const char *ctl_show_label(const json_t *job, const char *end);

/* "Redis", "Valkey", or the member "product" as it is. */
const char *ctl_show_product(const json_t *facts);
