/* alert_eye.h - what a rule sees when it looks at a job.
 *
 * Pure. Nothing is remembered from one look to the next, so any alerter may be the next to look.
 */
#pragma once

#include <jansson.h>

#include "services/alert/alert_machine.h"
#include "services/job/job_health.h"

/* A job as store_alert_watch() shows it, read once for all rules. Borrows from the row. */
struct alert_job {
    const char *id, *account, *name;
    const json_t *labels;
    const char *error; /* code of what went wrong last; NULL = nothing did */
    struct store_progress progress;
    struct job_seen seen; /* points at the progress */
    int64_t started_ms, retry_since_ms;
    bool has_caught_up, is_ended;
};

/* False for a row that is none. */
MUST_CHECK bool alert_job_from_row(const json_t *row, int64_t now_ms, struct alert_job *ret);

/* The value of what is not in sight: as good as it gets, and not to be shown. */
#define ALERT_NO_END 1e12

/* What the rule makes of it. */
struct alert_seen alert_eye_look(const struct alert_rule *rule, const struct alert_job *job);

/* A sentence for people: what it is, of which job, and the figure. */
void alert_eye_describe(const struct alert_rule *rule, const struct alert_job *job,
                        const struct alert_seen *seen, char *dst, size_t size);
