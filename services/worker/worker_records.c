#include "services/worker/worker_records.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/hex.h"
#include "proto/command/command.h"
#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/secret/seal.h"
#include "services/worker/worker_secret.h"
#include "sql/store_rejected.h"

enum { COMMAND_MAX = 32 * 1024, SEALED_MAX = 64 * 1024, COUNT_MS = 30000, COUNT_TURNS = 30 };

static int64_t number_of(const json_t *object, const char *name) {
    return json_integer_value(json_object_get(object, name));
}

/* ---- sealing ---- */

/* A row's identity is its place: it is known before the row is. */
static void identity_of(const struct task_run *run, int64_t generation, int64_t offset, char *dst,
                        size_t size) {
    snprintf(dst, size, "rejected:%s:%" PRIu32 ":%" PRId64 ":%" PRId64, run->job, run->task,
             generation, offset);
}

static bool from_hex(const char *hex, struct buf *out, struct err *err) {
    size_t len = strlen(hex) / 2;

    if (!buf_reserve(out, len + 1, err))
        return false;
    if (!hex_decode(str_from(hex), out->ptr))
        return err_set(err, ERR_PROTOCOL, "a command on record is not in hex");
    out->len = len;
    return true;
}

static json_t *to_hex(struct str bytes) {
    char *hex = malloc(2 * bytes.len + 1);
    json_t *text;

    if (!hex)
        abort();
    hex_encode(bytes, hex);
    text = json_string(hex);
    explicit_bzero(hex, 2 * bytes.len);
    free(hex);
    return text;
}

/* ---- keep ---- */

static bool keep_one(struct worker *worker, struct task_run *run, int64_t generation,
                     const json_t *item, struct err *err) {
    const char *hex = json_string_value(json_object_get(item, "payload"));
    const char *name = json_string_value(json_object_get(item, "command"));
    const char *reason = json_string_value(json_object_get(item, "reason"));
    struct buf command = BUF_INIT(COMMAND_MAX), sealed = BUF_INIT(SEALED_MAX);
    struct store_rejected row = {
        .job = run->job,
        .task = (int)run->task,
        .generation = generation,
        .offset = number_of(item, "offset"),
        .command = name ? name : "?",
        .database = (int)number_of(item, "db"),
        .key_hash = json_string_value(json_object_get(item, "key_hash")),
        .reason = reason ? reason : "?",
    };
    char identity[128];
    bool ok = true;

    identity_of(run, generation, row.offset, identity, sizeof(identity));
    if (hex)
        ok = from_hex(hex, &command, err) &&
             seal_close(&worker->keys->ring, str_from(identity), buf_str(&command), &sealed, err);
    row.sealed = buf_str(&sealed);
    ok = ok && store_rejected_add(worker->store, &row, err);
    buf_done(&command);
    buf_done(&sealed);
    return ok;
}

static bool keep(struct worker *worker, struct task_run *run, const json_t *message,
                 json_t **ret_answer, struct err *err) {
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(message, "items"), i, item) {
        if (!keep_one(worker, run, number_of(message, "generation"), item, err))
            return false;
    }
    *ret_answer = json_pack("{s:s}", "type", "records_answer");
    return true;
}

/* ---- replay ---- */

/* What cannot be opened any more is refused, and the next one given. */
static bool next(struct worker *worker, struct task_run *run, const json_t *message,
                 json_t **ret_answer, struct err *err) {
    int64_t after = number_of(message, "after");
    struct store_replay row;

    for (;;) {
        struct secret opened = SECRET_INIT;
        struct err why = ERR_INIT;
        char identity[128];
        bool ok;

        if (!store_rejected_next(worker->store, run->job, (int)run->task, after, &row, err))
            return false;
        if (row.replay == 0) {
            *ret_answer = json_pack("{s:s, s:i}", "type", "records_answer", "replay", 0);
            buf_done(&row.sealed);
            return true;
        }
        identity_of(run, row.generation, row.offset, identity, sizeof(identity));
        (void)worker_secret_look(worker);
        ok =
            seal_open(&worker->keys->ring, str_from(identity), buf_str(&row.sealed), &opened, &why);
        if (ok)
            *ret_answer = json_pack("{s:s, s:I, s:i, s:o}", "type", "records_answer", "replay",
                                    (json_int_t)row.replay, "db", row.database, "payload",
                                    to_hex(secret_str(&opened)));
        secret_done(&opened);
        buf_done(&row.sealed);
        if (ok)
            return true;
        if (!store_rejected_result(worker->store, run->job, row.replay,
                                   "it was sealed with a key that is no more", err))
            return false;
        after = row.replay;
    }
}

static bool result(struct worker *worker, struct task_run *run, const json_t *message,
                   json_t **ret_answer, struct err *err) {
    if (!store_rejected_result(worker->store, run->job, number_of(message, "replay"),
                               json_string_value(json_object_get(message, "detail")), err))
        return false;
    *ret_answer = json_pack("{s:s}", "type", "records_answer");
    return true;
}

