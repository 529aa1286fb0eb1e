#include "services/flow/stream_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void stream_heartbeat_key(const struct task_spec *spec, char *dst, size_t dst_size) {
    snprintf(dst, dst_size, "%s:%s:%" PRIu32, spec->heartbeat_prefix, spec->job, spec->task);
}

/* Selects a source database: what is taken of it holds until the next SELECT. */
static void enter_database(struct stream_units *s, uint32_t db) {
    s->source_db = db < TASK_DATABASES_MAX ? (int)db : TASK_DATABASES_MAX;
    s->keeper.here = s->a->spec.map_all || (s->source_db < TASK_DATABASES_MAX &&
                                            s->a->spec.database_map[s->source_db] >= 0);
    s->keeper.prefixes_here = task_objects_prefixes(&s->a->spec.objects, s->source_db);
}

void stream_units_init(struct stream_units *s, struct applier *a, uint64_t start, int source_db) {
    *s = (struct stream_units){.a = a,
                               .scan = RESP_SCAN_INIT,
                               .start = start,
                               .at = start,
                               .source_db = source_db,
                               .commands_max = STREAM_UNIT_COMMANDS,
                               .bytes_max = STREAM_UNIT_BYTES};
    s->scan.stream_offset = start;
    stream_heartbeat_key(&a->spec, s->heartbeat, sizeof(s->heartbeat));
    s->keeper.never[0] = STR_LIT(POSITION_PREFIX);
    s->keeper.never[1] = str_from(a->spec.heartbeat_prefix);
    enter_database(s, (uint32_t)source_db);
}

void stream_unit_init(struct stream_unit *u, size_t own_max, const struct applier *a) {
    memset(u, 0, sizeof(*u));
    unit_init(&u->unit, own_max);
    u->reject_bytes = BUF_INIT((size_t)STREAM_REJECTS_MAX * STREAM_REJECT_BYTES_MAX);
    stream_unit_clear(u, a);
}

void stream_unit_done(struct stream_unit *u) {
    unit_done(&u->unit);
    buf_done(&u->reject_bytes);
}

void stream_unit_clear(struct stream_unit *u, const struct applier *a) {
    unit_clear(&u->unit, a->spec.lowest_database);
    u->next = u->commands = u->skipped = u->rejected = 0;
    buf_clear(&u->reject_bytes);
    for (uint32_t i = 0; i < u->touched_count; i++)
        memset(u->counts[u->touched[i]], 0, sizeof(u->counts[0]));
    u->touched_count = u->reject_count = 0;
    u->alone = false;
    u->heartbeat_ms = 0;
}

/* ---- forwarding ---------------------------------------------------------------- */

bool stream_end_run(struct stream_units *s, struct stream_unit *out, struct err *err) {
    struct str run = str_of(s->run, s->run_len);

    s->run = NULL;
    s->run_len = 0;
    return run.len == 0 || unit_borrow(&out->unit, run, err);
}

bool stream_forward(struct stream_units *s, struct str raw, struct stream_unit *out,
                    struct err *err) {
    if (s->run && s->run + s->run_len == raw.ptr) {
        s->run_len += raw.len;
    } else {
        if (!stream_end_run(s, out, err))
            return false;
        s->run = raw.ptr;
        s->run_len = raw.len;
    }
    out->unit.commands++;
    return true;
}

bool stream_rewrite(struct stream_units *s, const struct resp_command *command,
                    const struct command_decision *decision, struct stream_unit *out,
                    struct err *err) {
    size_t before;
    uint32_t count;

    if (!stream_end_run(s, out, err))
        return false;
    before = out->unit.own.len;
    if (!command_rewrite(command, decision, &s->a->target,
                         s->received(s->received_ctx, s->command_at + command->raw.len),
                         &out->unit.own, &count, err) ||
        !unit_added(&out->unit, before, err))
        return false;
    out->unit.commands += count;
    if (count == 0)
        CONTROL_ADD(s->a, field_expiries_dropped, 1);
    return true;
}

bool stream_select(struct stream_units *s, int database, struct stream_unit *out, struct err *err) {
    return out->unit.database == database ||
           (stream_end_run(s, out, err) && unit_select(&out->unit, database, err));
}

/* ---- one command ----------------------------------------------------------------- */

static bool is_alone(enum command_action action) {
    return action == COMMAND_DO_FLUSHALL || action == COMMAND_DO_FLUSHDB ||
           action == COMMAND_DO_SWAPDB;
}

static void note_heartbeat(const struct stream_units *s, const struct resp_command *command,
                           struct stream_unit *out) {
    bool setex = command->argv[0].len > 3; /* SETEX and PSETEX: the value comes last */
    struct str value = command->argv_count > 2
                           ? command->argv[setex && command->argv_count > 3 ? 3 : 2]
                           : STR_EMPTY;
    char text[32];

    if (command->argv_count < 3 || value.len >= sizeof(text) ||
        !str_equal(command->argv[1], str_from(s->heartbeat)))
        return;
    memcpy(text, value.ptr, value.len);
    text[value.len] = '\0';
    out->heartbeat_ms = strtod(text, NULL);
}

