/* job_edit_class.h - the instance class of a job: chosen, and changed later. */
#pragma once

#include <jansson.h>

#include "proto/base/err.h"
#include "services/job/job_control.h"
#include "sql/store.h"

/* Choose a class without starting: the precheck must have passed as for a start.
 * Errors: as job_control_start. */
MUST_CHECK bool job_edit_class_purchase(struct store *store, const char *job,
                                        const struct job_move *move, const char *instance_class,
                                        struct err *err);

/* Another class for a job that has one and has not ended; a running one heeds it within two
 * seconds. Errors: INVALID_STATE, ETAG_MISMATCH. */
MUST_CHECK bool job_edit_class_resize(struct store *store, const char *job,
                                      const struct job_move *move, const char *instance_class,
                                      struct err *err);

/* A patch of the specification that names a class, where one was chosen already: it becomes the
 * job's, as by a resize. `spec` is the patched one; null there is `unlimited`. `version` is the
 * job's by now. Errors: as job_edit_class_resize, and STORE_CONFLICT. */
MUST_CHECK bool job_edit_class_follow(struct store *store, const struct store_job *job,
                                      int64_t version, const char *actor, const json_t *patch,
                                      const json_t *spec, struct err *err);
