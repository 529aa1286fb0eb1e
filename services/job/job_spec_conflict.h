/* job_spec_conflict.h - what a specification says about keys the destination has already.
 *
 * Pure: the canonical specification in, complaints and warnings out. Part of reading a
 * specification; see job_spec.h.
 */
#pragma once

#include "services/job/job_spec_fields.h"
#include "services/net/endpoint.h"

/* Make conflict_scope what it means: `instance` where every database is selected, else
 * what was given, else `selection`. */
void job_spec_conflict_scope(json_t *spec, bool is_filtered);

/* Does what is stored say the scope because somebody asked for it? */
bool job_spec_conflict_is_chosen(const json_t *spec);

/* `destination` is NULL while there is none. flush_destination demands that confirm_flush
 * repeats its host and port. */
void job_spec_check_conflict(const json_t *spec, const struct endpoint *destination,
                             json_t *warnings, struct spec_report *report);
