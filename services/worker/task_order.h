/* task_order.h - from what a job wants to what its children are told.
 *
 * Pure on jansson: the canonical specification of a job (job_spec.h) in, the
 * message "spec" of task_spec.h and what the supervisor itself needs out.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "services/worker/retry_clock.h"
#include "services/worker/task_run.h"

struct task_order {
    const char *job;
    uint32_t task;
    uint64_t lease;
    bool claimed_before;
    const char *spool_dir;  /* of the task */
    const char *import_dir; /* of this worker; NULL or "" = none */
    uint64_t spool_quota_bytes;
    uint64_t piece_bytes;       /* 0 = the usual */
    uint64_t transaction_bytes; /* 0 = the usual */
    const char *faults;         /* test builds: names with commas between; NULL = none */
};

/* A new reference.
 * Errors: VALIDATION names what the specification lacks. */
MUST_CHECK bool task_order_make(const struct task_order *order, const json_t *spec,
                                json_t **ret_message, struct err *err);

/* Put the ends of a specification that was changed into the message. *ret_changed: they are
 * others than before. Errors: as above; nothing has changed then. */
MUST_CHECK bool task_order_ends(const json_t *spec, json_t *message, bool *ret_changed,
                                struct err *err);

/* What is missing in the specification has its default. */
void task_order_policy(const json_t *spec, struct retry_policy *ret_policy);
