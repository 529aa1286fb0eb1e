#include "services/flow/copy_encode.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/command/held_expiry.h"
#include "proto/rdb/rdb_payload.h"
#include "proto/rdb/rdb_string.h"
#include "proto/resp/resp_write.h"

enum {
    GROUP_VALUE_MAX = 4096,         /* longer strings are written one by one */
    STRING_MAX = 512 * 1024 * 1024, /* proto-max-bulk-len of every server, by default */
    KEY_MAX = 512 * 1024 * 1024,
    TRANSCODED_KEEP = 4 * 1024 * 1024,
};

void copy_encoder_init(struct copy_encoder *e, const struct copy_writing *how) {
    *e = (struct copy_encoder){
        .how = *how,
        .transcoded = BUF_INIT(STRING_MAX),
        .key_scratch = BUF_INIT(KEY_MAX),
        .value_scratch = BUF_INIT(STRING_MAX),
    };
    copy_pieces_init(&e->pieces, how->target, how->spec);
    rdb_transcoder_init(&e->transcoder, RDB_REDIS, how->destination.vendor, STRING_MAX);
    for (unsigned i = 0; i < LENGTH_OF(e->scratch); i++)
        e->scratch[i] = BUF_INIT(i % 2 == 0 ? KEY_MAX : GROUP_VALUE_MAX);
}

void copy_encoder_done(struct copy_encoder *e) {
    for (unsigned i = 0; i < LENGTH_OF(e->scratch); i++)
        buf_done(&e->scratch[i]);
    copy_pieces_done(&e->pieces);
    rdb_transcoder_done(&e->transcoder);
    buf_done(&e->transcoded);
    buf_done(&e->key_scratch);
    buf_done(&e->value_scratch);
}

void copy_encoder_set_source(struct copy_encoder *e, enum rdb_vendor vendor,
                             const struct rdb_templates *templates) {
    uint64_t extend_ms = e->how.spec->extend_ttl_ms;
    enum rdb_field_expiry fields = e->how.target->held ? RDB_FIELDS_HOLD
                                   : extend_ms > 0     ? RDB_FIELDS_EXTEND
                                                       : RDB_FIELDS_KEEP;

    e->vendor = vendor;
    for (unsigned type = 0; type < COPY_TYPES; type++)
        e->ways[type] = rdb_accept(&e->how.destination, vendor, (uint8_t)type);
    e->transcoder.from = vendor;
    e->transcoder.fields = fields;
    e->transcoder.extend_ms = extend_ms;
    e->transcoder.templates = templates;
    e->transcoder.drop_field_expiry = e->how.drops_field_expiry;
    e->pieces.commands.vendor = vendor;
    e->pieces.commands.dest = e->how.destination;
    e->pieces.commands.fields = fields;
    e->pieces.commands.extend_ms = extend_ms;
    e->pieces.commands.templates = templates;
    e->pieces.commands.drop_field_expiry = e->how.drops_field_expiry;
}

bool copy_encoder_key(struct copy_encoder *e, const struct rdb_event *ev, struct str *ret_key,
                      struct err *err) {
    return rdb_string_decode(ev->key.key, &e->key_scratch, ret_key, err);
}

bool copy_encoder_flush(struct copy_encoder *e, struct unit *unit, struct err *err) {
    static const char mset[] = "$4\r\nMSET\r\n";
    unsigned n = e->group_count * 2;
    size_t size;
    char *at, *start;

    if (n == 0)
        return true;
    if (!unit_select(unit, e->group_database, err))
        return false;
    size = resp_size_array(n + 1) + sizeof(mset) - 1;
    for (unsigned i = 0; i < n; i++)
        size += resp_size_bulk(e->group[i].len);
    start = unit_room(unit, size, err);
    if (!start)
        return false;
    at = resp_write_array(start, n + 1);
    memcpy(at, mset, sizeof(mset) - 1);
    at += sizeof(mset) - 1;
    for (unsigned i = 0; i < n; i++)
        at = resp_write_bulk(at, e->group[i]);
    unit_fill(unit, (size_t)(at - start));
    unit->commands++;
    e->group_count = 0;
    return true;
}

static bool put_grouped(struct copy_encoder *e, const struct rdb_event *ev, int database,
                        struct unit *unit, struct err *err) {
    unsigned at;

    if ((e->group_count == COPY_MSET_KEYS || e->group_database != database) &&
        !copy_encoder_flush(e, unit, err))
        return false;
    at = e->group_count * 2;
    if (!rdb_string_decode(ev->key.key, &e->scratch[at], &e->group[at], err) ||
        !rdb_string_decode(ev->key.value, &e->scratch[at + 1], &e->group[at + 1], err))
        return false;
    e->group_database = database;
    e->group_count++;
    return true;
}

