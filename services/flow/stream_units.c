#include "services/flow/stream_units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void stream_heartbeat_key(const struct task_spec *spec, char *dst, size_t dst_size) {
    snprintf(dst, dst_size, "%s:%s:%" PRIu32, spec->heartbeat_prefix, spec->job, spec->task);
}

void stream_units_init(struct stream_units *s, struct applier *a, uint64_t start, int source_db) {
    *s = (struct stream_units){.a = a,
                               .scan = RESP_SCAN_INIT,
                               .start = start,
                               .at = start,
                               .source_db = source_db,
                               .commands_max = STREAM_UNIT_COMMANDS};
    s->scan.stream_offset = start;
    stream_heartbeat_key(&a->spec, s->heartbeat, sizeof(s->heartbeat));
}

void stream_unit_clear(struct stream_unit *u, const struct applier *a) {
    unit_clear(&u->unit, a->spec.lowest_database);
    u->next = u->commands = u->skipped = 0;
    u->alone = false;
    u->heartbeat_ms = 0;
}

/* ---- forwarding ---------------------------------------------------------------- */

static bool end_run(struct stream_units *s, struct stream_unit *out, struct err *err) {
    struct str run = str_of(s->run, s->run_len);

    s->run = NULL;
    s->run_len = 0;
    return run.len == 0 || unit_borrow(&out->unit, run, err);
}

static bool forward(struct stream_units *s, struct str raw, struct stream_unit *out,
                    struct err *err) {
    if (s->run && s->run + s->run_len == raw.ptr) {
        s->run_len += raw.len;
    } else {
        if (!end_run(s, out, err))
            return false;
        s->run = raw.ptr;
        s->run_len = raw.len;
    }
    out->unit.commands++;
    return true;
}

static bool rewrite(struct stream_units *s, const struct resp_command *command,
                    const struct command_decision *decision, struct stream_unit *out,
                    struct err *err) {
    size_t before;
    uint32_t count;

    if (!end_run(s, out, err))
        return false;
    before = out->unit.own.len;
    if (!command_rewrite(command, decision, &s->a->target,
                         s->received(s->received_ctx, s->at + command->raw.len), &out->unit.own,
                         &count, err) ||
        !unit_added(&out->unit, before, err))
        return false;
    out->unit.commands += count;
    return true;
}

static bool select_database(struct stream_units *s, int database, struct stream_unit *out,
                            struct err *err) {
    return out->unit.database == database ||
           (end_run(s, out, err) && unit_select(&out->unit, database, err));
}

/* ---- commands over whole databases ------------------------------------------------ */

static bool put_words(struct stream_units *s, struct stream_unit *out, struct err *err,
                      struct str a, struct str b, struct str c) {
    struct str argv[3] = {a, b, c};

    return end_run(s, out, err) && unit_command(&out->unit, argv,
                                                c.len   ? 3u
                                                : b.len ? 2u
                                                        : 1u,
                                                err);
}

/* FLUSHALL reaches the mapped databases only: the others are not the job's. */
static bool flush_all(struct stream_units *s, const struct resp_command *command,
                      struct stream_unit *out, struct err *err) {
    if (s->a->spec.map_all)
        return forward(s, command->raw, out, err);
    for (int db = 0; db < TASK_DATABASES_MAX; db++) {
        int target = s->a->spec.database_map[db];

        if (target >= 0 && (!select_database(s, target, out, err) ||
                            !put_words(s, out, err, STR_LIT("FLUSHDB"), STR_EMPTY, STR_EMPTY)))
            return false;
    }
    return true;
}

static bool swap_databases(struct stream_units *s, const struct command_decision *d,
                           struct stream_unit *out, struct err *err) {
    char a_text[16], b_text[16], key[POSITION_KEY_MAX];
    int home = s->a->spec.lowest_database;
    int a, b;

    if (!applier_map_database(s->a, d->db, &a, err) || !applier_map_database(s->a, d->db2, &b, err))
        return false;
    if (a < 0 && b < 0) {
        out->skipped++;
        return true;
    }
    if (a < 0 || b < 0)
        return err_set(err, ERR_COMMAND_REFUSED,
                       "SWAPDB of a migrated and a database that is not migrated");
    snprintf(a_text, sizeof(a_text), "%d", a);
    snprintf(b_text, sizeof(b_text), "%d", b);
    if (!put_words(s, out, err, STR_LIT("SWAPDB"), str_from(a_text), str_from(b_text)))
        return false;
    if (a == b || (a != home && b != home))
        return true;
    /* Our key went along; the unit writes it again at home. */
    position_key(&s->a->spec, key);
    return select_database(s, a == home ? b : a, out, err) &&
           put_words(s, out, err, STR_LIT("DEL"), str_from(key), STR_EMPTY);
}

/* MOVE and COPY … DB, when the other database is another one there too. */
static bool cross_databases(struct stream_units *s, const struct resp_command *command,
                            const struct command_decision *d, struct stream_unit *out,
                            struct err *err) {
    size_t before;
    int other;

    if (!applier_map_database(s->a, d->db, &other, err))
        return false;
    if (other < 0)
        return err_set(err, ERR_COMMAND_REFUSED, "%s into a database that is not migrated",
                       d->row->name);
    if (!end_run(s, out, err))
        return false;
    before = out->unit.own.len;
    if (!command_rewrite_cross_db(command, d, (uint32_t)other, &out->unit.own, err) ||
        !unit_added(&out->unit, before, err))
        return false;
    out->unit.commands++;
    return true;
}

