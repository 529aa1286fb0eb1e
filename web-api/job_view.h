/* job_view.h - a job as the API shows it. Pure.
 *
 * The specification's members stand beside what has become of it. What nobody
 * knows is null; nothing here is made up. The specification holds no secret, so
 * neither does the view.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "sql/store_job.h"
#include "web-api/etag.h"
#include "web-api/job_template.h"

/* Append its text, `etag` included, whose value ret_tag gets as well; NULL is fine. */
void job_view_write(struct buf *dst, const struct store_job *job, int64_t now_wall_ms,
                    char ret_tag[ETAG_SIZE]);

/* The same where what is made of its specification is there already: for lists. */
void job_view_fill(struct buf *dst, const struct store_job *job, const struct job_template *spec,
                   int64_t now_wall_ms, char ret_tag[ETAG_SIZE]);

/* The same as a value, a new reference. */
json_t *job_view(const struct store_job *job, int64_t now_wall_ms);
