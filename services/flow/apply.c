#include "services/flow/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/common/clock.h"
#include "services/common/failpoint.h"
#include "services/common/log.h"
#include "services/flow/apply_end.h"
#include "services/flow/apply_facts.h"
#include "services/flow/child.h"
#include "services/flow/copy.h"
#include "services/flow/selection.h"
#include "services/flow/spool_meta.h"
#include "services/flow/tail.h"
#include "services/redis/redis_info.h"

enum {
    CONNECT_MS = 10000,
    GO_MS = 60000,
    WAIT_MS = 200,
    KEPT_MAX = 256 * 1024 * 1024,
};

/* ---- the destination ----------------------------------------------------------------- */

bool applier_connect_within(struct applier *a, struct redis_client *ret_client, int64_t timeout_ms,
                            struct err *err) {
    struct credentials cred = CREDENTIALS_INIT;
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    struct redis_client client = REDIS_CLIENT_INIT;
    struct endpoint ep = a->spec.destination; /* borrowed, but for the database */
    int64_t began_ms = clock_mono_ms();
    bool ok;

    ep.database = a->spec.lowest_database;
    ok = child_ask_credentials(a->socket_fd, "destination", &cred, err) &&
         redis_client_open(&client, &ep, &cred, REDIS_DESTINATION, timeout_ms, err) &&
         redis_client_call(&client, &arena, &reply, err, "SELECT",
                           arena_printf(&arena, "%d", ep.database), NULL);
    if (ok && reply->type == RESP_ERROR)
        ok = redis_client_refused(&client, reply, "choosing the database", err);
    credentials_done(&cred);
    arena_done(&arena);
    if (!ok) {
        redis_client_close(&client);
        return err_wrap(err, "connecting to the destination %s", a->spec.destination.label);
    }
    a->opened_in_ms = clock_mono_ms() - began_ms;
    *ret_client = client;
    return true;
}

bool applier_connect(struct applier *a, struct redis_client *ret_client, struct err *err) {
    return applier_connect_within(a, ret_client, CONNECT_MS, err);
}

bool applier_map_database(const struct applier *a, uint64_t source_db, int *ret_destination,
                          struct err *err) {
    int to = -1;

    if (source_db < TASK_DATABASES_MAX)
        to = a->spec.map_all ? (int)source_db : a->spec.database_map[source_db];
    else if (a->spec.map_all)
        return err_set(err, ERR_DEST_DB_RANGE, "database %" PRIu64 " is beyond %d", source_db,
                       TASK_DATABASES_MAX - 1);
    if (to >= 0 && !(a->database_ok[to / 8] & (1u << (to % 8))))
        return err_set(err, ERR_DEST_DB_RANGE,
                       "the destination has no database %d (CONFIG databases)", to);
    *ret_destination = to;
    return true;
}

/* ---- claiming ----------------------------------------------------------------------------- */

static bool say(struct applier *a, json_t *message, struct err *err) {
    bool ok = child_send(a->socket_fd, message, err);

    json_decref(message);
    return ok;
}

bool applier_say(struct applier *a, const char *type, struct err *err) {
    return say(a, json_pack("{s:s}", "type", type), err);
}

void applier_note_answer(struct applier *a, uint64_t took_us) {
    int64_t now = clock_mono_us();

    if (took_us < a->answers.quickest_us || a->answers.quickest_us == 0)
        a->answers.quickest_us = took_us;
    if (took_us > a->answers.slowest_us)
        a->answers.slowest_us = took_us;
    if (now - a->answers.since_us < 1000000)
        return;
    CONTROL_SET(a, destination_latency_us, a->answers.slowest_us - a->answers.quickest_us);
    a->answers.slowest_us = 0;
    a->answers.since_us = now;
}

bool applier_say_start(struct applier *a, struct err *err) {
    return say(a,
               json_pack("{s:s, s:o}", "type", "start", "position",
                         position_to_json(&a->position, "position")),
               err);
}

/* Tell who we found, wait for the word to go where this was the first claim ever,
 * and let receive begin. */
