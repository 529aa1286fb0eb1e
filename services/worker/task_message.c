#include "services/worker/task_inner.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/flow/child.h"
#include "services/worker/task_cutover.h"

/* A child's socket is read at most so often in one turn: none keeps the others waiting. */
enum { MESSAGES_PER_TURN = 64, LAST_BREATH_MS = 2000 };

static int64_t number_of(const json_t *message, const char *name) {
    return json_integer_value(json_object_get(message, name));
}

static void copy_text(const json_t *message, const char *name, char *dst, size_t size) {
    const char *text = json_string_value(json_object_get(message, name));

    snprintf(dst, size, "%s", text ? text : "");
}

static void set_state(struct task_run *run, const char *state) {
    snprintf(run->progress.position_state, sizeof(run->progress.position_state), "%s", state);
}

static void on_copied(struct task_run *run) {
    set_state(run, "tail");
    run->asks.copied = true;
    run->was_caught_up = false;
}

static void on_position(struct task_run *run, const json_t *message) {
    struct store_progress *p = &run->progress;
    bool was_copy = strcmp(p->position_state, "copy") == 0;

    copy_text(message, "state", p->position_state, sizeof(p->position_state));
    copy_text(message, "replid", p->replid, sizeof(p->replid));
    p->position_db = number_of(message, "db");
    p->position_epoch = number_of(message, "epoch");
    p->position_seq = number_of(message, "seq");
    /* Who dies between the last key and saying so has told nobody. */
    if (was_copy && strcmp(p->position_state, "tail") == 0)
        on_copied(run);
    /* The answer to needs_recopy stands in the position from now on: a child that starts
     * again must not be told it again, or it would begin yet another copy. */
    json_object_set_new(run->spec, "recopy", json_string("fail"));
    run->is_claimed = true;
    if (strcmp(p->position_state, "sealed") != 0)
        task_cutover_is_open(run);
    if (!run->claimed_before)
        run->asks.go = true;
}

static void on_start(struct task_run *run, const json_t *message) {
    json_decref(run->start);
    run->start = json_incref((json_t *)(uintptr_t)message);
    run->is_start_used = false;
    task_inner_start_receive(run);
}

static void on_login(struct task_run *run, enum task_duty duty, const json_t *message) {
    struct task_child *child = &run->child[duty];

    copy_text(message, "end", child->login_end, sizeof(child->login_end));
    child->asks_login = true;
}

static void on_facts(struct task_run *run, const json_t *message) {
    const char *end = json_string_value(json_object_get(message, "end"));
    int at = end && strcmp(end, "destination") == 0;
    json_t *facts = json_copy((json_t *)(uintptr_t)message);

    if (!facts)
        return;
    if (at)
        run->progress.destination_memory_max_bytes = number_of(message, "maxmemory_bytes");
    json_object_del(facts, "type");
    json_object_del(facts, "end");
    json_decref(run->asks.facts[at]);
    run->asks.facts[at] = facts;
}

static void on_error(struct task_run *run, enum task_duty duty, const json_t *message) {
    const char *slug = json_string_value(json_object_get(message, "code"));
    const char *detail = json_string_value(json_object_get(message, "detail"));
    const char *sealed = json_string_value(json_object_get(message, "sealed"));
    enum err_code code = slug ? err_from_slug(slug) : ERR_NONE;
    int64_t lease = number_of(message, "lease");
    const struct child_error why = {
        .code = code != ERR_NONE ? code : ERR_INTERNAL,
        .detail = detail ? detail : "no detail was given",
        .lease = lease > 0 ? (uint64_t)lease : 0,
        .sealed = sealed,
    };

    if (sealed)
        set_state(run, sealed);
    task_trouble_error(run, duty, &why);
}

/* Every life of apply says it; the history wants the first after a copy. */
static void on_caught_up(struct task_run *run) {
    run->asks.caught_up = run->asks.caught_up || !run->was_caught_up;
    run->was_caught_up = true;
}

static void on_cutover_over(struct task_run *run, const json_t *message) {
    const char *because = json_string_value(json_object_get(message, "because"));
    const char *detail = json_string_value(json_object_get(message, "detail"));

    task_cutover_give_up(run, because ? because : "unknown", detail ? detail : "");
}

/* The rest is told by the phase and the exit. */
static void on_settled(struct task_run *run) {
    run->is_partial = strcmp(run->progress.position_state, "copy") == 0;
    set_state(run, "stopped");
}

static void on_full_sync(struct task_run *run, const json_t *message) {
    const char *server = json_string_value(json_object_get(message, "server"));

    snprintf(run->asks.full_sync_of, sizeof(run->asks.full_sync_of), "%s", server ? server : "");
    run->asks.full_sync = true;
}

static void on_records(struct task_run *run, const json_t *message) {
    json_decref(run->asks.records);
    run->asks.records = json_incref((json_t *)(uintptr_t)message);
}

