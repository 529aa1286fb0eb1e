#include <inttypes.h>
#include <stdio.h>

#include "services/flow/flush_keeper.h"
#include "services/flow/selection.h"
#include "services/flow/stream_parts.h"

/* What empties a whole source asks first where the destination is not the job's alone. */
static bool asks_first(struct stream_units *s, const struct command_decision *d, struct err *err) {
    return err_set(err, ERR_FLUSH_BLOCKED,
                   "the source ran %s in its database %d (offset %" PRIu64
                   " of its history); the job's flush_policy is block_and_pause",
                   d->row->name, s->source_db, s->command_at);
}

static void note_applied(const struct command_decision *d, struct stream_unit *out) {
    out->commands++;
    stream_count(out, d->row->id, STREAM_APPLIED);
}

static bool not_ours(const struct command_decision *d, struct stream_unit *out) {
    out->skipped++;
    stream_count(out, d->row->id, STREAM_SKIPPED);
    return true;
}

/* ---- flushing ------------------------------------------------------------------------- */

/* What stays when the keeper's command reaches `database`. Looked for where the tail runs, not in
 * every test of it. */
static bool keep_in(struct stream_units *s, int database, struct flush_keeper *keeper,
                    struct err *err) {
    flush_keeper_own(keeper, s->a, database);
    return !s->keeps_others || flush_keeper_find(keeper, s->a, database, err);
}

/* FLUSHALL or FLUSHDB, with ASYNC or SYNC where the destination knows the word. */
static struct flush_keeper flush_of(const struct stream_units *s, const char *name,
                                    const struct resp_command *command) {
    struct flush_keeper keeper = {.words = {str_from(name)}, .word_count = 1};
    bool known = command && command->argc == 2 && command->argv_count > 1 &&
                 (str_equal_nocase(command->argv[1], STR_LIT("async")) ? s->a->target.has_unlink
                                                                       : s->a->target.has_pxat);

    if (known)
        keeper.words[keeper.word_count++] = command->argv[1];
    return keeper;
}

/* `command` is NULL where a FLUSHALL becomes one of these. */
static bool flush_one(struct stream_units *s, int target, const struct resp_command *command,
                      struct stream_unit *out, struct err *err) {
    struct flush_keeper keeper = flush_of(s, "FLUSHDB", command);

    if (!stream_end_run(s, out, err) || !stream_select(s, target, out, err))
        return false;
    /* A script over prefixes leaves keys of ours alone, whosever they are. */
    if (selection_of(&s->a->spec, target))
        return selection_put_flush(&s->a->spec, target, &out->unit, err);
    return keep_in(s, target, &keeper, err) && flush_keeper_put(&keeper, &out->unit, err);
}

/* FLUSHALL reaches what is selected only: the rest is not the job's. */
static bool flush_all(struct stream_units *s, const struct resp_command *command,
                      struct stream_unit *out, struct err *err) {
    if (task_spec_is_whole(&s->a->spec)) {
        struct flush_keeper keeper = flush_of(s, "FLUSHALL", command);

        return keep_in(s, FLUSH_KEEPER_ALL, &keeper, err) && stream_end_run(s, out, err) &&
               flush_keeper_put(&keeper, &out->unit, err);
    }
    for (int db = 0; db < TASK_DATABASES_MAX; db++) {
        int target = s->a->spec.database_map[db];

        /* A database that the destination has not has nothing to be flushed. */
        if (target >= 0 && (s->a->database_ok[target / 8] & (1u << (target % 8))) &&
            !flush_one(s, target, NULL, out, err))
            return false;
    }
    return true;
}

static bool flush_database(struct stream_units *s, const struct resp_command *command,
                           struct stream_unit *out, struct err *err) {
    int target;

    return applier_map_database(s->a, (uint64_t)s->source_db, &target, err) &&
           flush_one(s, target, command, out, err);
}