static void note_skipped(const struct command_decision *d, struct stream_unit *out) {
    out->skipped++;
    if (d->row)
        stream_count(out, d->row->id, STREAM_SKIPPED);
}

/* A command all of whose keys are the job's. */
static bool emit_whole(struct stream_units *s, const struct resp_command *command,
                       const struct command_decision *d, bool lasting, struct stream_unit *out,
                       struct err *err) {
    int database;

    if (!applier_map_database(s->a, (uint64_t)s->source_db, &database, err) ||
        !stream_select(s, database, out, err))
        return false;
    if (d->action == COMMAND_DO_CROSS_DB)
        return stream_cross_databases(s, command, d, out, err);
    if (lasting && command_goes_verbatim(d, &s->a->target))
        return stream_forward(s, command->raw, out, err);
    return stream_rewrite(s, command, d, out, err);
}

/* A command some of whose keys are the job's: what it means for those. */
static bool emit_partly(struct stream_units *s, const struct resp_command *command,
                        const struct command_decision *d, struct stream_unit *out,
                        struct err *err) {
    struct buf bytes = BUF_INIT(STREAM_PART_BYTES_MAX);
    struct resp_scan scan = RESP_SCAN_INIT;
    struct resp_command part;
    struct command_decision again;
    bool ok = command_border_rewrite(command, d, &s->keeper, &bytes, err) &&
              (resp_command_scan(&scan, buf_str(&bytes), &part, err) == RESP_GOT ||
               err_set(err, ERR_INTERNAL, "a part of %s is no command", d->row->name)) &&
              command_decide(&part, &again, err) && emit_whole(s, &part, &again, false, out, err);

    buf_done(&bytes);
    return ok;
}

/* Data of keys, by what the selection takes of them. */
static bool emit_data(struct stream_units *s, const struct resp_command *command,
                      const struct command_decision *d, struct stream_unit *out, struct err *err) {
    enum command_share share;

    if (d->action == COMMAND_DO_CROSS_DB)
        stream_look_across(s, d);
    share = command_border_share(command, d, &s->keeper);
    if (share == COMMAND_SHARE_NONE) {
        note_heartbeat(s, command, out);
        note_skipped(d, out);
        return true;
    }
    if (d->action == COMMAND_DO_SCRIPT && s->a->spec.objects.lua != TASK_APPLY_IT)
        return stream_script_policy(s, command, d, out, err);
    out->commands++;
    stream_count(out, d->row->id, STREAM_APPLIED);
    return share == COMMAND_SHARE_ALL ? emit_whole(s, command, d, true, out, err)
                                      : emit_partly(s, command, d, out, err);
}

static bool emit(struct stream_units *s, const struct resp_command *command,
                 const struct command_decision *d, struct stream_unit *out, struct err *err) {
    if (d->row && task_objects_excludes(&s->a->spec.objects, d->row->id)) {
        note_skipped(d, out);
        return true;
    }
    switch (d->action) {
    case COMMAND_DO_SELECT:
        enter_database(s, d->db);
        return true;
    case COMMAND_DO_MULTI:
    case COMMAND_DO_EXEC:
    case COMMAND_DO_GETACK:
        return true;
    case COMMAND_DO_DROP:
        note_skipped(d, out);
        return true;
    case COMMAND_DO_REJECT:
        return stream_reject(s, command, d, STREAM_REJECT_UNKNOWN, out, err);
    case COMMAND_DO_PUBLISH:
        return stream_publish(s, command, d, out, err);
    case COMMAND_DO_FLUSHALL:
    case COMMAND_DO_FLUSHDB:
    case COMMAND_DO_SWAPDB:
        return stream_flush(s, command, d, out, err);
    case COMMAND_DO_CROSS_DB:
    case COMMAND_DO_FORWARD:
    case COMMAND_DO_EXPIRY:
    case COMMAND_DO_RESTORE:
    case COMMAND_DO_SCRIPT:
        break;
    }
    if (stream_is_server_wide(d->row))
        return stream_server_wide(s, command, d, out, err);
    return emit_data(s, command, d, out, err);
}

/* As command_decide(), but for commands that the job knows how to leave out. */
static bool decide(const struct stream_units *s, const struct resp_command *command,
                   struct command_decision *ret, struct err *err) {
    if (command_decide(command, ret, err))
        return true;
    if (err->code != ERR_UNKNOWN_COMMAND || !s->a->spec.objects.skip_unknown || command_of(command))
        return false;
    err_clear(err);
    *ret = (struct command_decision){.action = COMMAND_DO_REJECT};
    return true;
}

/* ---- whole units ------------------------------------------------------------------ */

