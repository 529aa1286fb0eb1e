#include "proto/rdb/rdb_compose.h"

#include "proto/base/bytes.h"
#include "proto/crc/crc64.h"
#include "proto/rdb/rdb_payload.h"
#include "proto/rdb/rdb_record.h"
#include "proto/rdb/rdb_write.h"

enum { EMPTY_VERSION = 9 };

static bool put_byte(struct buf *b, uint8_t byte, struct err *err) {
    return buf_append(b, str_of(&byte, 1), err);
}

static bool put_magic(struct rdb_composer *c, struct buf *b, uint32_t version, struct err *err) {
    bool valkey = version >= RDB_COMPOSE_VALKEY_FROM;

    if (version == 0 || version > RDB_COMPOSE_VERSION_MAX)
        return err_set(err, ERR_PROTOCOL, "a payload of version %u", (unsigned)version);
    if (c->version != 0 && version != c->version)
        return err_set(err, ERR_PROTOCOL, "a payload of version %u among those of version %u",
                       (unsigned)version, (unsigned)c->version);
    if (c->version != 0)
        return true;
    if (!buf_printf(b, err, valkey ? "VALKEY%03u" : "REDIS%04u", (unsigned)version))
        return false;
    c->version = version;
    return true;
}

static bool put_key(struct rdb_composer *c, struct buf *b, const struct rdb_compose_key *key,
                    const struct rdb_payload *payload, struct err *err) {
    if (!put_magic(c, b, payload->version, err))
        return false;
    if ((!c->in_database || c->db != key->db) &&
        (!put_byte(b, RDB_OP_SELECTDB, err) || !rdb_put_len(b, key->db, err)))
        return false;
    c->in_database = true;
    c->db = key->db;
    if (key->expire_at_ms >= 0 &&
        (!put_byte(b, RDB_OP_EXPIRE_MS, err) || !rdb_put_u64(b, (uint64_t)key->expire_at_ms, err)))
        return false;
    return buf_append(b, payload->meta, err) && put_byte(b, payload->type, err) &&
           rdb_put_str(b, key->key, err);
}

bool rdb_compose_key(struct rdb_composer *c, struct buf *b, const struct rdb_compose_key *key,
                     struct str *ret_value, struct err *err) {
    struct rdb_composer next = *c;
    struct rdb_payload payload;
    size_t before = b->len;

    if (!rdb_payload_parse(key->payload, &payload, err))
        return false;
    if (!put_key(&next, b, key, &payload, err)) {
        b->len = before;
        return false;
    }
    *c = next;
    *ret_value = payload.value;
    return true;
}

/* The records of a payload of functions have no type byte before them, and there may
 * be none at all. */
static bool take_functions(struct str payload, struct str *ret_records, uint16_t *ret_version,
                           struct err *err) {
    const char *footer;
    uint64_t stored;

    if (payload.len < RDB_PAYLOAD_FOOTER)
        return err_set(err, ERR_RDB_CORRUPT, "a payload of functions of %zu bytes is too short",
                       payload.len);
    *ret_records = str_first(payload, payload.len - RDB_PAYLOAD_FOOTER);
    footer = payload.ptr + ret_records->len;
    *ret_version = load_le16(footer);
    stored = load_le64(footer + 2);
    if (stored != 0 && stored != crc64_update(0, payload.ptr, ret_records->len + 2))
        return err_set(err, ERR_RDB_CORRUPT, "the checksum of the functions is wrong");
    if (ret_records->len > 0 && (uint8_t)ret_records->ptr[0] != RDB_OP_FUNCTION2)
        return err_set(err, ERR_RDB_CORRUPT, "a payload of functions holds something else");
    return true;
}

bool rdb_compose_functions(struct rdb_composer *c, struct buf *b, struct str payload,
                           struct err *err) {
    struct rdb_composer next = *c;
    struct str records;
    size_t before = b->len;
    uint16_t version = 0;

    if (!take_functions(payload, &records, &version, err))
        return false;
    if (!put_magic(&next, b, version, err) || !buf_append(b, records, err)) {
        b->len = before;
        return false;
    }
    *c = next;
    return true;
}

bool rdb_compose_end(struct rdb_composer *c, struct buf *b, struct err *err) {
    struct rdb_composer next = *c;
    size_t before = b->len;

    if (!put_magic(&next, b, c->version ? c->version : EMPTY_VERSION, err) ||
        !put_byte(b, RDB_OP_EOF, err) || !rdb_put_u64(b, 0, err)) {
        b->len = before;
        return false;
    }
    *c = next;
    return true;
}