static bool swap_databases(struct stream_units *s, const struct command_decision *d,
                           struct stream_unit *out, struct err *err) {
    struct flush_keeper keeper = {.words = {STR_LIT("SWAPDB")}, .word_count = 3};
    char a_text[16], b_text[16];
    int a, b;

    if (!applier_map_database(s->a, d->db, &a, err) || !applier_map_database(s->a, d->db2, &b, err))
        return false;
    if (a < 0 || b < 0 || task_objects_prefixes(&s->a->spec.objects, (int)d->db) ||
        task_objects_prefixes(&s->a->spec.objects, (int)d->db2))
        return err_set(err, ERR_SELECTION_CROSSED,
                       "swapdb of databases %" PRIu32 " and %" PRIu32
                       ", which are not both migrated whole",
                       d->db, d->db2);
    snprintf(a_text, sizeof(a_text), "%d", a);
    snprintf(b_text, sizeof(b_text), "%d", b);
    keeper.words[1] = str_from(a_text);
    keeper.words[2] = str_from(b_text);
    if (a != b && (!keep_in(s, a, &keeper, err) || !keep_in(s, b, &keeper, err)))
        return false;
    return stream_end_run(s, out, err) && flush_keeper_put(&keeper, &out->unit, err);
}

/* Does it touch anything that is selected? */
static bool concerns_us(const struct stream_units *s, const struct command_decision *d) {
    const struct task_spec *spec = &s->a->spec;

    switch (d->action) {
    case COMMAND_DO_FLUSHDB:
        return s->keeper.here;
    case COMMAND_DO_SWAPDB:
        return spec->map_all || (d->db < TASK_DATABASES_MAX && spec->database_map[d->db] >= 0) ||
               (d->db2 < TASK_DATABASES_MAX && spec->database_map[d->db2] >= 0);
    default:
        return true;
    }
}

bool stream_flush(struct stream_units *s, const struct resp_command *command,
                  const struct command_decision *d, struct stream_unit *out, struct err *err) {
    if (!concerns_us(s, d))
        return not_ours(d, out);
    if (s->a->spec.objects.flush == TASK_STOP_AT_IT)
        return asks_first(s, d, err);
    if (s->a->spec.objects.flush == TASK_SKIP_IT)
        return stream_reject(s, command, d, STREAM_REJECT_FLUSH, out, err);
    note_applied(d, out);
    if (d->action == COMMAND_DO_FLUSHALL)
        return flush_all(s, command, out, err);
    return d->action == COMMAND_DO_FLUSHDB ? flush_database(s, command, out, err)
                                           : swap_databases(s, d, out, err);
}

/* ---- two databases -------------------------------------------------------------------- */

void stream_look_across(struct stream_units *s, const struct command_decision *d) {
    const struct task_spec *spec = &s->a->spec;

    s->keeper.there =
        spec->map_all || (d->db < TASK_DATABASES_MAX && spec->database_map[d->db] >= 0);
    s->keeper.prefixes_there =
        d->db < TASK_DATABASES_MAX ? task_objects_prefixes(&spec->objects, (int)d->db) : NULL;
}

bool stream_cross_databases(struct stream_units *s, const struct resp_command *command,
                            const struct command_decision *d, struct stream_unit *out,
                            struct err *err) {
    size_t before;
    int other;

    if (!applier_map_database(s->a, d->db, &other, err) || !stream_end_run(s, out, err))
        return false;
    before = out->unit.own.len;
    if (!command_rewrite_cross_db(command, d, (uint32_t)other, &out->unit.own, err) ||
        !unit_added(&out->unit, before, err))
        return false;
    out->unit.commands++;
    return true;
}

/* ---- no database ---------------------------------------------------------------------- */

bool stream_is_server_wide(const struct command_row *row) {
    return row->first == 0 && row->numkeys == 0;
}

/* FUNCTION FLUSH and FUNCTION RESTORE … FLUSH remove libraries that may be of others. */
static bool removes_libraries(const struct resp_command *command,
                              const struct command_decision *d) {
    return d->row->id == COMMAND_FUNCTION_FLUSH ||
           (d->row->id == COMMAND_FUNCTION_RESTORE && command->argv_count > 3 &&
            str_equal_nocase(command->argv[3], STR_LIT("flush")));
}

bool stream_server_wide(struct stream_units *s, const struct resp_command *command,
                        const struct command_decision *d, struct stream_unit *out,
                        struct err *err) {
    if (!task_spec_is_whole(&s->a->spec) && removes_libraries(command, d)) {
        if (s->a->spec.objects.flush == TASK_STOP_AT_IT)
            return asks_first(s, d, err);
        if (s->a->spec.objects.flush == TASK_SKIP_IT)
            return stream_reject(s, command, d, STREAM_REJECT_FLUSH, out, err);
    }
    note_applied(d, out);
    return command_goes_verbatim(d, &s->a->target) ? stream_forward(s, command->raw, out, err)
                                                   : stream_rewrite(s, command, d, out, err);
}