static bool announce(struct applier *a, const struct redis_client *client,
                     const struct redis_info *info, struct err *err) {
    json_t *answer = NULL;
    json_t *message = position_to_json(&a->position, "position");
    bool ok;

    if (!failpoint(FAILPOINT_APPLY_CLAIMED, err)) {
        json_decref(message);
        return false;
    }
    CONTROL_SET(a, destination_epoch, a->position.epoch);
    CONTROL_SET(a, applied_offset, a->position.state == POSITION_TAIL ? a->position.next : 0);
    ok = say(a,
             json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "type", "facts", "end",
                       "destination", "run_id", info->run_id, "address", conn_peer(client->conn),
                       "product", redis_product_name(info->product), "version", info->version,
                       "maxmemory_policy", info->maxmemory_policy, "maxmemory_bytes",
                       (json_int_t)(info->maxmemory > 0 ? info->maxmemory : 0)),
             err);
    if (ok && !a->spec.claimed_before)
        ok = child_ask(a->socket_fd, message, "go", &answer, err);
    else if (ok)
        ok = child_send(a->socket_fd, message, err);
    json_decref(message);
    json_decref(answer);
    failpoint_pass(FAILPOINT_APPLY_MAY_GO);
    a->spec.claimed_before = ok || a->spec.claimed_before;
    return ok && applier_say_start(a, err);
}

/* From here on a receive that starts anew goes on in the history: were it told of the
 * copy it would take another snapshot for the one that is done. */
static bool say_copied(struct applier *a, struct err *err) {
    return failpoint(FAILPOINT_APPLY_COPIED, err) && applier_say(a, "copied", err) &&
           failpoint(FAILPOINT_APPLY_SAID_COPIED, err) && applier_say_start(a, err);
}

static bool take_position(struct applier *a, struct redis_client *client,
                          const struct redis_info *info, struct err *err) {
    struct position_server server = apply_facts_server(a, info);

    return position_claim(client, &a->spec, &server, &a->position, err);
}

static bool claim(struct applier *a, struct redis_client *ret_client, struct err *err) {
    struct redis_client client = REDIS_CLIENT_INIT;
    struct redis_info *info = calloc(1, sizeof(*info));
    bool ok;

    if (!info)
        return err_set(err, ERR_MEMORY, "no memory for INFO");
    CONTROL_SET(a, phase, CONTROL_CLAIMING);
    atomic_store_explicit(&a->control->copy_waits_at, 0, memory_order_release);
    atomic_store_explicit(&a->control->tail_waits_at, 0, memory_order_release);
    /* What was acknowledged before may be forgotten there by now. */
    atomic_store_explicit(&a->control->copy_generation, 0, memory_order_release);
    ok = applier_connect(a, &client, err) && failpoint(FAILPOINT_APPLY_CONNECTED, err) &&
         apply_facts_learn(a, &client, info, err) && take_position(a, &client, info, err) &&
         apply_facts_payload(a, &client, info, err) && announce(a, &client, info, err) &&
         failpoint(FAILPOINT_APPLY_ANNOUNCED, err);
    free(info);
    if (!ok) {
        redis_client_close(&client);
        return false;
    }
    a->spec.recopy = TASK_RECOPY_FAIL; /* the position knows the answer now */
    *ret_client = client;
    return true;
}

/* ---- stages ------------------------------------------------------------------------------- */

static enum applier_next as_next(enum control_want want) {
    return want == CONTROL_RUN || want == CONTROL_CUTOVER ? APPLIER_ON
           : want == CONTROL_PAUSE                        ? APPLIER_PAUSED
                                                          : APPLIER_STOP;
}

/* Until the first bytes of a snapshot that is new enough are in the spool. */
static enum applier_next wait_for_snapshot(struct applier *a) {
    struct control_block *control = a->control;

    CONTROL_SET(a, phase, CONTROL_SNAPSHOT_WAIT);
    failpoint_pass(FAILPOINT_APPLY_WAITS_FOR_SNAPSHOT);
    for (;;) {
        enum control_want want = applier_want(a);

        if (want == CONTROL_PAUSE || want == CONTROL_STOP_NOW)
            return as_next(want);
        control_bell_arm(&control->apply_sleeps);
        if (atomic_load(&control->snapshot_generation) >= a->position.generation &&
            atomic_load(&control->snapshot_bytes) > 0) {
            control_bell_clear(a->bell, &control->apply_sleeps);
            return APPLIER_ON;
        }
        control_bell_wait(a->bell, &control->apply_sleeps, WAIT_MS);
    }
}

