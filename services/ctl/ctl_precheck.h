/* ctl_precheck.h - `keyferry precheck`, and what `migrate` shares with it. */
#pragma once

#include "services/ctl/api_client.h"
#include "services/ctl/ctl_watch.h"

int ctl_precheck_run(const struct ctl_args *args);

/* The specification of a job, from the two URLs and the options. *ret is a new
 * reference. Errors: USAGE, IO and what else ctl_secrets_endpoint() has. */
MUST_CHECK bool ctl_precheck_spec(const struct ctl_args *args, json_t **ret, struct err *err);

/* Wait for a precheck, writing "check   12 of 20" over the live line. `path` is its own
 * ("/v1/…/prechecks/pc_…"). *ret is the finished one, a new reference; NULL when
 * interrupted. */
MUST_CHECK bool ctl_precheck_wait(struct api_client *api, const char *path,
                                  struct ctl_output output, json_t **ret, struct err *err);

/* Why such a job can be checked and not started, by the warnings of an answer of the API (a job, or
 * /v1/jobs/preview); NULL when it can. Points into it. */
const char *ctl_precheck_unbuilt(const json_t *answer);

/* "--database N[:M]". Pure. Errors: USAGE. */
MUST_CHECK bool ctl_precheck_database(const char *text, int *ret_source, int *ret_destination,
                                      struct err *err);
