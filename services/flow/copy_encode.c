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
};

void copy_encoder_init(struct copy_encoder *e, const struct command_target *target,
                       bool has_hints) {
    *e = (struct copy_encoder){
        .target = target,
        .has_hints = has_hints,
        .key_scratch = BUF_INIT(KEY_MAX),
        .value_scratch = BUF_INIT(STRING_MAX),
    };
    for (unsigned i = 0; i < LENGTH_OF(e->scratch); i++)
        e->scratch[i] = BUF_INIT(i % 2 == 0 ? KEY_MAX : GROUP_VALUE_MAX);
}

void copy_encoder_done(struct copy_encoder *e) {
    for (unsigned i = 0; i < LENGTH_OF(e->scratch); i++)
        buf_done(&e->scratch[i]);
    buf_done(&e->key_scratch);
    buf_done(&e->value_scratch);
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
    if (!e->target->held) {
        *ret_ms = at == 0 ? 1 : (uint64_t)at;
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

/* RESTORE key ttl payload REPLACE [ABSTTL] [IDLETIME s | FREQ n] */
static bool put_restore(struct copy_encoder *e, const struct rdb_event *ev, struct str key,
                        uint64_t at_ms, struct unit *unit, struct err *err) {
    bool idle = e->has_hints && ev->key.idle_seconds >= 0;
    bool freq = e->has_hints && !idle && ev->key.freq >= 0;
    char *start = unit_room(unit, 128 + resp_size_bulk(key.len), err);
    char *at;

    if (!start)
        return false;
    at = resp_write_array(start, 5u + (at_ms ? 1 : 0) + (idle || freq ? 2 : 0));
    at = resp_write_bulk(at, STR_LIT("RESTORE"));
    at = resp_write_bulk(at, key);
    at = resp_write_u64(at, at_ms);
    *at++ = '$';
    at = resp_write_decimal(at, rdb_payload_size(ev->key.value.len));
    memcpy(at, "\r\n", 2);
    at[2] = (char)ev->key.type;
    unit_fill(unit, (size_t)(at + 3 - start));
    if (!unit_borrow(unit, ev->key.value, err))
        return false;
    start = unit_room(unit, 160, err);
    if (!start)
        return false;
    rdb_payload_footer(ev->key.type, ev->key.value, e->target->rdb_version, start);
    at = start + RDB_PAYLOAD_FOOTER;
    memcpy(at, "\r\n", 2);
    at = resp_write_bulk(at + 2, STR_LIT("REPLACE"));
    if (at_ms)
        at = resp_write_bulk(at, STR_LIT("ABSTTL"));
    if (idle || freq) {
        at = resp_write_bulk(at, idle ? STR_LIT("IDLETIME") : STR_LIT("FREQ"));
        at = resp_write_i64(at, idle ? ev->key.idle_seconds : ev->key.freq);
    }
    unit_fill(unit, (size_t)(at - start));
    unit->commands++;
    return true;
}

static bool put_single(struct copy_encoder *e, const struct rdb_event *ev, bool as_string,
                       int database, struct unit *unit, struct err *err) {
    struct str key, value;
    uint64_t at_ms;

    if (!unit_select(unit, database, err) || !copy_encoder_key(e, ev, &key, err) ||
        !expiry_to_write(e, ev, &at_ms, err))
        return false;
    if (!as_string)
        return put_restore(e, ev, key, at_ms, unit, err);
    return rdb_string_decode(ev->key.value, &e->value_scratch, &value, err) &&
           put_set(unit, key, value, value.ptr != e->value_scratch.ptr, at_ms, err);
}

bool copy_encoder_put(struct copy_encoder *e, const struct rdb_event *ev, int database,
                      struct unit *unit, struct err *err) {
    bool expires = ev->key.expire_at_ms >= 0;
    bool hinted = e->has_hints && (ev->key.idle_seconds >= 0 || ev->key.freq >= 0);
    uint64_t len;

    if (ev->key.value.len > STRING_MAX - RDB_PAYLOAD_EXTRA)
        return err_set(err, ERR_UNIT_TOO_LARGE, "a value of %zu bytes", ev->key.value.len);
    if (ev->key.type == RDB_TYPE_STRING && !hinted) {
        if (!rdb_string_len(ev->key.value, &len, err))
            return false;
        if (!expires && len <= GROUP_VALUE_MAX)
            return put_grouped(e, ev, database, unit, err);
        /* A long value that is packed travels packed; one that is not is borrowed. */
        if ((!expires || e->target->has_pxat) &&
            (len <= GROUP_VALUE_MAX || len <= ev->key.value.len))
            return put_single(e, ev, true, database, unit, err);
    }
    if (!rdb_type_is_dumpable(e->vendor, ev->key.type))
        return err_set(err, ERR_RDB_UNSUPPORTED, "a value of type %u cannot be restored",
                       ev->key.type);
    return put_single(e, ev, false, database, unit, err);
}

bool copy_encoder_put_code(struct copy_encoder *e, const char *command, const char *verb,
                           const char *option, struct str raw, struct unit *unit, struct err *err) {
    struct str argv[4] = {str_from(command), str_from(verb)}, source;
    size_t argc = 2;
    size_t before;

    if (!rdb_string_decode(raw, &e->value_scratch, &source, err))
        return false;
    if (option)
        argv[argc++] = str_from(option);
    argv[argc++] = source;
    /* Copied, not borrowed: the scratch is used again before the unit is gone. */
    before = unit->own.len;
    if (!resp_put_command(&unit->own, argc, argv, err) || !unit_added(unit, before, err))
        return false;
    unit->commands++;
    return true;
}
