#include "sql/store_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/embedded.h"

/* Columns of the view job_shown, then sealed. */
enum column {
    C_ID,
    C_ACCOUNT,
    C_NAME,
    C_STATE,
    C_PHASE,
    C_SYNC_STATE,
    C_INSTANCE_CLASS,
    C_SPEC_DIGEST,
    C_SPEC,
    C_WARNINGS,
    C_ATTENTION,
    C_LAST_ERROR,
    C_RETRY_STATE,
    C_WANTED,
    C_VERSION,
    C_CREATED,
    C_STARTED,
    C_FINISHED,
    C_UPDATED,
    C_HAS_TASK,
    C_WORKER,
    C_PROGRESS,
    C_SOURCE_FACTS,
    C_DESTINATION_FACTS,
    C_SPEC_SUM,
    C_SEALED,
    C_READ,
};

void store_job_done(struct store_job *job) {
    json_decref(job->spec);
    json_decref(job->warnings);
    json_decref(job->attention);
    json_decref(job->last_error);
    json_decref(job->retry_state);
    json_decref(job->wanted);
    json_decref(job->source_facts);
    json_decref(job->destination_facts);
    buf_done(&job->sealed);
    *job = STORE_JOB_INIT;
}

/* All but the specification, of which a list wants the text. */
static bool read_row(const struct store_rows *rows, int row, struct store_job *job,
                     struct err *err) {
    *job = STORE_JOB_INIT;
    store_text_copy(rows, row, C_ID, job->id, sizeof(job->id));
    store_text_copy(rows, row, C_ACCOUNT, job->account, sizeof(job->account));
    store_text_copy(rows, row, C_NAME, job->name, sizeof(job->name));
    store_text_copy(rows, row, C_STATE, job->state, sizeof(job->state));
    store_text_copy(rows, row, C_PHASE, job->phase, sizeof(job->phase));
    store_text_copy(rows, row, C_SYNC_STATE, job->sync_state, sizeof(job->sync_state));
    store_text_copy(rows, row, C_INSTANCE_CLASS, job->instance_class, sizeof(job->instance_class));
    store_text_copy(rows, row, C_SPEC_DIGEST, job->spec_digest, sizeof(job->spec_digest));
    job->warnings = store_json(rows, row, C_WARNINGS);
    job->attention = store_json(rows, row, C_ATTENTION);
    job->last_error = store_json(rows, row, C_LAST_ERROR);
    job->retry_state = store_json(rows, row, C_RETRY_STATE);
    job->wanted = store_json(rows, row, C_WANTED);
    job->version = store_i64(rows, row, C_VERSION);
    job->created_ms = store_i64(rows, row, C_CREATED);
    job->started_ms = store_i64(rows, row, C_STARTED);
    job->finished_ms = store_i64(rows, row, C_FINISHED);
    job->updated_ms = store_i64(rows, row, C_UPDATED);
    job->read_ms = store_i64(rows, row, C_READ);
    job->has_task = store_bool(rows, row, C_HAS_TASK);
    store_text_copy(rows, row, C_WORKER, job->worker, sizeof(job->worker));
    store_progress_from_text(str_from(store_text(rows, row, C_PROGRESS)), &job->progress);
    job->source_facts = store_json(rows, row, C_SOURCE_FACTS);
    job->destination_facts = store_json(rows, row, C_DESTINATION_FACTS);
    store_text_copy(rows, row, C_SPEC_SUM, job->spec_sum, sizeof(job->spec_sum));
    return store_bytes(rows, row, C_SEALED, &job->sealed, err);
}

bool store_job_get(struct store *store, const char *account, const char *id,
                   struct store_job *ret_job, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    struct store_job job;
    bool ok;

    store_bind_text(&p, id);
    store_bind_text(&p, account);
    if (!store_exec(store, &sql_query_job_get, &p, &rows, err))
        return false;
    if (rows.count == 0) {
        ok = err_set(err, ERR_NOT_FOUND, "there is no such job");
    } else {
        ok = read_row(&rows, 0, &job, err);
        job.spec = store_json(&rows, 0, C_SPEC);
        if (ok)
            *ret_job = job;
        else
            store_job_done(&job);
    }
    store_rows_done(&rows);
    return ok;
}

/* The label that the fewest jobs have comes first: the list goes along its index. */
static bool order_labels(struct store *store, const char *account,
                         const struct store_job_filter *filter, const char *labels[],
                         struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    memcpy(labels, filter->labels, filter->label_count * sizeof(*labels));
    if (filter->label_count == 1)
        return true;
    store_bind_text(&p, account);
    store_bind_texts(&p, labels, filter->label_count);
    if (!store_exec(store, &sql_query_job_label_rarest, &p, &rows, err))
        return false;
    for (size_t i = 1; i < filter->label_count; i++)
        if (strcmp(labels[i], store_text(&rows, 0, 0)) == 0) {
            labels[i] = labels[0];
            labels[0] = filter->labels[i];
        }
    store_rows_done(&rows);
    return true;
}

