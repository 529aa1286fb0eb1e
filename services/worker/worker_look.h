/* worker_look.h - what a worker was asked to do with a registered instance: look at it, or try new
 * credentials, which take the place of the old ones when the login went well.
 *
 * Not pure: a child (services/precheck/look.h) connects. A child that dies is a look that failed.
 */
#pragma once

#include "services/worker/child_process.h"
#include "services/worker/worker_task.h"
#include "sql/store_instance.h"

enum { WORKER_LOOKS_MAX = 4 };

struct worker_look {
    struct store_instance_work work;
    struct child_process process;
    int64_t deadline_ms; /* monotonic */
    json_t *facts;       /* owned; NULL = none yet */
    bool has_failed;
    struct err failure;
    bool is_gone; /* written down: free it */
};

/* Take over a claim and start its child. A look is always returned. */
struct worker_look *worker_look_open(struct worker *worker, struct store_instance_work *work);
void worker_look_free(struct worker_look *look);

/* When its socket or pidfd is readable, and at least once a second. */
void worker_look_run(struct worker *worker, struct worker_look *look);

/* Write down what came of it. False when the control database did not answer. */
MUST_CHECK bool worker_look_flush(struct worker *worker, struct worker_look *look, struct err *err);