/* False: the child speaks another language and is killed. */
static bool handle(struct task_run *run, enum task_duty duty, const json_t *message) {
    const char *type = json_string_value(json_object_get(message, "type"));

    if (strcmp(type, "credentials") == 0)
        on_login(run, duty, message);
    else if (strcmp(type, "position") == 0 && duty == TASK_APPLY)
        on_position(run, message);
    else if (strcmp(type, "start") == 0 && duty == TASK_APPLY)
        on_start(run, message);
    else if (strcmp(type, "full_sync") == 0 && duty == TASK_RECEIVE)
        on_full_sync(run, message);
    else if (strcmp(type, "records") == 0 && duty == TASK_APPLY)
        on_records(run, message);
    else if (strcmp(type, "copied") == 0)
        on_copied(run);
    else if (strcmp(type, "caught_up") == 0)
        on_caught_up(run);
    else if (strcmp(type, "facts") == 0)
        on_facts(run, message);
    else if (strcmp(type, "error") == 0)
        on_error(run, duty, message);
    else if (strcmp(type, "settled") == 0)
        on_settled(run);
    else if (strcmp(type, "done") == 0)
        set_state(run, "done");
    else if (strcmp(type, "sealed") == 0 && duty == TASK_APPLY)
        task_cutover_sealed(run, false);
    else if (strcmp(type, "forgotten") == 0 && duty == TASK_APPLY)
        set_state(run, "forgotten");
    else if (strcmp(type, "cutover_over") == 0 && duty == TASK_RECEIVE)
        on_cutover_over(run, message);
    else
        return false;
    return true;
}

void task_run_read(struct task_run *run, enum task_duty duty) {
    struct task_child *child = &run->child[duty];

    for (int i = 0; i < MESSAGES_PER_TURN && child->process.socket >= 0; i++) {
        struct err err = ERR_INIT;
        json_t *message = NULL;
        bool ok = child_receive(child->process.socket, 0, &message, &err);

        if (ok && !message)
            return;
        if (ok)
            ok = handle(run, duty, message);
        json_decref(message);
        if (ok)
            continue;
        if (err.code == ERR_CLOSED) {
            /* Its end follows; a child that closed its socket and lives on is of no use. */
            close(child->process.socket);
            child->process.socket = -1;
            child->kill_ms = clock_mono_ms() + LAST_BREATH_MS;
        } else {
            log_event(LOG_LEVEL_ERROR, "child.speaks-nonsense", LOG_TEXT("job", run->job),
                      LOG_ERR(&err));
            child_process_signal(&child->process, SIGKILL);
        }
        return;
    }
}

void task_message_send(struct task_run *run, enum task_duty duty, const json_t *message) {
    struct task_child *child = &run->child[duty];
    struct err err = ERR_INIT;

    /* The supervisor waits for no child: one whose queue is full is not working. */
    if (child->process.socket >= 0 && !child_send_within(child->process.socket, message, 0, &err) &&
        err.code != ERR_CLOSED) {
        log_event(LOG_LEVEL_WARN, "child.does-not-read", LOG_TEXT("job", run->job), LOG_ERR(&err));
        child_process_signal(&child->process, SIGKILL);
    }
}

void task_run_go(struct task_run *run) {
    json_t *message = json_pack("{s:s}", "type", "go");

    run->claimed_before = true;
    run->asks.go = false;
    task_message_send(run, TASK_APPLY, message);
    json_decref(message);
}

void task_run_records(struct task_run *run, const json_t *answer) {
    json_decref(run->asks.records);
    run->asks.records = NULL;
    task_message_send(run, TASK_APPLY, answer);
}

void task_run_full_sync(struct task_run *run, bool is_allowed, int64_t retry_after_ms) {
    json_t *message = json_pack("{s:s, s:b, s:I}", "type", "full_sync_answer", "allowed",
                                is_allowed, "retry_after_ms", (json_int_t)retry_after_ms);

    run->asks.full_sync = false;
    run->awaits_snapshot = is_allowed;
    run->asks.full_resync = run->asks.full_resync || (is_allowed && run->progress.generation > 0);
    task_message_send(run, TASK_RECEIVE, message);
    json_decref(message);
}

void task_run_login(struct task_run *run, enum task_duty duty, const json_t *credentials,
                    const struct err *why) {
    char text[400] = "";
    json_t *message;

    run->child[duty].asks_login = false;
    if (credentials) {
        message = json_pack("{s:s, s:O}", "type", "credentials", "credentials", credentials);
    } else {
        err_format(why, text, sizeof(text));
        message = json_pack("{s:s, s:s, s:s}", "type", "credentials", "code", err_slug(why->code),
                            "error", text);
    }
    task_message_send(run, duty, message);
    json_decref(message);
}

void task_run_lease(struct task_run *run, uint64_t lease) {
    run->lease = lease;
    run->asks.lease_above = 0;
    if (run->outcome == TASK_GOING && run->goal != TASK_GOAL_PAUSE)
        task_inner_restart(run, 0);
}