/* ---- one command ----------------------------------------------------------------- */

static bool is_alone(enum command_action action) {
    return action == COMMAND_DO_FLUSHALL || action == COMMAND_DO_FLUSHDB ||
           action == COMMAND_DO_SWAPDB;
}

static bool is_ours(const struct stream_units *s, struct str key) {
    return str_starts_with(key, STR_LIT(POSITION_PREFIX)) ||
           str_starts_with(key, str_from(s->a->spec.heartbeat_prefix));
}

static void note_heartbeat(const struct resp_command *command, struct stream_unit *out) {
    bool setex = command->argv[0].len > 3; /* SETEX and PSETEX: the value comes last */
    struct str value = command->argv[setex && command->argv_count > 3 ? 3 : 2];
    char text[32];

    if (value.len >= sizeof(text))
        return;
    memcpy(text, value.ptr, value.len);
    text[value.len] = '\0';
    out->heartbeat_ms = strtod(text, NULL);
}

/* Keys of ours, and heartbeats of anybody's, are not data. *ret_drop: the command
 * names no other key.
 * Errors: COMMAND_REFUSED when it names both kinds. */
static bool drop_ours(struct stream_units *s, const struct resp_command *command,
                      const struct command_row *row, struct stream_unit *out, bool *ret_drop,
                      struct err *err) {
    struct command_keys keys = command_keys(command, row);
    bool ours = false, others = false;
    struct str key;

    while (command_keys_next(&keys, &key)) {
        if (is_ours(s, key))
            ours = true;
        else
            others = true;
    }
    if (ours && others)
        return err_set(err, ERR_COMMAND_REFUSED,
                       "%s names a key of Keyferry beside keys that are not", row->name);
    if (ours && command->argv_count > 2 && str_equal(command->argv[1], str_from(s->heartbeat)))
        note_heartbeat(command, out);
    *ret_drop = ours;
    return true;
}

static bool emit(struct stream_units *s, const struct resp_command *command,
                 const struct command_decision *d, struct stream_unit *out, struct err *err) {
    int database;
    bool drop = false;

    switch (d->action) {
    case COMMAND_DO_SELECT:
        s->source_db = d->db < TASK_DATABASES_MAX ? (int)d->db : TASK_DATABASES_MAX;
        return true;
    case COMMAND_DO_MULTI:
    case COMMAND_DO_EXEC:
    case COMMAND_DO_GETACK:
    case COMMAND_DO_DROP:
        out->skipped += d->action == COMMAND_DO_DROP;
        return true;
    case COMMAND_DO_FLUSHALL:
        out->commands++;
        return flush_all(s, command, out, err);
    case COMMAND_DO_SWAPDB:
        out->commands++;
        return swap_databases(s, d, out, err);
    case COMMAND_DO_FLUSHDB:
    case COMMAND_DO_CROSS_DB:
    case COMMAND_DO_FORWARD:
    case COMMAND_DO_EXPIRY:
    case COMMAND_DO_RESTORE:
    case COMMAND_DO_SCRIPT:
        break;
    }
    if (!applier_map_database(s->a, (uint64_t)s->source_db, &database, err))
        return false;
    if (database >= 0 && !drop_ours(s, command, d->row, out, &drop, err))
        return false;
    if (database < 0 || drop) {
        out->skipped++;
        return true;
    }
    if (!select_database(s, database, out, err))
        return false;
    out->commands++;
    if (d->action == COMMAND_DO_CROSS_DB)
        return cross_databases(s, command, d, out, err);
    if (command_goes_verbatim(d, &s->a->target))
        return forward(s, command->raw, out, err);
    return rewrite(s, command, d, out, err);
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
        if (!command_decide(&command, &decision, err) || !emit(s, &command, &decision, out, err))
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

    *ret_full = false;
    if (!command_decide(command, &decision, err))
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
        if (s->at - s->start > STREAM_TRANSACTION_BYTES_MAX)
            return err_set(err, ERR_UNIT_TOO_LARGE,
                           "the transaction at offset %" PRIu64 " is longer than %" PRIu64 " bytes",
                           s->start, STREAM_TRANSACTION_BYTES_MAX);
        return true;
    }
    if (decision.action == COMMAND_DO_EXEC && !s->in_multi)
        return err_set(err, ERR_PROTOCOL, "EXEC without MULTI at offset %" PRIu64, s->at);
    if (s->in_multi ? s->multi_alone : is_alone(decision.action)) {
        if (in_unit(s, out)) {
            *ret_full = true;
            return true;
        }
        out->alone = true;
    }
    if (s->in_multi) {
        size_t len = (size_t)(s->at - s->start) + command->raw.len;

        if (!emit_transaction(s, str_first(view, len), out, err))
            return false;
        s->in_multi = false;
    } else if (!emit(s, command, &decision, out, err)) {
        return false;
    }
    s->at += command->raw.len;
    boundary(s, out);
    return true;
}

bool stream_units_take(struct stream_units *s, struct str view, struct stream_unit *out,
                       struct err *err) {
    uint64_t base = s->start;
    bool full = false;
    bool ok = true;

    while (ok && !full && !stream_units_full(s, out) &&
           out->unit.bytes + s->run_len < STREAM_UNIT_BYTES) {
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
    return end_run(s, out, err) && ok;
}
