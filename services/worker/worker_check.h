/* worker_check.h - one precheck in the hands of a worker: its child, its items.
 *
 * Not pure. The child (services/precheck/check.h) connects to both ends; what it
 * finds is written down item by item, and at its end the verdict is asked of
 * job_control.h. A child that dies is a precheck that could not be carried out:
 * nothing of it is tried twice, for a person waits for the answer.
 */
#pragma once

#include "services/worker/child_process.h"
#include "services/worker/worker_login.h"
#include "services/worker/worker_task.h"
#include "sql/store_precheck.h"

enum { WORKER_CHECK_ITEMS_MAX = 256 };

struct worker_check {
    struct store_precheck_claim claim;
    struct child_process process;
    int64_t deadline_ms, renew_ms; /* monotonic */
    json_t *items;                 /* array of what is not yet written down; owned */
    json_t *facts, *plan;          /* owned; NULL = none */
    bool is_done;                  /* the child said all it had to say */
    bool has_failed;
    struct err failure;
    bool asks_login;
    char login_end[16];
    struct worker_login_cache logins;
    bool is_gone; /* finished, cancelled or another's: free it */
};

/* Take over a claim (its parts move into the check) and start its child. `tasks_held`: how many
 * tasks this worker has.
 * Errors: IO. On an error the claim is failed by worker_check_flush(), too: a check
 * is always returned. */
struct worker_check *worker_check_open(struct worker *worker, struct store_precheck_claim *claim,
                                       size_t tasks_held);
void worker_check_free(struct worker_check *check);

/* When its socket or pidfd is readable, and at least once a second. Answers logins. */
void worker_check_run(struct worker *worker, struct worker_check *check);

/* Write down, renew, finish. False when the control database did not answer. */
MUST_CHECK bool worker_check_flush(struct worker *worker, struct worker_check *check,
                                   struct err *err);
