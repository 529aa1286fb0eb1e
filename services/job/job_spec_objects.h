/* job_spec_objects.h - what of the source is migrated: databases, prefixes, commands.
 *
 * Pure on jansson; a part of job_spec_read().
 */
#pragma once

#include <jansson.h>

#include "services/job/job_spec.h"
#include "services/job/job_spec_fields.h"
#include "services/net/endpoint.h"

struct job_spec_objects {
    const json_t *given;                         /* the request's `objects`; NULL = none */
    const struct endpoint *source, *destination; /* NULL where there is none */
    bool is_source_broken; /* it was given and refused: what it says about databases is unknown */
    struct spec_report *report;
    struct job_spec *spec; /* the table has filled in its part of it */
};

/* Fill in objects.databases, exclude_commands, flush_policy and conflict_scope, and the
 * databases of the destination. */
void job_spec_objects_read(struct job_spec_objects *r);
