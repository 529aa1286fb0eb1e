#include <inttypes.h>
#include <stdio.h>

#include "services/flow/flush_keeper.h"
#include "services/flow/selection.h"
#include "services/flow/stream_parts.h"

static bool put_words(struct stream_units *s, struct stream_unit *out, struct err *err,
                      struct str a, struct str b, struct str c) {
    struct str argv[3] = {a, b, c};

    return stream_end_run(s, out, err) && unit_command(&out->unit, argv, c.len ? 3u : 2u, err);
}

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

static bool find_others(struct stream_units *s, int database, struct flush_keeper *others,
                        struct err *err) {
    return !s->keeps_others || flush_keeper_find(s->a, database, others, err);
}

/* ---- flushing ------------------------------------------------------------------------- */

static bool flush_one(struct stream_units *s, int target, struct stream_unit *out,
                      struct err *err) {
    struct flush_keeper others = {0};

    if (!stream_end_run(s, out, err) || !stream_select(s, target, out, err))
        return false;
    /* A script over prefixes leaves keys of ours alone, whosever they are. */
    if (selection_of(&s->a->spec, target))
        return selection_put_flush(&s->a->spec, target, &out->unit, err);
    return find_others(s, target, &others, err) &&
           flush_keeper_put(&others, false, &out->unit, err);
}

/* FLUSHALL reaches what is selected only: the rest is not the job's. */
static bool flush_all(struct stream_units *s, const struct resp_command *command,
                      struct stream_unit *out, struct err *err) {
    struct flush_keeper others = {0};

    if (task_spec_is_whole(&s->a->spec)) {
        if (!find_others(s, FLUSH_KEEPER_ALL, &others, err))
            return false;
        return others.count == 0 ? stream_forward(s, command->raw, out, err)
                                 : stream_end_run(s, out, err) &&
                                       flush_keeper_put(&others, true, &out->unit, err);
    }
    for (int db = 0; db < TASK_DATABASES_MAX; db++) {
        int target = s->a->spec.database_map[db];

        /* A database that the destination has not has nothing to be flushed. */
        if (target >= 0 && (s->a->database_ok[target / 8] & (1u << (target % 8))) &&
            !flush_one(s, target, out, err))
            return false;
    }
    return true;
}

static bool flush_database(struct stream_units *s, const struct resp_command *command,
                           const struct command_decision *d, struct stream_unit *out,
                           struct err *err) {
    struct flush_keeper others = {0};
    int target;

    if (!applier_map_database(s->a, (uint64_t)s->source_db, &target, err))
        return false;
    if (s->keeper.prefixes_here)
        return flush_one(s, target, out, err);
    if (!find_others(s, target, &others, err))
        return false;
    if (others.count > 0)
        return stream_end_run(s, out, err) && stream_select(s, target, out, err) &&
               flush_keeper_put(&others, false, &out->unit, err);
    return stream_select(s, target, out, err) && stream_rewrite(s, command, d, out, err);
}

static bool swap_databases(struct stream_units *s, const struct command_decision *d,
                           struct stream_unit *out, struct err *err) {
    char a_text[16], b_text[16], key[POSITION_KEY_MAX];
    struct flush_keeper others = {0};
    int home = s->a->spec.lowest_database;
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
    if (a != b && (!find_others(s, a, &others, err) || !find_others(s, b, &others, err)))
        return false;
    if (!put_words(s, out, err, STR_LIT("SWAPDB"), str_from(a_text), str_from(b_text)) ||
        !flush_keeper_put_back(&others, a, b, &out->unit, err))
        return false;
    if (a == b || (a != home && b != home))
        return true;
    /* Our key went along; the unit writes it again at home. */
    position_key(&s->a->spec, key);
    return stream_select(s, a == home ? b : a, out, err) &&
           put_words(s, out, err, STR_LIT("DEL"), str_from(key), STR_EMPTY);
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
    return d->action == COMMAND_DO_FLUSHDB ? flush_database(s, command, d, out, err)
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