/* The expiry to write: 0 = none. */
static bool expiry_to_write(const struct copy_encoder *e, const struct rdb_event *ev,
                            uint64_t *ret_ms, struct err *err) {
    int64_t at = ev->key.expire_at_ms;

    *ret_ms = 0;
    if (at < 0)
        return true;
    if (!e->how.target->held) {
        *ret_ms = (at == 0 ? 1 : (uint64_t)at) + e->how.spec->extend_ttl_ms;
        if (*ret_ms > INT64_MAX)
            *ret_ms = INT64_MAX;
        return true;
    }
    if (!held_expiry_hold(at == 0 ? 1 : (uint64_t)at, ret_ms))
        return err_set(err, ERR_RDB_UNSUPPORTED,
                       "an expiry of %" PRId64 " ms lies where held expiries are written", at);
    return true;
}

/* SET key value [PXAT ms]; a long value is borrowed when it lasts (it is a slice of
 * the snapshot, not of a scratch buffer). */
static bool put_set(struct unit *unit, struct str key, struct str value, bool lasting,
                    uint64_t at_ms, struct err *err) {
    char *start = unit_room(unit, 64 + resp_size_bulk(key.len) + RESP_SIZE_NUMBER_MAX, err);
    char *at;

    if (!start)
        return false;
    at = resp_write_array(start, at_ms ? 5 : 3);
    at = resp_write_bulk(at, STR_LIT("SET"));
    at = resp_write_bulk(at, key);
    *at++ = '$';
    at = resp_write_decimal(at, value.len);
    memcpy(at, "\r\n", 2);
    unit_fill(unit, (size_t)(at + 2 - start));
    if (lasting ? !unit_borrow(unit, value, err) : !unit_put(unit, value, err))
        return false;
    start = unit_room(unit, 64, err);
    if (!start)
        return false;
    at = start;
    memcpy(at, "\r\n", 2);
    at += 2;
    if (at_ms) {
        at = resp_write_bulk(at, STR_LIT("PXAT"));
        at = resp_write_u64(at, at_ms);
    }
    unit_fill(unit, (size_t)(at - start));
    unit->commands++;
    return true;
}

/* A command of words, copied. */
static bool put_words(struct unit *unit, const struct str *argv, size_t argc, struct err *err) {
    size_t before = unit->own.len;

    if (!resp_put_command(&unit->own, argc, argv, err) || !unit_added(unit, before, err))
        return false;
    unit->commands++;
    return true;
}

/* For servers whose SET or RESTORE takes no absolute time. */
static bool put_expiry(struct unit *unit, struct str key, uint64_t at_ms, struct err *err) {
    char number[24];
    struct str argv[] = {STR_LIT("PEXPIREAT"), key, STR_EMPTY};

    snprintf(number, sizeof(number), "%" PRIu64, at_ms);
    argv[2] = str_from(number);
    return put_words(unit, argv, LENGTH_OF(argv), err);
}

/* A value as RESTORE takes it. */
struct payload {
    uint8_t type;
    struct str value;
    bool lasting; /* a slice of the snapshot, not of a scratch buffer */
};

/* RESTORE key ttl payload REPLACE [ABSTTL] [IDLETIME s | FREQ n] */
static bool put_restore(struct copy_encoder *e, const struct rdb_event *ev, struct str key,
                        uint64_t at_ms, const struct payload *payload, struct unit *unit,
                        struct err *err) {
    bool idle = e->how.keeps_idle && ev->key.idle_seconds >= 0;
    bool freq = e->how.keeps_freq && !idle && ev->key.freq >= 0;
    bool absolute = at_ms && e->how.target->has_absttl;
    char *start = unit_room(unit, 128 + resp_size_bulk(key.len), err);
    char *at;

    if (!start)
        return false;
    at = resp_write_array(start, 5u + (absolute ? 1 : 0) + (idle || freq ? 2 : 0));
    at = resp_write_bulk(at, STR_LIT("RESTORE"));
    at = resp_write_bulk(at, key);
    at = resp_write_u64(at, absolute ? at_ms : 0);
    *at++ = '$';
    at = resp_write_decimal(at, rdb_payload_size(payload->value.len));
    memcpy(at, "\r\n", 2);
    at[2] = (char)payload->type;
    unit_fill(unit, (size_t)(at + 3 - start));
    if (!(payload->lasting ? unit_borrow(unit, payload->value, err)
                           : unit_put(unit, payload->value, err)))
        return false;
    start = unit_room(unit, 160, err);
    if (!start)
        return false;
    rdb_payload_footer(payload->type, payload->value, e->how.target->rdb_version, start);
    at = start + RDB_PAYLOAD_FOOTER;
    memcpy(at, "\r\n", 2);
    at = resp_write_bulk(at + 2, STR_LIT("REPLACE"));
    if (absolute)
        at = resp_write_bulk(at, STR_LIT("ABSTTL"));
    if (idle || freq) {
        at = resp_write_bulk(at, idle ? STR_LIT("IDLETIME") : STR_LIT("FREQ"));
        at = resp_write_i64(at, idle ? ev->key.idle_seconds : ev->key.freq);
    }
    unit_fill(unit, (size_t)(at - start));
    unit->commands++;
    return at_ms == 0 || absolute || put_expiry(unit, key, at_ms, err);
}

