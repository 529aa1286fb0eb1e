#include "services/flow/position.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/arena.h"
#include "proto/resp/resp_write.h"
#include "services/common/failpoint.h"
#include "services/flow/copy_mark.h"
#include "services/flow/position_others.h"

enum { REQUEST_MAX = 4096 };

static const char *const state_names[] = {"copy", "tail", "done", "stopped", "sealed"};

const char *position_state_name(enum position_state state) {
    return state_names[state];
}

void position_key(const struct task_spec *spec, char ret_key[POSITION_KEY_MAX]) {
    snprintf(ret_key, POSITION_KEY_MAX, POSITION_PREFIX "%s:%" PRIu32, spec->job, spec->task);
}

/* ---- reading ------------------------------------------------------------------- */

enum field {
    F_STATE,
    F_LEASE,
    F_EPOCH,
    F_GEN,
    F_FRESH,
    F_RID,
    F_OFF,
    F_DB,
    F_SEQ,
    F_ERR,
    F_MARK,
    F_SNAP,
    F_TRIED,
    F_EVICTED,
    F_RUN,
    F_MET,
    F_COUNT
};
static const char *const field_names[F_COUNT] = {
    "state", "lease", "epoch", "gen",  "fresh", "rid",     "off", "db",
    "seq",   "err",   "mark",  "snap", "tried", "evicted", "run", "met"};

static bool parse_field(const struct resp_value *items, enum field f, uint64_t *ret,
                        struct err *err) {
    if (items[f].type == RESP_NIL) {
        *ret = 0;
        return true;
    }
    if (items[f].type != RESP_BULK || !str_parse_u64(items[f].str, ret))
        return err_set(err, ERR_POSITION_MISSING,
                       "field %s of our position on the destination is no number of ours",
                       field_names[f]);
    return true;
}

static bool parse_fields(const struct resp_value *items, struct position *ret, struct err *err) {
    struct position p = {.state = POSITION_COPY};
    uint64_t fresh, db;
    bool known = false;

    for (int i = 0; i < (int)LENGTH_OF(state_names); i++) {
        if (str_equal(items[F_STATE].str, str_from(state_names[i]))) {
            p.state = (enum position_state)i;
            known = true;
        }
    }
    if (!known || !parse_field(items, F_LEASE, &p.lease, err) ||
        !parse_field(items, F_EPOCH, &p.epoch, err) ||
        !parse_field(items, F_GEN, &p.generation, err) ||
        !parse_field(items, F_FRESH, &fresh, err) || !parse_field(items, F_OFF, &p.next, err) ||
        !parse_field(items, F_DB, &db, err) || !parse_field(items, F_SEQ, &p.seq, err) ||
        !parse_field(items, F_ERR, &p.err, err) ||
        !parse_field(items, F_SNAP, &p.snapshot_offset, err) ||
        !parse_field(items, F_TRIED, &p.tried_until, err) ||
        !parse_field(items, F_EVICTED, &p.evicted, err) ||
        !parse_field(items, F_MET, &p.met_ms, err))
        return known ? false
                     : err_set(err, ERR_POSITION_MISSING,
                               "our position on the destination has an unknown state");
    if (items[F_RID].type == RESP_BULK && items[F_RID].str.len == 40)
        memcpy(p.replid, items[F_RID].str.ptr, 40);
    if (items[F_MARK].type == RESP_BULK && items[F_MARK].str.len < sizeof(p.mark))
        memcpy(p.mark, items[F_MARK].str.ptr, items[F_MARK].str.len);
    if (items[F_RUN].type == RESP_BULK && items[F_RUN].str.len < sizeof(p.run))
        memcpy(p.run, items[F_RUN].str.ptr, items[F_RUN].str.len);
    p.counts_evicted = items[F_EVICTED].type == RESP_BULK;
    if (fresh > POSITION_OVERWRITING)
        return err_set(err, ERR_POSITION_MISSING,
                       "our position on the destination was written by a newer version");
    p.fresh = (enum position_fresh)fresh;
    p.source_db = (int)db;
    *ret = p;
    return true;
}

