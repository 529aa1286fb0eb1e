/* The collection of jobs, and one job as a resource. */
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/job/job_reference.h"
#include "services/job/job_request.h"
#include "services/job/job_spec.h"
#include "sql/store_account.h"
#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/job_view.h"
#include "web-api/json_text.h"
#include "web-api/page.h"

/* Read the body as a specification; on failure the wrong members are the call's. */
static bool read_spec(struct call *call, struct job_spec *spec, struct err *err) {
    return job_reference_read(call->store, call->caller.account, call->body, spec, &call->fields,
                              err);
}

bool jobs_create(struct call *call, struct reply *reply, struct err *err) {
    struct job_spec spec = {0};
    char id[STORE_ID_SIZE];
    bool ok = read_spec(call, &spec, err) &&
              store_account_room(call->store, call->caller.account, "jobs", err) &&
              job_control_create(call->store, app_keyring(call->app), call->caller.account,
                                 call->caller.actor, &spec, id, err) &&
              call_reply_job(call, reply, 201, id, err);

    if (ok)
        reply_header(reply, "Location", arena_printf(call->arena, "/v1/jobs/%s", id));
    job_spec_done(&spec);
    return ok;
}

/* A line for a shell: a quote inside single quotes is '\''. */
static json_t *curl_line(const json_t *spec) {
    json_t *request = job_request_shown(spec);
    char *body = json_dumps(request, JSON_COMPACT | JSON_REAL_PRECISION(15));
    struct buf line = BUF_INIT(4 * 1024 * 1024);
    struct err err = ERR_INIT;
    struct str rest = str_from(body), piece;
    json_t *text = NULL;
    bool ok = buf_append(&line,
                         STR_LIT("curl -sS -X POST \"$KEYFERRY_URL/v1/jobs\" -H \"Authorization: "
                                 "Bearer $KEYFERRY_API_KEY\" -H 'Content-Type: application/json' "
                                 "-d '"),
                         &err);

    for (bool first = true; ok && str_cut(&rest, '\'', &piece); first = false)
        ok = (first || buf_append(&line, STR_LIT("'\\''"), &err)) && buf_append(&line, piece, &err);
    if (ok && buf_append(&line, STR_LIT("'"), &err))
        text = json_stringn(buf_str(&line).ptr, buf_str(&line).len);
    buf_done(&line);
    free(body);
    json_decref(request);
    return text ? text : json_null();
}

bool jobs_preview(struct call *call, struct reply *reply, struct err *err) {
    struct job_spec spec = {0};
    bool ok = read_spec(call, &spec, err);

    if (ok)
        reply_json(reply, 200,
                   json_pack("{s:O, s:O, s:O, s:b, s:o}", "spec", spec.spec, "warnings",
                             spec.warnings, "missing", spec.missing, "complete",
                             job_spec_is_complete(&spec), "curl", curl_line(spec.spec)));
    job_spec_done(&spec);
    return ok;
}

enum { STATES_MAX = 32 };

/* ?state=running,paused */
static bool read_states(struct call *call, const char *states[STATES_MAX], size_t *ret_count,
                        struct err *err) {
    struct str list, one;
    size_t count = 0;

    if (!request_query(call->request, "state", &list))
        return true;
    if (list.len == 0)
        return err_set(err, ERR_VALIDATION, "state: names of states with commas between");
    while (str_cut(&list, ',', &one)) {
        const char *name = arena_dup(call->arena, one);
        enum job_state known;

        if (count == STATES_MAX || !job_state_parse(name, &known))
            return err_set(err, ERR_VALIDATION, "state: \"%.40s\" is no state of a job", name);
        states[count++] = name;
    }
    *ret_count = count;
    return true;
}

/* ?label=team=cache,tier=1: all of them. */
static bool read_labels(struct call *call, const char *labels[STORE_JOB_LABELS_MAX],
                        size_t *ret_count, struct err *err) {
    struct str list, one;
    size_t count = 0, i;

    if (!request_query(call->request, "label", &list))
        return true;
    if (list.len == 0)
        return err_set(err, ERR_VALIDATION, "label: must be KEY=VALUE, with commas between");
    while (str_cut(&list, ',', &one)) {
        const char *label = arena_dup(call->arena, one), *equals = strchr(label, '=');

        if (!equals || equals == label)
            return err_set(err, ERR_VALIDATION, "label: must be KEY=VALUE, with commas between");
        for (i = 0; i < count && strcmp(labels[i], label) != 0; i++)
            continue;
        if (i == STORE_JOB_LABELS_MAX)
            return err_set(err, ERR_VALIDATION, "label: at most %d", STORE_JOB_LABELS_MAX);
        labels[i] = label;
        if (i == count)
            count++;
    }
    *ret_count = count;
    return true;
}

/* The parameters that are taken as they are. */
static void read_texts(struct call *call, struct store_job_filter *filter) {
    const struct {
        const char *name;
        const char **value;
    } rows[] = {
        {"name", &filter->name_part},
        {"environment", &filter->environment},
        {"worker_pool", &filter->worker_pool},
        {"region", &filter->region},
        {"resource_group", &filter->resource_group},
        {"instance_id", &filter->instance},
    };
    struct str text;

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (request_query(call->request, rows[i].name, &text))
            *rows[i].value = arena_dup(call->arena, text);
}

/* A page as it was read, and what is made of each job's specification. */
struct jobs_page {
    struct store_job_list list;
    const struct spec_held *specs[PAGE_LIMIT_MAX];
    size_t shown;
};

static void page_done(struct call *call, struct jobs_page *p) {
    for (size_t i = 0; i < p->shown; i++)
        spec_memo_give(app_specs(call->app), p->specs[i]);
    store_job_list_done(&p->list);
}