/* One life of a claim. *ret_next is RESTART when another must follow. */
static bool run(struct applier *a, enum applier_next *ret_next, struct err *err) {
    struct redis_client client = REDIS_CLIENT_INIT;
    enum applier_next next;
    bool ok;

    if (!claim(a, &client, err))
        return false;
    if (a->position.state == POSITION_SEALED) {
        ok = apply_end_sealed(a, &client, err);
        redis_client_close(&client);
        *ret_next = APPLIER_STOP;
        return ok;
    }
    next = as_next(applier_want(a));
    /* A drain of a copy is the rest of the copy, then of the tail. */
    if (next == APPLIER_STOP && applier_want(a) == CONTROL_STOP_DRAIN)
        next = APPLIER_ON;
    ok = true;
    if (a->position.state == POSITION_COPY && next == APPLIER_ON) {
        next = wait_for_snapshot(a);
        if (next == APPLIER_ON) {
            struct redis_client claimed = client;

            client = REDIS_CLIENT_INIT;
            ok = copy_run(a, claimed, &next, &client, err);
        }
        if (ok && next == APPLIER_ON)
            ok = a->spec.incremental ? say_copied(a, err) : apply_end_done(a, &client, err);
        if (ok && next == APPLIER_ON && !a->spec.incremental) {
            redis_client_close(&client);
            *ret_next = APPLIER_ON;
            return true;
        }
    }
    /* A drain needs the tail to run on; every other wish is met where we are. */
    if (ok && a->position.state == POSITION_TAIL &&
        (next == APPLIER_ON || applier_want(a) == CONTROL_STOP_DRAIN)) {
        struct redis_client claimed = client;

        client = REDIS_CLIENT_INIT;
        ok = tail_run(a, claimed, &next, &client, err);
    }
    if (ok && next == APPLIER_STOP)
        ok = apply_end_stop(a, &client, err);
    if (ok && next == APPLIER_SEAL)
        ok = apply_end_cutover(a, &client, &next, err);
    redis_client_close(&client);
    *ret_next = next;
    return ok;
}

static bool open_spool(struct applier *a, struct err *err) {
    if (mkdir(a->spec.spool_dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "making the spool directory: %s", strerror(errno));
    a->spool_fd = open(a->spec.spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return a->spool_fd >= 0 ||
           err_set(err, ERR_IO, "opening the spool directory: %s", strerror(errno));
}

static bool read_spec(struct applier *a, struct err *err) {
    json_t *message = NULL;
    bool ok = child_receive(a->socket_fd, GO_MS, &message, err);

    if (ok && !message)
        ok = err_set(err, ERR_TIMEOUT, "no specification came");
    ok = ok && task_spec_parse(message, &a->spec, err);
    json_decref(message);
    return ok;
}

/* What the spool holds does not match its checksums: nobody may go on from it. The
 * source's backlog, or another snapshot, has what is missing. */
static void disown_spool(const struct applier *a) {
    uint64_t generation =
        atomic_load_explicit(&a->control->snapshot_generation, memory_order_acquire);

    if (generation == 0 || generation == a->position.generation)
        unlinkat(a->spool_fd, "meta", 0);
}

int apply_main(int socket_fd) {
    struct applier *a = calloc(1, sizeof(*a));
    enum applier_next next = APPLIER_RESTART;
    struct err err = ERR_INIT;
    bool ok;

    if (!a)
        return 1;
    a->socket_fd = socket_fd;
    a->bell = CHILD_FD_APPLY_BELL;
    a->spool_fd = -1;
    a->kept = BUF_INIT(KEPT_MAX);
    ok = read_spec(a, &err) && control_map(CHILD_FD_CONTROL, &a->control, &err) &&
         open_spool(a, &err);
    if (ok && a->spec.errand == TASK_ERRAND_FORGET)
        ok = apply_end_forget(a, &err);
    else
        while (ok && next == APPLIER_RESTART)
            ok = run(a, &next, &err);
    if (!ok && err.code == ERR_SPOOL_CORRUPT)
        disown_spool(a);
    if (!ok)
        child_send_refused(socket_fd, &err, a->position.lease,
                           position_state_name(a->position.state));
    task_spec_done(&a->spec);
    if (a->spool_fd >= 0)
        close(a->spool_fd);
    buf_done(&a->kept);
    control_unmap(a->control);
    free(a);
    return ok ? 0 : 1;
}
