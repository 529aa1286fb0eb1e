#include "services/ctl/ctl_job.h"

#include <stdio.h>
#include <string.h>

#include "services/ctl/ctl_exit.h"
#include "services/ctl/ctl_json.h"
#include "services/ctl/ctl_show.h"
#include "services/ctl/ctl_watch.h"

enum { SCREEN_MAX = 256 * 1024, JOB_ID_MAX = 64, LIST_LIMIT = 200 };

bool ctl_job_path(const struct ctl_args *args, const char *rest, char *dst, size_t dst_size,
                  struct err *err) {
    const char *id = args->argument[0];

    for (const char *c = id; *c; c++) {
        if (!((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
              *c == '_'))
            return err_set(err, ERR_USAGE, "a job is named by its id: see `keyferry job list`");
    }
    if (!*id || strlen(id) > JOB_ID_MAX)
        return err_set(err, ERR_USAGE, "a job is named by its id: see `keyferry job list`");
    snprintf(dst, dst_size, "/v1/jobs/%s%s", id, rest);
    return true;
}

static void print_json(const json_t *value) {
    (void)json_dumpf(value, stdout, CTL_JSON_LINE);
    printf("\n");
}

/* ---- looking ---- */

static bool list_page(struct api_client *api, const struct ctl_args *args, char *cursor,
                      size_t cursor_size, struct buf *text, struct err *err) {
    const char *state = ctl_args_value(args, CTL_STATE);
    json_t *page = NULL, *job;
    char path[600];
    bool ok = true;
    size_t i;

    snprintf(path, sizeof(path), "/v1/jobs?limit=%d%s%s%s%.400s", LIST_LIMIT,
             state ? "&state=" : "", state ? state : "", *cursor ? "&cursor=" : "", cursor);
    if (!api_client_call(api, "GET", path, NULL, &page, err))
        return false;
    json_array_foreach(json_object_get(page, "items"), i, job) {
        if (ctl_args_flag(args, CTL_JSON))
            print_json(job);
        else
            ok = ok && ctl_show_row(job, text, err);
    }
    snprintf(cursor, cursor_size, "%s", ctl_json_text(page, "next_cursor"));
    json_decref(page);
    return ok;
}

int ctl_job_list(const struct ctl_args *args) {
    const char *state = ctl_args_value(args, CTL_STATE);
    struct api_client api = API_CLIENT_INIT;
    struct buf text = BUF_INIT(16 << 20);
    struct err err = ERR_INIT;
    char cursor[401] = "";
    bool ok = true;

    if (state && strspn(state, "abcdefghijklmnopqrstuvwxyz_") != strlen(state))
        ok = err_set(&err, ERR_USAGE, "--state takes the name of a state");
    ok = ok && api_client_open(&api, args, &err) && ctl_show_row(NULL, &text, &err);
    while (ok && (ok = list_page(&api, args, cursor, sizeof(cursor), &text, &err)) && *cursor)
        ;
    if (ok && !ctl_args_flag(args, CTL_JSON))
        printf("%s", text.ptr);
    buf_done(&text);
    api_client_close(&api);
    return ok ? CTL_EXIT_REACHED : ctl_exit_with(&err);
}

int ctl_job_show(const struct ctl_args *args) {
    struct api_client api = API_CLIENT_INIT;
    struct buf text = BUF_INIT(SCREEN_MAX);
    struct err err = ERR_INIT;
    json_t *job = NULL;
    char path[160];
    bool ok = ctl_job_path(args, "", path, sizeof(path), &err) &&
              api_client_open(&api, args, &err) &&
              api_client_call(&api, "GET", path, NULL, &job, &err);

    if (ok && ctl_args_flag(args, CTL_JSON))
        print_json(job);
    else if (ok && (ok = ctl_show_job(job, &text, &err)))
        printf("%s", text.ptr);
    json_decref(job);
    buf_done(&text);
    api_client_close(&api);
    return ok ? CTL_EXIT_REACHED : ctl_exit_with(&err);
}

int ctl_job_logs(const struct ctl_args *args) {
    struct api_client api = API_CLIENT_INIT;
    struct err err = ERR_INIT;
    json_t *page = NULL, *line;
    char path[160], text[1024];
    size_t i;
    bool ok = ctl_job_path(args, "/logs?limit=200", path, sizeof(path), &err) &&
              api_client_open(&api, args, &err) &&
              api_client_call(&api, "GET", path, NULL, &page, &err);

    json_array_foreach(json_object_get(page, "items"), i, line) {
        if (ctl_args_flag(args, CTL_JSON)) {
            print_json(line);
            continue;
        }
        str_escape(str_from(ctl_json_text(line, "sentence")), text, sizeof(text));
        printf("%s  %-16s %s", ctl_json_text(line, "at"), ctl_json_text(line, "state"), text);
        str_escape(str_from(ctl_json_text(line, "detail")), text, sizeof(text));
        printf("%s%s\n", *text ? ": " : "", text);
    }
    json_decref(page);
    api_client_close(&api);
    return ok ? CTL_EXIT_REACHED : ctl_exit_with(&err);
}

int ctl_job_watch(const struct ctl_args *args) {
    const char *until_text = ctl_args_value(args, CTL_UNTIL);
    enum ctl_until until = CTL_UNTIL_OVER;
    struct api_client api = API_CLIENT_INIT;
    struct err err = ERR_INIT;
    char path[160];
    int code;

    ctl_watch_signals();
    if (until_text && strcmp(until_text, "caught-up") == 0)
        until = CTL_UNTIL_CAUGHT_UP;
    else if (until_text && strcmp(until_text, "stopped") == 0)
        until = CTL_UNTIL_STOPPED;
    else if (until_text)
        (void)err_set(&err, ERR_USAGE, "--until takes caught-up or stopped");
    if (err.code == ERR_NONE && ctl_job_path(args, "", path, sizeof(path), &err) &&
        api_client_open(&api, args, &err))
        code = ctl_watch_job(&api, args->argument[0], until, ctl_output_of(args));
    else
        code = ctl_exit_with(&err);
    api_client_close(&api);
    return code;
}

/* ---- steering ---- */

/* Ask, then watch until it is so. */
static int act(const struct ctl_args *args, const char *action, const json_t *body,
               enum ctl_until until) {
    struct api_client api = API_CLIENT_INIT;
    struct err err = ERR_INIT;
    char path[160];
    bool ok;
    int code = CTL_EXIT_REACHED;

    ctl_watch_signals();
    ok = ctl_job_path(args, action, path, sizeof(path), &err) &&
         api_client_open(&api, args, &err) && api_client_call(&api, "POST", path, body, NULL, &err);
    if (!ok)
        code = ctl_exit_with(&err);
    else if (!ctl_args_flag(args, CTL_NO_WAIT))
        code = ctl_watch_job(&api, args->argument[0], until, ctl_output_of(args));
    api_client_close(&api);
    return code;
}

int ctl_job_pause(const struct ctl_args *args) {
    return act(args, "/pause", NULL, CTL_UNTIL_PAUSED);
}

int ctl_job_resume(const struct ctl_args *args) {
    const char *copy = ctl_args_value(args, CTL_ON_FULL_RESYNC);
    json_t *body = copy ? json_pack("{s:s}", "on_full_resync_needed", copy) : NULL;
    int code;

    if (copy && !body) {
        struct err err = ERR_INIT;

        (void)err_set(&err, ERR_USAGE,
                      "--on-full-resync-needed takes fail, overwrite or flush_destination");
        return ctl_exit_with(&err);
    }
    code = act(args, "/resume", body, CTL_UNTIL_RUNNING);
    json_decref(body);
    return code;
}

/* A whole number from the command line; -1 = it was not given. */
static bool number_of(const struct ctl_args *args, enum ctl_option option, const char *name,
                      int64_t *ret, struct err *err) {
    const char *text = ctl_args_value(args, option);
    uint64_t value = 0;

    *ret = -1;
    if (!text)
        return true;
    if (!str_parse_u64(str_from(text), &value) || value > INT32_MAX)
        return err_set(err, ERR_USAGE, "--%s takes a whole number", name);
    *ret = (int64_t)value;
    return true;
}

int ctl_job_cutover(const struct ctl_args *args) {
    const char *pause = ctl_args_value(args, CTL_PAUSE_SOURCE);
    struct err err = ERR_INIT;
    int64_t timeout_ms;
    json_t *body;
    int code;

    if (!number_of(args, CTL_PAUSE_TIMEOUT_MS, "pause-timeout-ms", &timeout_ms, &err))
        return ctl_exit_with(&err);
    body = json_pack("{s:s}", "pause_source", pause ? pause : "none");
    if (!body) {
        (void)err_set(&err, ERR_USAGE, "--pause-source takes none or client_pause");
        return ctl_exit_with(&err);
    }
    if (timeout_ms >= 0)
        json_object_set_new(body, "write_pause_timeout_ms", json_integer(timeout_ms));
    code = act(args, "/cutover", body, CTL_UNTIL_CUT_OVER);
    json_decref(body);
    return code;
}

int ctl_job_forget(const struct ctl_args *args) {
    return act(args, "/forget", NULL, CTL_UNTIL_FORGOTTEN);
}

int ctl_job_stop(const struct ctl_args *args) {
    json_t *body = json_pack("{s:b}", "drain", !ctl_args_flag(args, CTL_NO_DRAIN));
    int code = act(args, "/stop", body, CTL_UNTIL_STOPPED);

    json_decref(body);
    return code;
}
