#include "services/ctl/ctl_migrate.h"

#include <stdio.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/ctl/ctl_exit.h"
#include "services/ctl/ctl_json.h"
#include "services/ctl/ctl_precheck.h"
#include "services/ctl/ctl_show.h"
#include "services/ctl/ctl_text.h"
#include "services/ctl/ctl_watch.h"

enum { SCREEN_MAX = 256 * 1024 };

struct migrate {
    const struct ctl_args *args;
    struct ctl_output output;
    struct api_client api;
    enum ctl_until until;
    char job[64];
    char unbuilt[200]; /* why it cannot be started; "" = it can */
};

static bool read_until(const struct ctl_args *args, enum ctl_until *ret, struct err *err) {
    const char *text = ctl_args_value(args, CTL_UNTIL);

    *ret = CTL_UNTIL_OVER;
    if (!text)
        return true;
    if (strcmp(text, "caught-up") == 0)
        *ret = CTL_UNTIL_CAUGHT_UP;
    else if (strcmp(text, "stopped") == 0)
        *ret = CTL_UNTIL_STOPPED;
    else
        return err_set(err, ERR_USAGE, "--until takes caught-up or stopped");
    return true;
}

static bool create(struct migrate *m, struct err *err) {
    json_t *spec = NULL, *job = NULL;
    bool ok = ctl_precheck_spec(m->args, &spec, err) &&
              api_client_call(&m->api, "POST", "/v1/jobs", spec, &job, err);

    if (ok) {
        const char *unbuilt = ctl_precheck_unbuilt(job);

        snprintf(m->job, sizeof(m->job), "%s", ctl_json_text(job, "id"));
        snprintf(m->unbuilt, sizeof(m->unbuilt), "%s", unbuilt ? unbuilt : "");
    }
    json_decref(spec);
    json_decref(job);
    return ok;
}

static void say_checked(const struct migrate *m, const json_t *precheck, int64_t took_ms) {
    double passed = ctl_json_number(precheck, "counts.pass") +
                    ctl_json_number(precheck, "counts.skipped") +
                    ctl_json_number(precheck, "counts.ignored");
    double warnings =
        ctl_json_number(precheck, "counts.warn") + ctl_json_number(precheck, "counts.ignored");
    char source[300], destination[300], time[CTL_TEXT_SIZE];

    if (m->output.json)
        return;
    str_escape(str_from(ctl_json_text(precheck, "facts.source.label")), source, sizeof(source));
    str_escape(str_from(ctl_json_text(precheck, "facts.destination.label")), destination,
               sizeof(destination));
    printf("%s  ", m->job);
    if (*source && *destination)
        printf(" %s -> %s  ", source, destination);
    printf(" precheck %.0f/%zu, %.0f warning%s, %s\n", passed,
           json_array_size(json_object_get(precheck, "items")), warnings, warnings == 1 ? "" : "s",
           ctl_text_seconds((double)took_ms / 1000, time));
    fflush(stdout);
}

static void say_not_passed(const struct migrate *m, const json_t *precheck) {
    struct buf text = BUF_INIT(SCREEN_MAX);
    struct err err = ERR_INIT;

    if (m->output.json) {
        (void)json_dumpf(precheck, stdout, CTL_JSON_LINE);
        printf("\n");
    } else if (ctl_show_precheck(precheck, &text, &err)) {
        printf(
            "%s\nThe precheck did not pass; nothing was migrated. %s\n", text.ptr,
            ctl_json_number(precheck, "counts.fail") + ctl_json_number(precheck, "counts.error") > 0
                ? "Fix it and run the same command again."
                : "--ignore-warnings goes on all the same.");
    }
    buf_done(&text);
}

/* A job that was never started is of no use to anybody. Failing to release it harms
 * nothing: it stays in the list. */
static void release(struct migrate *m) {
    struct err ignored = ERR_INIT;
    char path[160];

    snprintf(path, sizeof(path), "/v1/jobs/%s", m->job);
    if (!api_client_call(&m->api, "DELETE", path, NULL, NULL, &ignored))
        return;
}

/* *ret_code is CTL_EXIT_REACHED when it passed. */
static bool check(struct migrate *m, int *ret_code, struct err *err) {
    json_t *started = NULL, *precheck = NULL;
    int64_t began_ms = clock_mono_ms();
    char path[200];
    bool ok;

    snprintf(path, sizeof(path), "/v1/jobs/%s/prechecks%s", m->job,
             ctl_args_flag(m->args, CTL_IGNORE_WARNINGS) ? "?ignore_warnings=true" : "");
    ok = api_client_call(&m->api, "POST", path, NULL, &started, err);
    if (ok) {
        snprintf(path, sizeof(path), "/v1/jobs/%s/prechecks/%.60s", m->job,
                 ctl_json_text(started, "id"));
        ok = ctl_precheck_wait(&m->api, path, m->output, &precheck, err);
    }
    *ret_code = CTL_EXIT_DETACHED;
    if (ok && precheck && ctl_json_is(precheck, "state", "passed")) {
        *ret_code = CTL_EXIT_REACHED;
        say_checked(m, precheck, clock_mono_ms() - began_ms);
    } else if (ok && precheck) {
        *ret_code = CTL_EXIT_PRECHECK;
        say_not_passed(m, precheck);
    }
    json_decref(started);
    json_decref(precheck);
    return ok;
}

static bool start(struct migrate *m, struct err *err) {
    bool seen = ctl_args_flag(m->args, CTL_ACKNOWLEDGE_LIMITS), ok;
    json_t *body = seen ? json_pack("{s:b}", "acknowledge_limits", 1) : NULL;
    char path[160];

    snprintf(path, sizeof(path), "/v1/jobs/%s/start", m->job);
    ok = api_client_call(&m->api, "POST", path, body, NULL, err);
    json_decref(body);
    return ok;
}

static bool carry_out(struct migrate *m, int *ret_code, struct err *err) {
    bool ok;

    if (!read_until(m->args, &m->until, err) || !api_client_open(&m->api, m->args, err) ||
        !create(m, err))
        return false;
    /* No probe key for what could not begin anyway. */
    ok = m->unbuilt[0] ? err_set(err, ERR_NOT_SUPPORTED_YET,
                                 "%s (check it with `keyferry precheck`)", m->unbuilt)
                       : check(m, ret_code, err);
    if (ok && *ret_code == CTL_EXIT_REACHED)
        ok = start(m, err);
    if (!ok || *ret_code != CTL_EXIT_REACHED) {
        release(m);
        if (ok && *ret_code == CTL_EXIT_DETACHED)
            fprintf(stderr, "Nothing was started.\n");
        return ok;
    }
    *ret_code = ctl_watch_job(&m->api, m->job, m->until, m->output);
    return true;
}

int ctl_migrate_run(const struct ctl_args *args) {
    struct migrate m = {.args = args, .output = ctl_output_of(args), .api = API_CLIENT_INIT};
    struct err err = ERR_INIT;
    int code = CTL_EXIT_FAILED;

    if (ctl_args_flag(args, CTL_PLAN))
        return ctl_precheck_run(args);
    ctl_watch_signals();
    if (!carry_out(&m, &code, &err))
        code = ctl_exit_with(&err);
    api_client_close(&m.api);
    return code;
}
