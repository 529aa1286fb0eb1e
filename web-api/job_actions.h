/* job_actions.h - what a job can be asked to do, as the API shows it.
 *
 * The same for all jobs of a state and phase, so it is made once: this is a third of a job's
 * answer.
 */
#pragma once

#include "proto/base/str.h"
#include "services/job/job_state.h"

/* The members allowed_actions and blocked_actions as text: ["pause", …] and [{"action", "reason"},
 * …]. What a job of a cluster cannot do yet is among the latter, and the cutover of a running job
 * that does not follow changes (yet). Lives as long as the process. */
struct str job_actions_text(enum job_state state, bool follows, bool source_is_cluster,
                            bool destination_is_cluster);
