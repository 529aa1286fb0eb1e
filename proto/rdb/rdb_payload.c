#include "proto/rdb/rdb_payload.h"

#include "proto/base/bytes.h"
#include "proto/crc/crc64.h"
#include "proto/rdb/rdb_walk.h"

enum { KEY_META = 243 };

void rdb_payload_footer(uint8_t type, struct str value, uint16_t version,
                        char ret_footer[RDB_PAYLOAD_FOOTER]) {
    uint64_t crc = crc64_update(crc64_update(0, &type, 1), value.ptr, value.len);

    store_le16(ret_footer, version);
    store_le64(ret_footer + 2, crc64_update(crc, ret_footer, 2));
}

void rdb_payload_footer_unsummed(uint16_t version, char ret_footer[RDB_PAYLOAD_FOOTER]) {
    store_le16(ret_footer, version);
    store_le64(ret_footer + 2, 0);
}

/* How many bytes of key metadata stand before the type byte. */
static bool meta_len(struct str body, size_t *ret_len) {
    struct rdb_walk walk;
    uint64_t need;
    size_t at = 1;

    *ret_len = 0;
    if ((uint8_t)body.ptr[0] != KEY_META)
        return true;
    rdb_walk_init(&walk, "(4m)");
    if (rdb_walk_on(&walk, body, &at, &need) != RDB_WALK_DONE || at == body.len)
        return false;
    *ret_len = at;
    return true;
}

bool rdb_payload_parse(struct str payload, struct rdb_payload *ret, struct err *err) {
    struct str body;
    const char *footer;
    uint64_t stored;
    size_t meta;

    if (payload.len < RDB_PAYLOAD_EXTRA + 1)
        return err_set(err, ERR_RDB_CORRUPT, "a payload of %zu bytes is too short", payload.len);
    body = str_first(payload, payload.len - RDB_PAYLOAD_FOOTER);
    footer = payload.ptr + body.len;
    stored = load_le64(footer + 2);
    if (stored != 0 && stored != crc64_update(0, payload.ptr, body.len + 2))
        return err_set(err, ERR_RDB_CORRUPT, "the checksum of a payload of %zu bytes is wrong",
                       payload.len);
    if (!meta_len(body, &meta))
        return err_set(err, ERR_RDB_CORRUPT, "the key metadata of a payload is damaged");
    ret->meta = str_first(body, meta);
    ret->type = (uint8_t)body.ptr[meta];
    ret->value = str_skip(body, meta + 1);
    ret->version = load_le16(footer);
    ret->summed = stored != 0;
    return true;
}
