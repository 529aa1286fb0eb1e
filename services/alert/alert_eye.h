/* alert_eye.h - what a rule sees when it looks at a job.
 *
 * Pure, but for what it remembers of each job between two looks: when it last moved.
 */
#pragma once

#include <jansson.h>

#include "services/alert/alert_machine.h"
#include "services/job/job_health.h"

/* A job as store_alert_watch() shows it, read once for all rules. Borrows from the row. */
struct alert_job {
    const char *id, *account, *name;
    const json_t *labels;
    struct store_progress progress;
    struct job_seen seen; /* points at the progress */
    int64_t started_ms, retry_since_ms;
    bool has_caught_up, is_ended;
    int64_t still_ms; /* how long nothing has moved that should; from alert_memory_look() */
};

/* False for a row that is none. */
MUST_CHECK bool alert_job_from_row(const json_t *row, int64_t now_ms, struct alert_job *ret);

/* Until the next look at the same job. */
struct alert_memory;
struct alert_memory *alert_memory_new(void);
void alert_memory_free(struct alert_memory *m);
/* Sets still_ms. Jobs that were not looked at for ten minutes are forgotten. */
void alert_memory_look(struct alert_memory *m, struct alert_job *job);

/* What the rule makes of it. */
struct alert_seen alert_eye_look(const struct alert_rule *rule, const struct alert_job *job);

/* A sentence for people: what it is, of which job, and the figure. */
void alert_eye_describe(const struct alert_rule *rule, const struct alert_job *job,
                        const struct alert_seen *seen, char *dst, size_t size);