/* SELECT, WATCH, HMGET: *ret_exists tells whether there is a position. */
static bool watch_and_read(struct redis_client *client, const struct task_spec *spec,
                           struct arena *arena, bool *ret_exists, struct position *ret,
                           struct err *err) {
    char key[POSITION_KEY_MAX], db[16];
    struct str read[2 + F_COUNT] = {STR_LIT("HMGET")};
    struct buf commands = BUF_INIT(REQUEST_MAX);
    const struct resp_value *replies[3];
    bool ok;

    position_key(spec, key);
    snprintf(db, sizeof(db), "%d", spec->lowest_database);
    read[1] = str_from(key);
    for (int i = 0; i < F_COUNT; i++)
        read[2 + i] = str_from(field_names[i]);
    ok = resp_put_words(&commands, err, "SELECT", db, NULL) &&
         resp_put_words(&commands, err, "WATCH", key, NULL) &&
         resp_put_command(&commands, LENGTH_OF(read), read, err) &&
         redis_client_pipeline(client, buf_str(&commands), 3, arena, replies, err);
    buf_done(&commands);
    if (!ok)
        return false;
    for (int i = 0; i < 2; i++) {
        if (replies[i]->type != RESP_SIMPLE)
            return redis_client_unexpected(client, replies[i], "watching our position", err);
    }
    if (replies[2]->type != RESP_ARRAY || replies[2]->count != F_COUNT)
        return redis_client_unexpected(client, replies[2], "reading our position", err);
    *ret_exists = replies[2]->items[F_EPOCH].type == RESP_BULK;
    return !*ret_exists || parse_fields(replies[2]->items, ret, err);
}

/* ---- deciding ------------------------------------------------------------------ */

/* A destination with keys, and no position yet: none of them is ours. */
static enum position_fresh fresh_of_nothing(const struct task_spec *spec) {
    if (spec->recopy == TASK_RECOPY_FLUSH ||
        (spec->recopy == TASK_RECOPY_FAIL && spec->conflict == TASK_CONFLICT_FLUSH))
        return POSITION_FLUSH_ONCE;
    return spec->recopy == TASK_RECOPY_OVERWRITE ? POSITION_OVERWRITE_ONCE : POSITION_SHARED;
}

/* What a person answered when a new full copy was needed. */
static enum position_fresh fresh_of_answer(enum task_recopy recopy, enum position_fresh now) {
    if (recopy == TASK_RECOPY_FLUSH || now == POSITION_FLUSH_ONCE)
        return POSITION_FLUSH_ONCE;
    return now == POSITION_FRESH || now == POSITION_SWEEP_ONCE || now == POSITION_SWEEPING
               ? POSITION_SWEEP_ONCE
               : POSITION_OVERWRITE_ONCE;
}

static bool is_seal(enum position_state state) {
    return state == POSITION_STOPPED || state == POSITION_DONE || state == POSITION_SEALED;
}

bool position_answer(struct position *p, enum task_recopy recopy) {
    if (recopy == TASK_RECOPY_FAIL || is_seal(p->state))
        return false;
    p->next = p->err = 0;
    p->run[0] = '\0'; /* nor does it matter what was evicted before */
    /* Of no snapshot anything is written: whose the keys are has not changed. */
    if (p->state == POSITION_COPY && p->generation == 0) {
        if (recopy == TASK_RECOPY_FLUSH)
            p->fresh = POSITION_FLUSH_ONCE;
        else if (p->fresh == POSITION_SHARED)
            p->fresh = POSITION_OVERWRITE_ONCE;
        return true;
    }
    /* A generation of its own, of which nothing is written: what it replaces is the
     * business of whoever begins the next one. */
    p->state = POSITION_COPY;
    p->generation++;
    copy_mark_begin_anew(p->mark);
    p->fresh = fresh_of_answer(recopy, p->fresh);
    return true;
}

void position_meet(struct position *p, const struct position_server *server) {
    bool began_since = server->began_ms == 0 || server->began_ms >= p->met_ms;

    if (server->run_id[0] == '\0' || strcmp(server->run_id, p->run) == 0)
        return;
    p->evicted = p->run[0] && began_since ? 0 : server->evicted;
    snprintf(p->run, sizeof(p->run), "%s", server->run_id);
    p->met_ms = server->clock_ms;
}

/* What the position will be once this claim is through. */
static bool decide(struct redis_client *client, const struct task_spec *spec, bool exists,
                   const struct position *now, struct arena *arena, struct position *ret,
                   struct err *err) {
    uint64_t keys = 0;

    if (!exists) {
        *ret = (struct position){.state = POSITION_COPY};
        if (spec->claimed_before && spec->recopy == TASK_RECOPY_FAIL)
            return err_set(err, ERR_POSITION_MISSING,
                           "our key on the destination is gone: it was flushed, replaced or is "
                           "another server");
        if (!position_count_keys(client, spec, spec->conflict_instance, arena, &keys, err))
            return false;
        if (keys > 0 && spec->conflict == TASK_CONFLICT_EMPTY && spec->recopy == TASK_RECOPY_FAIL)
            return err_set(err, ERR_DEST_NOT_EMPTY, "the destination holds %" PRIu64 " keys", keys);
        ret->fresh = keys == 0 ? POSITION_FRESH : fresh_of_nothing(spec);
        return true;
    }
    *ret = *now;
    if (is_seal(now->state) && !(spec->faults & TASK_FAULT_SEAL_IGNORED) &&
        (now->state != POSITION_SEALED || spec->errand != TASK_ERRAND_FINISH))
        return err_set(err, ERR_SEALED, "the task was closed on the destination (%s)",
                       position_state_name(now->state));
    if (is_seal(now->state) && spec->faults & TASK_FAULT_SEAL_IGNORED)
        ret->state = POSITION_TAIL;
    if (now->lease > spec->lease)
        return err_set(err, ERR_LEASE_BEHIND, "%" PRIu64, now->lease);
    if (now->state == POSITION_COPY && now->generation > 0 &&
        !position_count_keys(client, spec, false, arena, &ret->foreign_keys, err))
        return false;
    if (position_answer(ret, spec->recopy))
        return true;
    if (now->err > 0)
        return err_set(err, ERR_DIVERGED,
                       "%" PRIu64
                       " commands that succeeded on the source failed on the destination, or keys "
                       "were evicted there",
                       now->err);
    return true;
}