/* Is nothing asked for beside labels? */
static bool is_label_all(const struct store_job_filter *f) {
    return f->state_count == 0 && !f->name_part && !f->environment && !f->worker_pool &&
           !f->region && !f->resource_group && !f->instance && !f->attention_only;
}

static void bind_filter(struct store_params *p, const char *account,
                        const struct store_job_filter *filter) {
    bool many = filter->state_count > 1;

    store_bind_text(p, account);
    store_bind_text(p, filter->state_count == 1 ? filter->states[0] : NULL);
    if (many)
        store_bind_texts(p, filter->states, filter->state_count);
    else
        store_bind_text(p, NULL);
    store_bind_text(p, filter->name_part);
    store_bind_text(p, filter->before_id);
    store_bind_i64(p, filter->limit);
    store_bind_text(p, filter->environment);
    store_bind_text(p, filter->worker_pool);
    store_bind_bool(p, filter->attention_only);
    store_bind_text(p, filter->region);
    store_bind_text(p, filter->resource_group);
    store_bind_text(p, filter->instance);
}

bool store_job_list(struct store *store, const char *account, const struct store_job_filter *filter,
                    struct store_job_list *ret_list, struct err *err) {
    const struct sql_text *query = &sql_query_job_list;
    const char *labels[STORE_JOB_LABELS_MAX];
    struct store_params p = STORE_PARAMS_INIT;
    struct store_job_list list = {.rows = STORE_ROWS_INIT};
    bool ok = true;

    if (filter->label_count && !order_labels(store, account, filter, labels, err))
        return false;
    if (filter->label_count && is_label_all(filter)) {
        query = &sql_query_job_list_of_label;
        store_bind_text(&p, account);
        store_bind_text(&p, labels[0]);
        store_bind_texts(&p, labels + 1, filter->label_count - 1);
        store_bind_text(&p, filter->before_id);
        store_bind_i64(&p, filter->limit);
    } else {
        bind_filter(&p, account, filter);
        if (filter->label_count) {
            query = &sql_query_job_list_labelled;
            store_bind_text(&p, labels[0]);
            store_bind_texts(&p, labels + 1, filter->label_count - 1);
        }
    }
    store_bind_bool(&p, filter->with_specs);
    if (!store_exec_planned(store, query, &p, &list.rows, err))
        return false;
    list.jobs = calloc((size_t)list.rows.count + 1, sizeof(*list.jobs));
    if (!list.jobs)
        abort();
    for (int i = 0; ok && i < list.rows.count; i++) {
        ok = read_row(&list.rows, i, &list.jobs[i], err);
        list.jobs[i].spec_text = str_from(store_text(&list.rows, i, C_SPEC));
        list.count++;
    }
    if (ok)
        *ret_list = list;
    else
        store_job_list_done(&list);
    return ok;
}

void store_job_list_done(struct store_job_list *list) {
    for (size_t i = 0; i < list->count; i++)
        store_job_done(&list->jobs[i]);
    free(list->jobs);
    store_rows_done(&list->rows);
    list->jobs = NULL;
    list->count = 0;
}

bool store_job_specs(struct store *store, const char *const *ids, size_t count,
                     struct store_rows *ret_specs, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_texts(&p, ids, count);
    return store_exec(store, &sql_query_job_specs, &p, ret_specs, err);
}

bool store_job_summary(struct store *store, const char *account, json_t **ret_summary,
                       struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, account);
    if (!store_exec(store, &sql_query_job_summary, &p, &rows, err))
        return false;
    *ret_summary = store_json(&rows, 0, 0);
    store_rows_done(&rows);
    return true;
}

bool store_job_steps(struct store *store, const char *job, json_t **ret_steps, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, job);
    return store_exec_json(store, &sql_query_job_steps, &p, ret_steps, err);
}

bool store_job_note(struct store *store, const struct store_lease *lease, const char *error_code,
                    const char *error_detail, const json_t *retry_state, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;
    bool ok;

    store_bind_lease(&p, lease);
    store_bind_text(&p, error_code);
    store_bind_text(&p, error_detail);
    store_bind_json(&p, retry_state);
    if (!store_exec(store, &sql_query_job_note, &p, &rows, err))
        return false;
    ok =
        rows.affected == 1 || err_set(err, ERR_FENCED, "the lease of %s has passed on", lease->job);
    store_rows_done(&rows);
    return ok;
}

