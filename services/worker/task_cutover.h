/* task_cutover.h - the supervisor's half of a cutover, and the errands behind it.
 *
 * The children carry it out (services/flow/receive_cutover.h, apply_end.h); here is kept what
 * is known of it, across their deaths:
 *
 *   GOING      they work on it. Any failure, death or wish turns it into
 *   GIVING_UP  nothing is sealed, the task goes on as before; the job hears it as soon as it is
 *              certain: the control block's seal is OPEN. While it is TRYING only the next
 *              claim can tell
 *   SEALED     the destination is closed to migrations: from here it only goes forward, by
 *              whoever holds the task, until every expiry is settled
 *
 * So a cutover is undone or done and never between, and one that was begun in a life of a
 * supervisor is not gone on with in another unless it was sealed.
 */
#pragma once

#include "services/worker/task_run.h"

/* Carry out what the job's `wanted.cutover` says; nothing happens when one is going on. */
void task_cutover_begin(struct task_run *run, const json_t *wanted);

/* A task taken over in the middle of one: undone, unless the next claim finds the seal. */
void task_cutover_found(struct task_run *run);

/* A person calls it off. Too late behind the seal. */
void task_cutover_call_off(struct task_run *run);

/* Something did not work. `because` is what aborted_because shows. */
void task_cutover_give_up(struct task_run *run, const char *because, const char *detail);

/* Given up, and certain: the job may be told. */
bool task_cutover_is_undone(const struct task_run *run);

/* Told. */
void task_cutover_forget(struct task_run *run);

/* A claim found the position unsealed. */
void task_cutover_is_open(struct task_run *run);

/* The seal is set: by apply's word, or found by a claim (`errand`: what is left is settled by
 * the next life of apply). */
void task_cutover_sealed(struct task_run *run, bool errand);

/* What the API shows, into run->progress. */
void task_cutover_report(struct task_run *run);
