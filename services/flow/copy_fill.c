#include <inttypes.h>

#include "proto/rdb/rdb_string.h"
#include "services/common/clock.h"
#include "services/flow/copy_parts.h"
#include "services/secret/api_key.h"

bool copy_is_full(const struct copy *c) {
    /* Keys that are not written move the mark, too, or the spool would be held for them. */
    return c->filling->unit.bytes >= c->unit_bytes ||
           c->filling->unit.commands >= COPY_UNIT_COMMANDS ||
           (c->parser.offset >= c->sent_until + COPY_SKIPPED_BYTES &&
            !copy_encoder_in_pieces(&c->encoder));
}

bool copy_is_ours(const struct applier *a, struct str key) {
    if (str_starts_with(key, STR_LIT(POSITION_PREFIX)) ||
        str_starts_with(key, str_from(a->spec.heartbeat_prefix)))
        return true;
    /* Where the changes follow, a key that somebody else's copy builds is renamed by them. */
    return !a->spec.incremental && copy_temporary_is(key);
}

/* The key itself is the customer's and stays out of every log. */
static bool conflict(int database, struct str key, struct err *err) {
    char hex[65];

    api_key_sha256_hex(key, hex);
    return err_set(err, ERR_DEST_CONFLICT,
                   "database %d of the destination has the key whose SHA-256 begins with %.16s: it "
                   "was not changed",
                   database, hex);
}

/* How many more there are, in what has arrived so far. */
static bool say_how_many(struct copy *c, struct str rest, struct err *err) {
    struct err ignored = ERR_INIT;
    uint64_t more = 0;

    if (!copy_scout_count(&c->scout, c->a, &c->parser, rest, &more, &ignored))
        more = 0;
    return err_wrap(err, "keys of the source that the destination has already: at least %" PRIu64,
                    more + 1);
}

/* A value in pieces counts as it goes, or a large one would wait for minutes and then go at
 * full speed. */
static void pay(struct copy *c) {
    uint64_t done =
        copy_encoder_in_pieces(&c->encoder) ? copy_encoder_passed(&c->encoder) : c->piece_bytes;

    if (done <= c->piece_paid)
        return;
    throttle_take(&c->bytes, done - c->piece_paid);
    c->piece_paid = done;
}

static void begin_paying(struct copy *c, uint64_t size) {
    c->piece_bytes = size;
    c->piece_paid = 0;
    pay(c);
}

static bool take_key(struct copy *c, const struct rdb_event *ev, struct unit *unit,
                     struct err *err) {
    struct str key;
    int database;
    bool kept;

    if (!applier_map_database(c->a, ev->key.db, &database, err) ||
        !copy_encoder_key(&c->encoder, ev, &key, err))
        return false;
    if (database < 0 || copy_is_ours(c->a, key) ||
        !command_prefixes_take(task_objects_prefixes(&c->a->spec.objects, (int)ev->key.db), key)) {
        CONTROL_ADD(c->a, keys_filtered, 1);
        return true;
    }
    throttle_take(&c->keys, 1);
    /* A copy without a tail writes true expiries, and what is past is gone. */
    if (!c->a->spec.incremental && ev->key.expire_at_ms >= 0 &&
        ev->key.expire_at_ms <= clock_wall_ms() - (int64_t)c->a->spec.extend_ttl_ms) {
        throttle_take(&c->bytes, ev->size);
        c->keys_expired++;
        return true;
    }
    if (!copy_ask_kept(c, ev->offset, &kept, err))
        return false;
    if (kept) {
        throttle_take(&c->bytes, ev->size);
        if (c->a->spec.conflict == TASK_CONFLICT_FAIL)
            return conflict(database, key, err);
        c->keys_conflict++;
        return true;
    }
    if (c->keys_seen.fd >= 0 && !key_set_add(&c->keys_seen, database, key, err))
        return false;
    c->encoder.by_commands = ev->offset < c->a->by_commands_until;
    if (!copy_encoder_put(&c->encoder, ev, database, unit, err))
        return false;
    if (copy_encoder_in_pieces(&c->encoder))
        c->before = (struct copy_mark){
            .at = rdb_parser_mark_before(&c->parser, ev),
            .keys_done = c->keys_done,
            .keys_expired = c->keys_expired,
            .keys_conflict = c->keys_conflict,
            .field_expiries_dropped = c->encoder.field_expiries_dropped,
            .stream_db = c->stream_db,
            .temporary = c->encoder.pieces.temporary,
        };
    begin_paying(c, ev->size);
    c->keys_done++;
    return true;
}