/* Those that are known, or were read with their specifications. Returns how many are missing. */
static size_t find_specs(struct call *call, struct jobs_page *p, const char *missing[]) {
    struct spec_memo *memo = app_specs(call->app);
    size_t count = 0;

    for (size_t i = 0; i < p->shown; i++) {
        const struct store_job *job = &p->list.jobs[i];

        if (!p->specs[i])
            p->specs[i] = spec_memo_find(memo, job->spec_sum);
        if (!p->specs[i] && job->spec_text.len > 0)
            p->specs[i] = spec_memo_make(memo, job->spec_sum, job->spec_text);
        if (!p->specs[i])
            missing[count++] = job->id;
    }
    return count;
}

/* Read them as they are now. One that was changed since the page was read has another sum then,
 * and stays missing. */
static bool read_specs(struct call *call, struct jobs_page *p, const char *missing[], size_t count,
                       size_t *ret_left, struct err *err) {
    struct spec_memo *memo = app_specs(call->app);
    const struct spec_held *made[PAGE_LIMIT_MAX];
    struct store_rows rows;
    int i;

    if (!store_job_specs(call->store, missing, count, &rows, err))
        return false;
    for (i = 0; i < rows.count && i < PAGE_LIMIT_MAX; i++)
        made[i] = spec_memo_make(memo, store_text(&rows, i, STORE_JOB_SPECS_SUM),
                                 str_from(store_text(&rows, i, STORE_JOB_SPECS_TEXT)));
    *ret_left = find_specs(call, p, missing);
    while (i-- > 0)
        spec_memo_give(memo, made[i]);
    store_rows_done(&rows);
    return true;
}

/* *ret_left is how many specifications are missing. */
static bool read_page(struct call *call, const struct store_job_filter *filter,
                      struct jobs_page *ret_page, size_t *ret_left, struct err *err) {
    struct jobs_page p = {.shown = 0};
    const char *missing[PAGE_LIMIT_MAX];
    size_t left, max = (size_t)filter->limit - 1;

    if (!store_job_list(call->store, call->caller.account, filter, &p.list, err))
        return false;
    p.shown = p.list.count < max ? p.list.count : max;
    left = find_specs(call, &p, missing);
    if (left > 0 && !read_specs(call, &p, missing, left, &left, err)) {
        page_done(call, &p);
        return false;
    }
    *ret_page = p;
    *ret_left = left;
    return true;
}

/* A job's answer is seldom longer. */
enum { JOB_TEXT_USUAL = 5000 };

static void write_page(const struct jobs_page *p, const struct page *page, struct reply *reply) {
    struct buf text = BUF_INIT(JSON_TEXT_MAX), tags = BUF_INIT(PAGE_LIMIT_MAX * ETAG_SIZE);
    bool is_more = p->list.count > p->shown;
    char tag[ETAG_SIZE];
    struct err err = ERR_INIT;

    if (!buf_reserve(&text, p->shown * JOB_TEXT_USUAL, &err))
        abort();
    for (size_t i = 0; i < p->shown; i++) {
        page_text_next(&text);
        job_view_fill(&text, &p->list.jobs[i], &p->specs[i]->template, clock_wall_ms(), tag);
        if (!buf_append(&tags, str_from(tag), &err))
            abort();
    }
    /* Those of its jobs change with all they show. */
    if (!buf_append(&tags, is_more ? STR_LIT("+") : STR_LIT("."), &err))
        abort();
    etag_format(buf_str(&tags), 0, tag);
    buf_done(&tags);
    reply_header(reply, "ETag", tag);
    page_text_end(&text, page, is_more ? p->list.jobs[p->shown - 1].id : NULL, reply);
}

bool jobs_list(struct call *call, struct reply *reply, struct err *err) {
    const char *states[STATES_MAX], *labels[STORE_JOB_LABELS_MAX];
    struct store_job_filter filter = {.states = states, .labels = labels};
    struct jobs_page jobs;
    struct page page;
    size_t left;

    if (!page_parse(call->request, "jobs", &page, err) ||
        !call_query_flag(call, "attention", &filter.attention_only, err) ||
        !read_states(call, states, &filter.state_count, err) ||
        !read_labels(call, labels, &filter.label_count, err))
        return false;
    read_texts(call, &filter);
    filter.before_id = page.after[0] ? page.after : NULL;
    filter.limit = page.limit + 1;
    if (!read_page(call, &filter, &jobs, &left, err))
        return false;
    if (left > 0) {
        /* Jobs were changed between both readings: once more, all from one. */
        page_done(call, &jobs);
        filter.with_specs = true;
        if (!read_page(call, &filter, &jobs, &left, err))
            return false;
    }
    write_page(&jobs, &page, reply);
    page_done(call, &jobs);
    return true;
}

bool jobs_summary(struct call *call, struct reply *reply, struct err *err) {
    json_t *summary;

    if (!store_job_summary(call->store, call->caller.account, &summary, err))
        return false;
    reply_json(reply, 200, summary);
    return true;
}

bool jobs_get(struct call *call, struct reply *reply, struct err *err) {
    const char *id;

    return call_id(call, 0, "job", &id, err) && call_reply_job(call, reply, 200, id, err);
}

bool jobs_release(struct call *call, struct reply *reply, struct err *err) {
    struct store_job job = STORE_JOB_INIT;
    struct job_move move = call_move(call);
    bool ok = call_job(call, &job, err) &&
              call_if_match(call, job.version, &move.expected_version, err) &&
              job_control_release(call->store, job.id, &move, err) &&
              call_reply_job(call, reply, 200, job.id, err);

    store_job_done(&job);
    return ok;
}
