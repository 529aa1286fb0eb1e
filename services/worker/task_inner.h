/* task_inner.h - the inner seam of task_run, for its files only: task_run.c lives
 * the children's lives, task_aim.c turns what is wanted into what they hear, task_message.c reads
 * what they say (services/flow/child.h names the messages), task_trouble.c decides what follows
 * from an error.
 */
#pragma once

#include "services/worker/task_run.h"

enum { TASK_PAUSE_PATIENCE_MS = 5000 }; /* the unit in flight may take as long to end */

enum { TASK_DEATHS_MAX = 10 }; /* young ones in a row until the job is in trouble */

/* task_run.c */
void task_inner_settle(struct task_run *run, enum task_outcome outcome);
void task_inner_due(struct task_child *child, int64_t in_ms);
void task_inner_restart(struct task_run *run, int64_t in_ms); /* both, from a new claim */
int64_t task_inner_pause(uint32_t deaths);                    /* ms before the next life */
void task_inner_start_receive(struct task_run *run);          /* run->start is new */

/* task_message.c: send, and kill who does not read. */
void task_message_send(struct task_run *run, enum task_duty duty, const json_t *message);

/* task_trouble.c */

/* A child said why it ends. */
struct child_error {
    enum err_code code;
    const char *detail;
    uint64_t lease;     /* with LEASE_BEHIND: what the destination knows; 0 = not said */
    const char *sealed; /* with SEALED: "stopped", "done" or "sealed"; NULL = not said */
};
void task_trouble_error(struct task_run *run, enum task_duty duty, const struct child_error *why);

/* Runs the clock and says when the child may try again; false: it ran out, and the
 * task has failed. */
bool task_trouble_later(struct task_run *run, struct task_child *child, const char *target,
                        enum err_code code, const char *detail);