static bool too_long(const struct copy_encoder *e, uint64_t len, struct err *err) {
    return err_set(err, ERR_TOO_BIG,
                   "a value of %" PRIu64 " bytes, of which the destination takes %" PRIu64
                   " in one argument (proto-max-bulk-len)",
                   len, e->how.bulk_max);
}

static bool put_long_string(struct copy_encoder *e, const struct rdb_event *ev, uint64_t len,
                            bool hinted, int database, struct unit *unit, struct err *err) {
    bool pxat = e->how.target->has_pxat, expires = ev->key.expire_at_ms >= 0;
    uint64_t at_ms, packed = rdb_payload_size(ev->key.value.len);
    struct str key, value;
    /* A long value that is packed travels packed; one that is not is borrowed. */
    bool plain = !hinted && (len <= GROUP_VALUE_MAX ? !expires || pxat : len <= ev->key.value.len);

    if (e->by_commands || (packed > e->how.bulk_max && len <= e->how.bulk_max))
        plain = true;
    if ((plain ? len : packed) > e->how.bulk_max)
        return too_long(e, len, err);
    if (!unit_select(unit, database, err) || !copy_encoder_key(e, ev, &key, err) ||
        !expiry_to_write(e, ev, &at_ms, err))
        return false;
    if (!plain)
        return put_restore(e, ev, key, at_ms,
                           &(struct payload){RDB_TYPE_STRING, ev->key.value, true}, unit, err);
    return rdb_string_decode(ev->key.value, &e->value_scratch, &value, err) &&
           put_set(unit, key, value, value.ptr != e->value_scratch.ptr, pxat ? at_ms : 0, err) &&
           (at_ms == 0 || pxat || put_expiry(unit, key, at_ms, err));
}

static bool put_string(struct copy_encoder *e, const struct rdb_event *ev, int database,
                       struct unit *unit, struct err *err) {
    bool hinted = (e->how.keeps_idle && ev->key.idle_seconds >= 0) ||
                  (e->how.keeps_freq && ev->key.freq >= 0);
    uint64_t len;

    if (!rdb_string_len(ev->key.value, &len, err))
        return false;
    if (ev->key.expire_at_ms < 0 && len <= GROUP_VALUE_MAX && !hinted)
        return put_grouped(e, ev, database, unit, err);
    return put_long_string(e, ev, len, hinted, database, unit, err);
}

/* The value in a form that the destination reads. */
static bool put_transcoded(struct copy_encoder *e, const struct rdb_event *ev, uint8_t to_type,
                           struct str key, uint64_t at_ms, struct unit *unit, struct err *err) {
    struct str none[] = {STR_LIT("DEL"), key};
    struct rdb_transcoded done;
    struct str value;
    bool ok;

    buf_clear(&e->transcoded);
    if (!rdb_transcode(&e->transcoder, ev->key.type, ev->key.value, to_type, &e->transcoded, &done,
                       err))
        return err_wrap(err, "writing a value of type %u as one of type %u", ev->key.type, to_type);
    e->field_expiries_dropped += done.losses;
    value = buf_str(&e->transcoded);
    if (done.empty) /* no key is made of it, and what stood there goes */
        ok = put_words(unit, none, LENGTH_OF(none), err);
    else if (rdb_payload_size(value.len) > e->how.bulk_max)
        ok = too_long(e, value.len, err);
    else
        ok = put_restore(e, ev, key, at_ms, &(struct payload){done.type, value, false}, unit, err);
    if (e->transcoded.cap > TRANSCODED_KEEP)
        buf_done(&e->transcoded);
    return ok;
}

