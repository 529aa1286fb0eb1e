/* job_state.h - what a job may do next: the machine as a table.
 *
 * Pure. A state machine is a list of edges {from, event, to, sentence}; the sentence
 * is what the user reads in the history. No event has two answers in a state. An
 * edge may lead back to its own state: then something happened that is worth a
 * line. Moving a job is job_control.h's business.
 *
 * Source: web-api/openapi.yaml; the status names of Alibaba Cloud DTS are those of
 * its API of 2020-01-01.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"

enum job_state {
    JOB_DRAFT,      /* something required is missing */
    JOB_CONFIGURED, /* complete, unchecked */
    JOB_PRECHECKING,
    JOB_PRECHECK_FAILED,
    JOB_PRECHECK_PASSED,
    JOB_SCHEDULED, /* waits for its time */
    JOB_QUEUED,    /* waits for a worker; nothing was written yet */
    JOB_STARTING,  /* a worker is to bring it up, for the first time or again */
    JOB_RUNNING,
    JOB_RETRYING, /* an end does not answer; a retry clock runs */
    JOB_PAUSING,
    JOB_PAUSED,
    JOB_BLOCKED, /* a person must decide; nothing is written, nothing retries */
    JOB_CUTTING_OVER,
    JOB_FAILED, /* a retry clock ran out */
    JOB_COMPLETED,
    JOB_STOPPING, /* drains, settles, seals */
    JOB_STOPPED,
    JOB_RELEASED,
    JOB_STATE_COUNT
};

enum job_event {
#define JOB_EVENT(symbol, name) JOB_EV_##symbol,
#include "services/job/job_events.def"
#undef JOB_EVENT
    JOB_EVENT_COUNT
};

struct job_edge {
    enum job_state from;
    enum job_event event;
    enum job_state to;
    const char *sentence;
};

/* Names as the API and the database know them. */
const char *job_state_name(enum job_state state);
MUST_CHECK bool job_state_parse(const char *name, enum job_state *ret_state);
const char *job_state_event_name(enum job_event event);

/* The edge, or NULL: the job cannot do that now. */
const struct job_edge *job_state_next(enum job_state from, enum job_event event);

/* The whole table. */
const struct job_edge *job_state_edges(size_t *ret_count);

/* Nothing happens to it by itself any more: completed, stopped, released. */
bool job_state_is_final(enum job_state state);

/* A worker must hold it: queued, starting, running, retrying, pausing,
 * cutting_over, stopping. The statement task_claim holds the same list. */
bool job_state_is_active(enum job_state state);

/* It wrote or may write to its destination, so no other job may select the same. */
bool job_state_holds_destination(enum job_state state);

/* The read-only alias: "Migrating", "Suspending", ... */
const char *job_state_dts_status(enum job_state state);

/* What a person may ask for. */
struct job_action {
    const char *name;     /* as in allowed_actions: "pause", "abort_cutover", ... */
    enum job_event event; /* the edge that must exist; JOB_EVENT_COUNT = `states` decides */
    unsigned states;      /* bits 1u << state, for actions that move nothing */
    bool is_built;        /* false: a later version brings it */
    const char *reason;   /* why not, when the state refuses it */
};

const struct job_action *job_state_actions(size_t *ret_count);

/* NULL when the action is allowed in that state, else the reason it is not. */
const char *job_state_refusal(const struct job_action *action, enum job_state state);

/* Append the machine as a Mermaid state diagram. Errors: TOO_BIG. */
MUST_CHECK bool job_state_mermaid(struct buf *out, struct err *err);
