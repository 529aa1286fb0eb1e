/* job_template.h - what a job's answer tells of its specification, as text with holes. Pure.
 *
 * A function of the specification alone: what else is known of a job goes into the holes, and
 * behind. Lists show specifications that have not changed for weeks, two thousand bytes each, so
 * they are never made into values there.
 */
#pragma once

#include <stdbool.h>

#include "proto/base/buf.h"
#include "proto/base/str.h"
#include "web-api/json_text.h"

enum { JOB_FOUND_COUNT = 3 };

/* What is found of an end, whatever was asked for: product, version, topology. */
extern const char *const job_template_found[JOB_FOUND_COUNT];

enum job_hole {
    JOB_HOLE_NAME,
    JOB_HOLE_SETTLED, /* are held expiries settled? */
    JOB_HOLE_CUTOVER,
    JOB_HOLE_CLASS,
    JOB_HOLE_SOURCE, /* … and the next: what is found of it */
    JOB_HOLE_DESTINATION = JOB_HOLE_SOURCE + JOB_FOUND_COUNT,
    JOB_HOLE_COUNT = JOB_HOLE_DESTINATION + JOB_FOUND_COUNT,
};

struct job_template {
    struct buf text; /* members, each with a comma before it */
    struct {
        enum job_hole hole;
        size_t at, len; /* the value in the text that stands where nothing else is known */
    } holes[JOB_HOLE_COUNT];
    int hole_count;
    bool is_exact;       /* its expiries are not held */
    bool is_incremental; /* changes are followed */
    bool is_cluster[2];  /* the source, the destination */
};

#define JOB_TEMPLATE_INIT ((struct job_template){.text = BUF_INIT(JSON_TEXT_MAX)})

void job_template_done(struct job_template *t);

/* Of a specification's text, as the database or json_text() wrote it. What `t` held is gone, its
 * memory is used again. */
void job_template_make(struct job_template *t, struct str spec);

/* What is to be kept takes no more memory than it fills. */
void job_template_trim(struct job_template *t);