bool worker_records_answer(struct worker *worker, struct worker_task *task, struct err *err) {
    struct task_run *run = task->run;
    const char *op = json_string_value(json_object_get(run->asks.records, "op"));
    json_t *answer = NULL;
    bool ok;

    if (op && strcmp(op, "keep") == 0)
        ok = keep(worker, run, run->asks.records, &answer, err);
    else if (op && strcmp(op, "next") == 0)
        ok = next(worker, run, run->asks.records, &answer, err);
    else
        ok = result(worker, run, run->asks.records, &answer, err);
    if (ok)
        task_run_records(run, answer);
    json_decref(answer);
    return ok;
}

/* ---- wanted ---- */

static void want_replay(struct worker_task *task, int64_t replay) {
    struct control_block *block = task->run->control;

    if (replay <= 0 || (uint64_t)replay <= atomic_load(&block->replay_wanted))
        return;
    atomic_store(&block->replay_wanted, (uint64_t)replay);
    control_bell_ring(task->run->apply_bell, &block->apply_sleeps);
}

static void seed_counts(struct control_block *block, const json_t *counts) {
    static const char *const names[] = {"applied", "skipped", "rejected"};
    const json_t *row;
    size_t i;

    json_array_foreach(counts, i, row) {
        const struct command_row *found =
            command_find(str_from(json_string_value(json_object_get(row, "command"))));

        for (size_t c = 0; c < LENGTH_OF(names); c++)
            atomic_store_explicit(&block->by_command[found ? found->id : COMMAND_NONE][c],
                                  (uint64_t)number_of(row, names[c]), memory_order_relaxed);
    }
}

bool worker_records_look(struct worker *worker, struct worker_task *task, struct err *err) {
    int64_t replay;
    json_t *counts;

    if (!store_rejected_last(worker->store, task->run->job, (int)task->run->task, &replay, err) ||
        !store_command_count_list(worker->store, task->run->job, &counts, err))
        return false;
    want_replay(task, replay);
    seed_counts(task->run->control, counts);
    json_decref(counts);
    return true;
}

void worker_records_heed(struct worker_task *task, const json_t *wanted) {
    want_replay(task, number_of(wanted, "replay"));
}

/* ---- counts ---- */

struct counts {
    struct store_command_count *rows;
    size_t count, room;
};

static void add_count(struct counts *c, const struct store_command_count *row) {
    if (c->count == c->room) {
        c->room = c->room ? 2 * c->room : 256;
        c->rows = realloc(c->rows, c->room * sizeof(*c->rows));
        if (!c->rows)
            abort(); /* as many as tasks and commands */
    }
    c->rows[c->count++] = *row;
}

static uint64_t sum_of(const struct control_block *block) {
    uint64_t sum = 0;

    for (int id = 0; id < COMMAND_COUNT; id++) {
        for (int c = 0; c < 3; c++)
            sum += atomic_load_explicit(&block->by_command[id][c], memory_order_relaxed);
    }
    return sum;
}

static void add_counts_of(struct counts *all, const struct task_run *run) {
    for (int id = 0; id < COMMAND_COUNT; id++) {
        struct store_command_count row = {
            .job = run->job,
            .command = id == COMMAND_NONE ? "unknown" : command_row((enum command_id)id)->name};
        int64_t *const n[3] = {&row.applied, &row.skipped, &row.rejected};

        for (int c = 0; c < 3; c++)
            *n[c] = (int64_t)atomic_load_explicit(&run->control->by_command[id][c],
                                                  memory_order_relaxed);
        if (row.applied + row.skipped + row.rejected > 0)
            add_count(all, &row);
    }
}

static bool is_due(const struct worker_task *task, int64_t now) {
    return !task->is_gone && (task->run->outcome != TASK_GOING || task->counted == 0 ||
                              now - task->counted_ms >= COUNT_MS);
}

bool worker_records_count(struct worker *worker, struct worker_task **tasks, size_t task_count,
                          struct err *err) {
    int64_t now = clock_mono_ms();
    struct counts counts = {.rows = NULL};
    bool ok;

    for (size_t i = 0; i < task_count; i++) {
        uint64_t sum;

        if (!is_due(tasks[i], now))
            continue;
        sum = sum_of(tasks[i]->run->control);
        /* Those that began together do not go on together. */
        tasks[i]->counted_ms =
            now - (tasks[i]->counted == 0 ? (int64_t)(i % COUNT_TURNS) * 1000 : 0);
        if (sum == tasks[i]->counted)
            continue;
        add_counts_of(&counts, tasks[i]->run);
        tasks[i]->counted = sum;
    }
    ok =
        counts.count == 0 || store_command_count_put(worker->store, counts.rows, counts.count, err);
    free(counts.rows);
    for (size_t i = 0; !ok && i < task_count; i++) {
        if (tasks[i]->counted_ms == now)
            tasks[i]->counted = 0; /* once more, as soon as the database is back */
    }
    return ok;
}
