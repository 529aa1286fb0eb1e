/* job_actions.h - what a job can be asked to do, as the API shows it.
 *
 * The same for all jobs of a state, so it is made once: these are half of the values of a job's
 * answer.
 */
#pragma once

#include <jansson.h>

#include "services/job/job_state.h"

/* ["pause", …] and [{"action", "reason"}, …]: new references to what other threads may share, so
 * never to be changed. `unbuilt` is why a job of its specification cannot be started, or NULL. */
void job_actions(enum job_state state, const char *unbuilt, json_t **ret_allowed,
                 json_t **ret_blocked);
