/* worker_task_login.h - the part of worker_task.h that gives a task's children their credentials
 * and watches the roles it goes by. For worker_task.c. */
#pragma once

#include "services/worker/worker_task.h"

void worker_task_login_init(struct worker_task *task);
void worker_task_login_done(struct worker_task *task);

/* A child asks for the credentials of an end: answer it. */
void worker_task_login(struct worker *worker, struct worker_task *task, enum task_duty duty);

/* Is it time to look at its roles again? */
bool worker_task_login_watch_due(const struct worker_task *task);

/* When it is: block the job when a role does not let it go on. Errors: STORE. */
MUST_CHECK bool worker_task_login_watch(struct worker *worker, struct worker_task *task,
                                        struct err *err);

/* The task is given back: its sessions are over. Errors: STORE. */
MUST_CHECK bool worker_task_login_end(struct worker *worker, struct worker_task *task,
                                      struct err *err);