void store_job_bind_databases(struct store_params *p, const int *databases, int count) {
    char text[256][8];
    const char *values[256];

    if (count == 0) {
        store_bind_text(p, NULL);
        return;
    }
    for (int i = 0; i < count && i < 256; i++) {
        snprintf(text[i], sizeof(text[i]), "%d", databases[i]);
        values[i] = text[i];
    }
    store_bind_texts(p, values, count < 256 ? (size_t)count : 256);
}

bool store_job_insert(struct store *store, const struct store_job_new *job, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, job->id);
    store_bind_text(&p, job->account);
    store_bind_text(&p, job->name);
    store_bind_text(&p, job->state);
    store_bind_json(&p, job->spec);
    store_bind_json(&p, job->warnings);
    store_bind_bytes(&p, job->sealed);
    store_bind_text(&p, job->spec_digest);
    store_bind_text(&p, job->destination_key);
    store_job_bind_databases(&p, job->destination_databases, job->destination_database_count);
    store_bind_text(&p, job->event);
    store_bind_text(&p, job->sentence);
    store_bind_text(&p, job->actor);
    return store_exec(store, &sql_query_job_insert, &p, NULL, err);
}

bool store_job_move(struct store *store, const struct store_job_change *change, bool *ret_moved,
                    struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, change->job);
    store_bind_text(&p, change->from);
    store_bind_text(&p, change->to);
    store_bind_text(&p, change->event);
    store_bind_text(&p, change->sentence);
    store_bind_text(&p, change->detail);
    store_bind_text(&p, change->actor);
    store_bind_text(&p, change->account);
    store_bind_i64(&p, change->expected_version);
    store_bind_text(&p, change->lease ? change->lease->worker : NULL);
    store_bind_i64(&p, change->lease ? change->lease->task : 0);
    store_bind_i64(&p, change->lease ? change->lease->epoch : 0);
    store_bind_bool(&p, change->clear_attention);
    store_bind_json(&p, change->attention);
    store_bind_text(&p, change->error_code);
    store_bind_text(&p, change->error_detail);
    store_bind_json(&p, change->retry_state);
    store_bind_json(&p, change->wanted);
    store_bind_text(&p, change->instance_class);
    store_bind_bool(&p, change->is_start);
    store_bind_bool(&p, change->is_final);
    store_bind_bool(&p, change->add_task);
    if (!store_exec(store, &sql_query_job_move, &p, &rows, err))
        return false;
    *ret_moved = rows.count == 1;
    store_rows_done(&rows);
    return true;
}

bool store_job_overlap(struct store *store, const char *job, const char *const *states,
                       size_t state_count, char ret_id[STORE_ID_SIZE], struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, job);
    store_bind_texts(&p, states, state_count);
    if (!store_exec(store, &sql_query_job_overlap, &p, &rows, err))
        return false;
    ret_id[0] = '\0';
    if (rows.count)
        store_text_copy(&rows, 0, 0, ret_id, STORE_ID_SIZE);
    store_rows_done(&rows);
    return true;
}

bool store_job_due(struct store *store, int limit, json_t **ret_ids, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_i64(&p, limit);
    return store_exec_json(store, &sql_query_job_due, &p, ret_ids, err);
}

bool store_job_recovery(struct store *store, int pause_seconds, int limit, json_t **ret_ids,
                        struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_i64(&p, pause_seconds);
    if (!store_exec(store, &sql_query_job_recovery_plan, &p, NULL, err))
        return false;
    store_bind_i64(&p, limit);
    return store_exec_json(store, &sql_query_job_recovery_due, &p, ret_ids, err);
}

bool store_job_share_retry(struct store *store, const char *job, const char *actor,
                           struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, job);
    store_bind_text(&p, actor);
    return store_exec(store, &sql_query_job_share_retry, &p, NULL, err);
}

bool store_job_left(struct store *store, const char *job, bool *ret_left, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, job);
    if (!store_exec(store, &sql_query_job_left, &p, &rows, err))
        return false;
    *ret_left = store_bool(&rows, 0, 0);
    store_rows_done(&rows);
    return true;
}

bool store_job_state_before(struct store *store, const char *job, const char *state,
                            char ret_state[STORE_STATE_SIZE], struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;
    struct store_rows rows = STORE_ROWS_INIT;

    store_bind_text(&p, job);
    store_bind_text(&p, state);
    if (!store_exec(store, &sql_query_job_state_before, &p, &rows, err))
        return false;
    snprintf(ret_state, STORE_STATE_SIZE, "%s", rows.count ? store_text(&rows, 0, 0) : "");
    store_rows_done(&rows);
    return true;
}

bool store_job_reset(struct store *store, const char *job, struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, job);
    return store_exec(store, &sql_query_task_reset, &p, NULL, err);
}