/* The transaction [start, at) is whole: emit what is in it. */
static bool emit_transaction(struct stream_units *s, struct str bytes, struct stream_unit *out,
                             struct err *err) {
    struct resp_scan scan = RESP_SCAN_INIT;

    scan.stream_offset = s->start;
    while (bytes.len > 0) {
        struct resp_command command;
        struct command_decision decision;

        if (resp_command_scan(&scan, bytes, &command, err) != RESP_GOT)
            return err->code ? false
                             : err_set(err, ERR_INTERNAL, "a transaction changed under our eyes");
        s->command_at = scan.stream_offset - command.raw.len;
        if (!decide(s, &command, &decision, err) || !emit(s, &command, &decision, out, err))
            return false;
        bytes = str_skip(bytes, command.raw.len);
    }
    return true;
}

static bool in_unit(const struct stream_units *s, const struct stream_unit *out) {
    return out->unit.commands > 0 || s->run_len > 0;
}

static void boundary(struct stream_units *s, struct stream_unit *out) {
    s->start = s->at;
    out->next = s->at;
    out->source_db = s->source_db;
}

/* One scanned command. *ret_full: the unit must go before this one is taken; the
 * command stays where it is. */
static bool take_one(struct stream_units *s, struct str view, const struct resp_command *command,
                     struct stream_unit *out, bool *ret_full, struct err *err) {
    struct command_decision decision;
    bool alone;

    *ret_full = false;
    s->command_at = s->at;
    if (!decide(s, command, &decision, err))
        return false;
    if (decision.action == COMMAND_DO_MULTI) {
        if (s->in_multi)
            return err_set(err, ERR_PROTOCOL, "MULTI inside MULTI at offset %" PRIu64, s->at);
        s->in_multi = true;
        s->multi_alone = false;
        s->at += command->raw.len;
        return true;
    }
    if (s->in_multi && decision.action != COMMAND_DO_EXEC) {
        s->multi_alone |= is_alone(decision.action);
        s->at += command->raw.len;
        if (s->at - s->start > s->a->spec.transaction_bytes)
            return err_set(err, ERR_UNIT_TOO_LARGE,
                           "the transaction at offset %" PRIu64 " is longer than %" PRIu64
                           " bytes (KEYFERRY_TRANSACTION_BYTES of the worker)",
                           s->start, s->a->spec.transaction_bytes);
        return true;
    }
    if (decision.action == COMMAND_DO_EXEC && !s->in_multi)
        return err_set(err, ERR_PROTOCOL, "EXEC without MULTI at offset %" PRIu64, s->at);
    alone = s->in_multi ? s->multi_alone : is_alone(decision.action);
    if (alone && in_unit(s, out)) {
        *ret_full = true;
        return true;
    }
    if (s->in_multi) {
        size_t len = (size_t)(s->at - s->start) + command->raw.len;

        if (!emit_transaction(s, str_first(view, len), out, err))
            return false;
        s->in_multi = false;
    } else if (!emit(s, command, &decision, out, err)) {
        return false;
    }
    /* What is not ours came to nothing, and nothing is sent at once for it: the unit goes on. */
    out->alone = alone && in_unit(s, out);
    s->at += command->raw.len;
    boundary(s, out);
    return true;
}

bool stream_units_replay(struct stream_units *s, int db, struct str bytes, struct stream_unit *out,
                         struct err *err) {
    struct task_objects *objects = &s->a->spec.objects;
    enum task_policy lua = objects->lua, flush = objects->flush;
    int source_db = s->source_db;
    struct resp_scan scan = RESP_SCAN_INIT;
    struct resp_command command;
    struct command_decision decision;
    bool ok;

    enter_database(s, (uint32_t)db);
    objects->lua = objects->flush = TASK_APPLY_IT;
    ok = (resp_command_scan(&scan, bytes, &command, err) == RESP_GOT ||
          err_set(err, ERR_PROTOCOL, "a record that is no command")) &&
         command_decide(&command, &decision, err);
    out->alone = ok && is_alone(decision.action);
    ok = ok && emit(s, &command, &decision, out, err) && stream_end_run(s, out, err);
    s->run = NULL; /* of a command that failed: its bytes go */
    s->run_len = 0;
    objects->lua = lua;
    objects->flush = flush;
    enter_database(s, (uint32_t)source_db);
    return ok;
}

bool stream_units_take(struct stream_units *s, struct str view, struct stream_unit *out,
                       struct err *err) {
    uint64_t base = s->start;
    bool full = false;
    bool ok = true;

    while (ok && !full && !stream_units_full(s, out) &&
           out->unit.bytes + s->run_len < s->bytes_max) {
        struct str rest = str_skip(view, s->at - base);
        struct resp_command command;
        enum resp_status status;

        if (rest.len == 0 || rest.len < s->scan.need)
            break;
        status = resp_command_scan(&s->scan, rest, &command, err);
        if (status == RESP_NEED_MORE)
            break;
        ok = status == RESP_GOT &&
             take_one(s, str_skip(view, s->start - base), &command, out, &full, err);
    }
    if (full) /* scan it again when its turn comes */
        resp_scan_clear(&s->scan, s->at);
    return stream_end_run(s, out, err) && ok;
}