static bool take_aux(struct copy *c, const struct rdb_event *ev, struct unit *unit,
                     struct err *err) {
    struct buf scratch = BUF_INIT(64);
    struct str value;
    uint64_t db;
    bool ok = true;

    if (str_equal(str_skip(ev->aux.key, 1), STR_LIT("repl-stream-db"))) {
        ok = rdb_string_decode(ev->aux.value, &scratch, &value, err);
        if (ok && str_parse_u64(value, &db) && db < TASK_DATABASES_MAX)
            c->stream_db = (int)db;
    } else if (c->a->can_seal && str_equal(str_skip(ev->aux.key, 1), STR_LIT("lua"))) {
        /* Sources up to 6.2 may stream EVALSHA of what they had cached; no script can call that. */
        ok = copy_encoder_put_code(&c->encoder, "SCRIPT", "LOAD", NULL, ev->aux.value, unit, err);
    }
    buf_done(&scratch);
    return ok;
}

static bool take_end(struct copy *c, const struct rdb_event *ev, struct err *err) {
    if (ev->eof.checksum == RDB_CHECKSUM_WRONG)
        return err_set(err, ERR_RDB_CORRUPT, "the snapshot does not match its checksum");
    /* The mark stays before it: behind it there is nothing to go on with. */
    c->end = rdb_parser_mark_before(&c->parser, ev);
    c->ended = true;
    return true;
}

static bool take_event(struct copy *c, const struct rdb_event *ev, struct unit *unit,
                       struct err *err) {
    switch (ev->kind) {
    case RDB_EV_VERSION:
        copy_encoder_set_source(&c->encoder, ev->version.vendor, &c->templates);
        return true;
    case RDB_EV_KEY:
        return take_key(c, ev, unit, err);
    case RDB_EV_HASH_TEMPLATE:
        return rdb_templates_add(&c->templates, ev->hash_template.id, ev->hash_template.count,
                                 ev->hash_template.fields, err);
    case RDB_EV_AUX:
        return take_aux(c, ev, unit, err);
    case RDB_EV_FUNCTION:
        if (!c->a->has_functions)
            return err_set(
                err, ERR_DEST_UNKNOWN_COMMAND,
                "the source holds function libraries, which the destination does not know");
        if (ev->function.pre_ga)
            return err_set(err, ERR_RDB_UNSUPPORTED,
                           "a function library of a release candidate of 7.0");
        return copy_encoder_put_code(&c->encoder, "FUNCTION", "LOAD", "REPLACE",
                                     ev->function.source, unit, err);
    case RDB_EV_MODULE_AUX:
        return err_set(err, ERR_RDB_UNSUPPORTED,
                       "data of module %s beside the keys, which no command can load",
                       ev->module_aux.name);
    case RDB_EV_EOF:
        return take_end(c, ev, err);
    case RDB_EV_SELECTDB:
    case RDB_EV_RESIZEDB:
    case RDB_EV_SLOT_INFO:
    case RDB_EV_SLOT_IMPORT:
        return true;
    }
    return true;
}

