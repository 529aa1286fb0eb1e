/* call.h - what handlers share: parameters, conditions, answers with an ETag. */
#pragma once

#include "services/job/job_control.h"
#include "sql/store_job.h"
#include "sql/store_precheck.h"
#include "web-api/page.h"
#include "web-api/route.h"

/* A {…} segment as an id with that prefix. Anything else is no such thing.
 * *ret_id lives in the call's arena. Errors: NOT_FOUND. */
MUST_CHECK bool call_id(struct call *call, int at, const char *prefix, const char **ret_id,
                        struct err *err);

/* ?name=true|false. Untouched when absent. Errors: VALIDATION. */
MUST_CHECK bool call_query_flag(struct call *call, const char *name, bool *value, struct err *err);

/* The job of the first {…} segment, of the caller's account.
 * Errors: NOT_FOUND, STORE. */
MUST_CHECK bool call_job(struct call *call, struct store_job *ret_job, struct err *err);

/* If-Match against the version of something just read; *ret_expected is the
 * version to insist on while writing, 0 without the header.
 * Errors: ETAG_MISMATCH. */
MUST_CHECK bool call_if_match(struct call *call, int64_t version, int64_t *ret_expected,
                              struct err *err);

/* For the audit: what the change found, and what it left. Both take the reference over; NULL is
 * nothing. The last one said counts, but of what was found the first. */
void call_found(struct call *call, json_t *before_taken);
void call_left(struct call *call, json_t *after_taken);

/* What was looked at before a start is looked at again before a resume: roles, and whether
 * applications use the destination. Errors: ROLE_NOT_TRUSTED, ROLE_PERMISSION, DESTINATION_LIVE. */
MUST_CHECK bool call_may_go_on(struct call *call, const struct store_job *job, struct err *err);

/* A move by this caller on its own account. */
struct job_move call_move(const struct call *call);

/* Answer with a job and its ETag. */
void call_reply_view(struct reply *reply, int status, const struct store_job *job);

/* Read the job again and answer with it and its ETag. */
MUST_CHECK bool call_reply_job(struct call *call, struct reply *reply, int status, const char *id,
                               struct err *err);
MUST_CHECK bool call_reply_precheck(struct call *call, struct reply *reply, int status,
                                    const char *id, struct err *err);

/* One row out of a list of the store, whose member `version` becomes the ETag. The reference is
 * taken over. Errors: NOT_FOUND when the list is empty. */
MUST_CHECK bool call_row(json_t *list_taken, const char *what, json_t **ret_row,
                         int64_t *ret_version, struct err *err);

/* How a resource finds its row; as call_row() gives it. */
typedef bool call_find(struct call *call, const char *id, json_t **ret_row, int64_t *ret_version,
                       struct err *err);

/* Before a change of the resource of the first {…} segment: the row as it is, under the caller's
 * condition (If-Match), and noted for the audit. *ret_row is a new reference.
 * Errors: NOT_FOUND, ETAG_MISMATCH, STORE. */
MUST_CHECK bool call_change(struct call *call, const char *prefix, call_find *find,
                            const char **ret_id, json_t **ret_row, int64_t *ret_version,
                            struct err *err);

/* Only administrators of the operator's account may: `what` they do, like "drains workers".
 * Errors: FORBIDDEN. */
MUST_CHECK bool call_operator(const struct call *call, const char *what, struct err *err);

/* What a compare-and-set by the version answered. Errors: STORE_CONFLICT when it was not written.
 */
MUST_CHECK bool call_was_written(const char *id, bool written, struct err *err);

/* Answer with such a row. */
void call_reply_row(struct reply *reply, int status, json_t *row_taken, int64_t version);

/* Answer with a page of such rows, which are keyed by their `id`. */
void call_reply_rows(struct reply *reply, const struct page *page, json_t *rows_taken);

/* Answer with something that carries its own `etag` member: sets the header too. */
void call_reply_tagged(struct reply *reply, int status, json_t *body_taken);