static bool begin_pieces(struct copy_encoder *e, const struct rdb_event *ev, int database,
                         struct str key, uint64_t at_ms, struct unit *unit, struct err *err) {
    const struct copy_piece_value value = {
        .key = key,
        .value = ev->key.value,
        .type = ev->key.type,
        .database = database,
        .expire_at_ms = at_ms,
        .fields_expire = !e->how.target->held && rdb_type_has_field_expiry(e->vendor, ev->key.type),
    };

    return copy_pieces_begin(&e->pieces, &value, unit, err);
}

/* Whose value it is belongs into an error, be it ours or the destination's. */
static void note_module(struct copy_encoder *e, const struct rdb_event *ev) {
    uint64_t module;

    if (ev->key.type == RDB_TYPE_MODULE_2 && rdb_len_read(ev->key.value, &module) > 0)
        rdb_module_name(module, e->module);
}

static bool impossible(struct copy_encoder *e, const struct rdb_event *ev, const char *why,
                       struct err *err) {
    note_module(e, ev);
    if (ev->key.type == RDB_TYPE_MODULE_2)
        return err_set(err, ERR_DEST_RESTORE, "a value of module %s: %s", e->module, why);
    return err_set(err, ERR_DEST_RESTORE, "a value of type %u: %s", ev->key.type, why);
}

/* A large stream goes whole while it can: commands lose a part of it. */
static bool goes_in_pieces(const struct copy_encoder *e, const struct rdb_event *ev,
                           const struct rdb_accept *way) {
    enum rdb_kind kind = rdb_type_kind(e->vendor, ev->key.type);
    uint64_t len = ev->key.value.len;

    if (kind == RDB_KIND_MODULE || kind == RDB_KIND_ARRAY)
        return false;
    return way->way == RDB_WAY_COMMANDS || e->by_commands ||
           rdb_payload_size(len) > e->how.bulk_max ||
           (len > e->how.piece_min && (kind != RDB_KIND_STREAM || way->way == RDB_WAY_TRANSCODE));
}

bool copy_encoder_put(struct copy_encoder *e, const struct rdb_event *ev, int database,
                      struct unit *unit, struct err *err) {
    const struct rdb_accept *way;
    struct str key;
    uint64_t at_ms;

    if (ev->key.type == RDB_TYPE_STRING)
        return put_string(e, ev, database, unit, err);
    if (ev->key.type >= COPY_TYPES)
        return impossible(e, ev, "Values of this type are not known.", err);
    way = &e->ways[ev->key.type];
    if (way->way == RDB_WAY_IMPOSSIBLE)
        return impossible(e, ev, way->why, err);
    if (!unit_select(unit, database, err) || !copy_encoder_key(e, ev, &key, err) ||
        !expiry_to_write(e, ev, &at_ms, err))
        return false;
    if (goes_in_pieces(e, ev, way))
        return begin_pieces(e, ev, database, key, at_ms, unit, err);
    if (rdb_payload_size(ev->key.value.len) > e->how.bulk_max)
        return too_long(e, ev->key.value.len, err);
    note_module(e, ev);
    if (way->way == RDB_WAY_TRANSCODE ||
        (way->counts_entries &&
         !rdb_stream_entries_match(&e->transcoder.entries, ev->key.type, ev->key.value)))
        return put_transcoded(e, ev, way->type, key, at_ms, unit, err);
    return put_restore(e, ev, key, at_ms, &(struct payload){ev->key.type, ev->key.value, true},
                       unit, err);
}

bool copy_encoder_fill(struct copy_encoder *e, size_t limit, struct unit *unit, struct err *err) {
    if (!copy_pieces_fill(&e->pieces, limit, unit, err))
        return false;
    if (!copy_encoder_in_pieces(e))
        e->field_expiries_dropped += e->pieces.commands.losses;
    return true;
}

bool copy_encoder_put_code(struct copy_encoder *e, const char *command, const char *verb,
                           const char *option, struct str raw, struct unit *unit, struct err *err) {
    struct str argv[4] = {str_from(command), str_from(verb)}, source;
    size_t argc = 2;

    if (!rdb_string_decode(raw, &e->value_scratch, &source, err))
        return false;
    if (option)
        argv[argc++] = str_from(option);
    argv[argc++] = source;
    return put_words(unit, argv, argc, err);
}