int64_t copy_throttled_us(struct copy *c) {
    uint64_t bytes_max = CONTROL_GET(c->a, full_bytes_per_second_max);
    uint64_t keys_max = CONTROL_GET(c->a, full_keys_per_second_max);
    int64_t bytes_us, keys_us, now;

    if (bytes_max == 0 && keys_max == 0) { /* asked per record: not even the clock then */
        throttle_lift(&c->bytes);
        throttle_lift(&c->keys);
        return 0;
    }
    now = clock_mono_us();
    bytes_us = throttle_wait_us(&c->bytes, bytes_max, now);
    keys_us = throttle_wait_us(&c->keys, keys_max, now);
    return bytes_us > keys_us ? bytes_us : keys_us;
}

/* Under a limit no more than a tenth of a second's worth. */
static size_t piece_max(const struct copy *c) {
    uint64_t limit = CONTROL_GET(c->a, full_bytes_per_second_max);

    return limit == 0 || limit / 10 > COPY_PIECE_BYTES ? COPY_PIECE_BYTES : (size_t)limit / 10 + 1;
}

/* Nothing that is still to be sent points into the mapping. */
static bool nothing_borrowed(const struct copy *c) {
    return !c->in_flight && c->filling->unit.bytes == 0 && c->encoder.group_count == 0 &&
           !copy_encoder_in_pieces(&c->encoder);
}

void copy_pass(struct copy *c, uint64_t to) {
    if (to < c->passed + COPY_PASSED_BYTES)
        return;
    spool_reader_forget(&c->reader, c->passed, to);
    c->passed = to;
}

bool copy_fill(struct copy *c, bool *ret_starved, struct err *err) {
    struct unit *unit = &c->filling->unit;
    uint64_t end = atomic_load_explicit(&c->a->control->snapshot_bytes, memory_order_acquire);
    uint64_t from = c->parser.offset;
    bool cut = end - from > c->window;
    struct str view;

    *ret_starved = false;
    if (cut)
        end = from + c->window;
    if (spool_reader_exhausted(&c->reader, end) && nothing_borrowed(c) &&
        !spool_reader_rebase(&c->reader, from, err))
        return false;
    if (!spool_reader_view(&c->reader, from, end, &view, err))
        return false;
    c->seen_end = from + view.len;
    cut = cut && c->seen_end == end;
    while (!c->ended && !copy_is_full(c)) {
        struct rdb_event ev;
        struct str rest = str_skip(view, c->parser.offset - from);

        if (copy_throttled_us(c) > 0)
            return true;
        if (copy_encoder_in_pieces(&c->encoder)) {
            if (!copy_encoder_fill(&c->encoder, piece_max(c), unit, err))
                return false;
            pay(c);
            copy_pass(c, c->before.at.offset + copy_encoder_passed(&c->encoder));
            continue;
        }
        if (!copy_scout_look(&c->scout, c->a, &c->parser, rest, err))
            return false;
        switch (rdb_parser_next(&c->parser, rest, &ev, err)) {
        case RDB_WRONG:
            return false;
        case RDB_NEED_MORE:
            copy_pass(c, c->parser.offset + c->parser.walked);
            if (cut)
                c->window += c->parser.offset == from ? COPY_VIEW_BYTES : 0;
            *ret_starved = !cut;
            /* What never comes is not waited for. */
            if (*ret_starved &&
                atomic_load_explicit(&c->a->control->snapshot_complete, memory_order_acquire) &&
                atomic_load_explicit(&c->a->control->snapshot_bytes, memory_order_acquire) ==
                    c->seen_end)
                return rdb_parser_cut_short(&c->parser, rest.len, err);
            return true;
        case RDB_EVENT:
            c->window = COPY_VIEW_BYTES;
            if (ev.offset < c->passed)
                c->passed = ev.offset; /* it was long, and is looked at again */
            if (!take_event(c, &ev, unit, err))
                return err->code == ERR_DEST_CONFLICT &&
                       say_how_many(c, str_skip(view, c->parser.offset - from), err);
            break;
        }
    }
    return true;
}