/* ---- writing ------------------------------------------------------------------- */

/* MULTI, HSET of all that a claim decides, EXEC; under the WATCH of the read. */
static bool write_claim(struct redis_client *client, const struct task_spec *spec,
                        const struct position *p, bool raise, struct arena *arena,
                        struct err *err) {
    char key[POSITION_KEY_MAX];
    struct str set[30] = {STR_LIT("HSET")};
    size_t n = 2;
    struct buf commands = BUF_INIT(REQUEST_MAX);
    const struct resp_value *replies[3];
    bool ok;

    position_key(spec, key);
    set[1] = str_from(key);
#define SET_FIELD(name, value)                                                                     \
    (set[n++] = STR_LIT(name), set[n++] = str_from(arena_printf(arena, "%" PRIu64, (value))))
    SET_FIELD("v", (uint64_t)1);
    SET_FIELD("lease", spec->lease);
    SET_FIELD("epoch", p->epoch + (raise ? 1 : 0));
    SET_FIELD("gen", p->generation);
    SET_FIELD("fresh", (uint64_t)p->fresh);
    SET_FIELD("err", p->err);
    if (p->run[0]) {
        SET_FIELD("met", p->met_ms);
        set[n++] = STR_LIT("run");
        set[n++] = str_from(p->run);
    }
    if (p->counts_evicted)
        SET_FIELD("evicted", p->evicted);
#undef SET_FIELD
    set[n++] = STR_LIT("state");
    set[n++] = str_from(position_state_name(p->state));
    if (p->state == POSITION_COPY) {
        set[n++] = STR_LIT("off");
        set[n++] = str_from(arena_printf(arena, "%" PRIu64, p->next));
        set[n++] = STR_LIT("mark");
        set[n++] = str_from(p->mark);
    }
    ok = resp_put_words(&commands, err, "MULTI", NULL) &&
         resp_put_command(&commands, n, set, err) && resp_put_words(&commands, err, "EXEC", NULL) &&
         redis_client_pipeline(client, buf_str(&commands), 3, arena, replies, err);
    buf_done(&commands);
    if (!ok)
        return false;
    if (replies[2]->type == RESP_NIL)
        return err_set(err, ERR_FENCED, "the position changed while we claimed it");
    for (int i = 0; i < 3; i++) {
        if (replies[i]->type == RESP_ERROR)
            return redis_client_unexpected(client, replies[i], "claiming the position", err);
    }
    if (replies[2]->type != RESP_ARRAY || replies[2]->count != 1 ||
        replies[2]->items[0].type != RESP_INTEGER)
        return redis_client_unexpected(client,
                                       replies[2]->count == 1 ? &replies[2]->items[0] : replies[2],
                                       "claiming the position", err);
    return true;
}

bool position_claim(struct redis_client *client, const struct task_spec *spec,
                    const struct position_server *server, struct position *ret_position,
                    struct err *err) {
    struct arena arena = ARENA_INIT;
    struct position now = {0}, next;
    bool raise = !(spec->faults & TASK_FAULT_CLAIM_LEFT_OUT);
    bool exists;
    bool ok = watch_and_read(client, spec, &arena, &exists, &now, err) &&
              failpoint(FAILPOINT_POSITION_READ, err) &&
              decide(client, spec, exists, &now, &arena, &next, err);

    if (ok)
        position_meet(&next, server);
    /* Now and, again, right before the flush: a snapshot is a lot to ask for in vain. */
    if (ok && next.fresh == POSITION_FLUSH_ONCE)
        ok = position_is_alone(client, spec, err);
    /* Looking around may have left the position's database; the WATCH holds. */
    if (ok) {
        const struct resp_value *selected;

        ok = redis_client_call(client, &arena, &selected, err, "SELECT",
                               arena_printf(&arena, "%d", spec->lowest_database), NULL);
    }
    ok = ok && failpoint(FAILPOINT_POSITION_DECIDED, err) &&
         write_claim(client, spec, &next, raise, &arena, err) &&
         failpoint(FAILPOINT_POSITION_CLAIMED, err);
    if (ok) {
        next.lease = spec->lease;
        next.epoch += raise ? 1 : 0;
        *ret_position = next;
    } else if (err->code == ERR_SEALED || err->code == ERR_LEASE_BEHIND) {
        *ret_position = now;
    }
    arena_done(&arena);
    return ok;
}

