#include "services/worker/worker_look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/flow/child.h"
#include "services/job/job_control.h"
#include "services/worker/worker_secret.h"

enum { DEADLINE_MS = 30000 };

static void fail(struct worker_look *look, const struct err *why) {
    if (!look->has_failed)
        look->failure = *why;
    look->has_failed = true;
    child_process_done(&look->process);
}

static void start(struct worker *worker, struct worker_look *look) {
    const struct child_fds fds = {
        .control = -1, .apply_bell = -1, .receive_bell = -1, .identity = worker->identity->lock_fd};
    json_t *message = json_pack("{s:s, s:O}", "type", "spec", "endpoint", look->work.endpoint);
    struct err err = ERR_INIT;

    if (!child_process_spawn(&look->process, NULL, "look", look->work.id, &fds, &err) ||
        !child_send_within(look->process.socket, message, 0, &err))
        fail(look, &err);
    json_decref(message);
}

struct worker_look *worker_look_open(struct worker *worker, struct store_instance_work *work) {
    struct worker_look *look = calloc(1, sizeof(*look));

    if (!look)
        abort();
    look->work = *work;
    work->endpoint = NULL;
    work->sealed = BUF_INIT(0);
    look->process = CHILD_PROCESS_INIT;
    look->failure = ERR_INIT;
    look->deadline_ms = clock_mono_ms() + DEADLINE_MS;
    log_event(LOG_LEVEL_INFO, "look.claimed", LOG_TEXT("instance", look->work.id),
              LOG_TEXT("work", look->work.work));
    start(worker, look);
    return look;
}

void worker_look_free(struct worker_look *look) {
    if (!look)
        return;
    child_process_done(&look->process);
    store_instance_work_done(&look->work);
    json_decref(look->facts);
    free(look);
}

static void answer_login(struct worker *worker, struct worker_look *look) {
    struct secret opened = SECRET_INIT;
    struct err why = ERR_INIT;
    json_t *login = NULL, *message;

    if (worker_secret_open(worker, "instance", look->work.id, buf_str(&look->work.sealed), &opened,
                           &why))
        login =
            secret_str(&opened).len ? json_loadb(opened.ptr, opened.len, 0, NULL) : json_object();
    secret_done(&opened);
    message = login ? json_pack("{s:s, s:o}", "type", "credentials", "credentials", login)
                    : json_pack("{s:s, s:s, s:s}", "type", "credentials", "code",
                                err_slug(why.code ? why.code : ERR_INTERNAL), "error",
                                "the stored credentials cannot be opened");
    err_clear(&why);
    if (look->process.socket >= 0 && !child_send_within(look->process.socket, message, 0, &why) &&
        why.code != ERR_CLOSED)
        fail(look, &why);
    json_decref(message);
}

static void handle(struct worker *worker, struct worker_look *look, const json_t *message) {
    const char *type = json_string_value(json_object_get(message, "type"));
    const char *slug = json_string_value(json_object_get(message, "code"));
    const char *detail = json_string_value(json_object_get(message, "detail"));
    struct err why = ERR_INIT;

    if (strcmp(type, "credentials") == 0) {
        answer_login(worker, look);
    } else if (strcmp(type, "facts") == 0) {
        look->facts = json_incref(json_object_get(message, "facts"));
        child_process_done(&look->process);
    } else {
        err_set(&why, slug && err_from_slug(slug) ? err_from_slug(slug) : ERR_INTERNAL, "%s",
                detail ? detail : "the process that looked said nothing of use");
        fail(look, &why);
    }
}

void worker_look_run(struct worker *worker, struct worker_look *look) {
    while (!look->facts && !look->has_failed) {
        struct err err = ERR_INIT;
        json_t *message = NULL;

        if (!child_receive(look->process.socket, 0, &message, &err)) {
            if (err.code == ERR_CLOSED)
                err_set(&err, ERR_INTERNAL, "the process that looked ended without a word");
            fail(look, &err);
            return;
        }
        if (!message && clock_mono_ms() >= look->deadline_ms) {
            err_set(&err, ERR_TIMEOUT, "the server was not through after %d s", DEADLINE_MS / 1000);
            fail(look, &err);
        }
        if (!message)
            return;
        handle(worker, look, message);
        json_decref(message);
    }
}

bool worker_look_flush(struct worker *worker, struct worker_look *look, struct err *err) {
    if (!look->facts && !look->has_failed)
        return true;
    if (!store_instance_finish(worker->store, look->work.id, worker->identity->id, look->facts,
                               look->has_failed ? &look->failure : NULL, err))
        return false;
    look->is_gone = true;
    return true;
}