bool position_close(struct redis_client *client, const struct task_spec *spec,
                    struct position *position, enum position_state state, struct err *err) {
    struct arena arena = ARENA_INIT;
    struct position now = {0};
    bool exists;
    bool ok = watch_and_read(client, spec, &arena, &exists, &now, err);

    if (ok && (!exists || now.epoch != position->epoch))
        ok = err_set(err, ERR_FENCED, "another claim has taken the task");
    if (ok) {
        now.state = state;
        ok = write_claim(client, spec, &now, true, &arena, err);
    }
    if (ok) {
        position->state = state;
        position->epoch++;
    }
    arena_done(&arena);
    return ok;
}

bool position_forget(struct redis_client *client, const struct task_spec *spec, struct err *err) {
    struct arena arena = ARENA_INIT;
    struct position now = {0};
    char key[POSITION_KEY_MAX];
    struct buf commands = BUF_INIT(REQUEST_MAX);
    const struct resp_value *replies[3];
    bool exists;
    bool ok = watch_and_read(client, spec, &arena, &exists, &now, err);

    position_key(spec, key);
    if (ok && exists && now.state != POSITION_STOPPED && now.state != POSITION_DONE)
        ok = err_set(err, ERR_INVALID_STATE,
                     "the position on the destination is \"%s\": nothing is forgotten before it is "
                     "sealed and settled",
                     position_state_name(now.state));
    if (ok && exists) {
        ok = resp_put_words(&commands, err, "MULTI", NULL) &&
             resp_put_words(&commands, err, "DEL", key, NULL) &&
             resp_put_words(&commands, err, "EXEC", NULL) &&
             redis_client_pipeline(client, buf_str(&commands), 3, &arena, replies, err);
        for (int i = 0; ok && i < 3; i++) {
            if (replies[i]->type == RESP_ERROR)
                ok = redis_client_unexpected(client, replies[i], "removing the position", err);
        }
        if (ok && replies[2]->type != RESP_ARRAY)
            ok = err_set(err, ERR_FENCED, "the position changed while it was being removed");
    }
    buf_done(&commands);
    arena_done(&arena);
    return ok;
}

/* ---- messages ------------------------------------------------------------------ */

json_t *position_to_json(const struct position *p, const char *type) {
    return json_pack("{s:s, s:s, s:s, s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:i}", "type", type,
                     "state", position_state_name(p->state), "replid", p->replid, "offset",
                     (json_int_t)p->next, "db", p->source_db, "generation",
                     (json_int_t)p->generation, "epoch", (json_int_t)p->epoch, "lease",
                     (json_int_t)p->lease, "seq", (json_int_t)p->seq, "snapshot_offset",
                     (json_int_t)p->snapshot_offset, "fresh", (int)p->fresh);
}

bool position_from_json(const json_t *message, struct position *ret_position, struct err *err) {
    struct position p = {0};
    const char *state = NULL, *replid = NULL;
    json_int_t next = 0, generation = 0, snapshot_offset = 0;
    int fresh = POSITION_FRESH;

    /* jansson takes a const tree only without const; it does not change it. */
    if (json_unpack((json_t *)(uintptr_t)message, "{s:s, s:s, s:I, s:I, s:I, s?i}", "state", &state,
                    "replid", &replid, "offset", &next, "generation", &generation,
                    "snapshot_offset", &snapshot_offset, "fresh", &fresh) != 0 ||
        strlen(replid) > 40)
        return err_set(err, ERR_PROTOCOL, "a position message without its members");
    for (int i = 0; i < (int)LENGTH_OF(state_names); i++) {
        if (strcmp(state, state_names[i]) == 0)
            p.state = (enum position_state)i;
    }
    memcpy(p.replid, replid, strlen(replid));
    p.next = (uint64_t)next;
    p.generation = (uint64_t)generation;
    p.snapshot_offset = (uint64_t)snapshot_offset;
    /* What is not said or not known is looked at again when the snapshot is there. */
    if (fresh >= POSITION_SHARED && fresh <= POSITION_OVERWRITING)
        p.fresh = (enum position_fresh)fresh;
    *ret_position = p;
    return true;
}
