#include "proto/rdb/rdb_transcode_hash.h"

#include <inttypes.h>

#include "proto/base/bytes.h"
#include "proto/command/held_expiry.h"
#include "proto/rdb/rdb_string.h"
#include "proto/rdb/rdb_write.h"

bool rdb_field_expiry_write(enum rdb_field_expiry fields, uint64_t extend_ms, enum rdb_vendor to,
                            uint64_t at_ms, uint64_t *ret_ms, struct err *err) {
    uint64_t written = at_ms;

    if (fields == RDB_FIELDS_SETTLE)
        written = held_expiry_settle(at_ms);
    else if (at_ms && fields == RDB_FIELDS_EXTEND)
        written = at_ms + extend_ms;
    else if (at_ms && fields == RDB_FIELDS_HOLD && !held_expiry_hold(at_ms, &written))
        return err_set(
            err, ERR_RDB_UNSUPPORTED,
            "an expiry of a field at %" PRIu64 " ms lies where held expiries are written", at_ms);
    if (to == RDB_REDIS && written > RDB_FIELD_EXPIRY_MAX_MS)
        return err_set(err, ERR_DEST_RESTORE,
                       "an expiry of a field at %" PRIu64 " ms is beyond what Redis can hold",
                       written);
    *ret_ms = written;
    return true;
}

/* Type 25 keeps its fields in the order of their expiry, those without one last. Times
 * that stay in order, and as wide as they were, are changed where they stand.
 * *ret_in_place is false when one did not; `out` then holds rubbish. */
static bool put_packed_in_place(struct rdb_transcoder *t, struct str value, struct buf *out,
                                bool *ret_in_place, struct err *err) {
    enum { INT64_FORM = 0xf4, FIELD_SIZE = 3 };
    struct str rest = str_skip(value, 8), raw, blob;
    struct packed_value element;
    uint64_t least = 0, before = 0, at_ms;
    enum packed_next next;
    struct listpack lp;
    size_t least_at = out->len, blob_at;

    *ret_in_place = false;
    if (value.len < 8 || !rdb_take_str(&rest, &raw) || rest.len > 0)
        return err_set(err, ERR_RDB_CORRUPT, "a hash of %zu bytes is damaged", value.len);
    if (!rdb_string_decode(raw, &t->elements.blob, &blob, err) || !listpack_open(&lp, blob, err) ||
        !rdb_put_u64(out, 0, err) || !rdb_put_str(out, blob, err))
        return false;
    blob_at = out->len - blob.len;
    for (unsigned i = 0;; i = (i + 1) % FIELD_SIZE) {
        const char *at = lp.rest.ptr;

        next = listpack_next(&lp, &element);
        if (next == PACKED_END && i == 0)
            break;
        if (next != PACKED_VALUE)
            return err_set(err, ERR_RDB_CORRUPT, "a packed hash is damaged");
        if (i != FIELD_SIZE - 1)
            continue;
        if (!element.is_number || element.number < 0)
            return err_set(err, ERR_RDB_CORRUPT, "a field's expiry is no time");
        if (element.number == 0) {
            before = UINT64_MAX;
            continue;
        }
        if (!rdb_field_expiry_write(t->fields, t->extend_ms, t->to, (uint64_t)element.number,
                                    &at_ms, err))
            return false;
        if ((uint8_t)*at != INT64_FORM || at_ms < before || at_ms <= INT32_MAX)
            return true;
        store_le64(out->ptr + blob_at + (size_t)(at - blob.ptr) + 1, at_ms);
        least = least ? least : at_ms;
        before = at_ms;
    }
    store_le64(out->ptr + least_at, least);
    *ret_in_place = true;
    return true;
}

/* The least expiry as it will be written; 0: no field has one. */
static bool find_least(struct rdb_transcoder *t, uint64_t *ret_least, struct err *err) {
    struct rdb_element element;
    enum packed_next next;
    uint64_t at_ms;

    *ret_least = 0;
    while ((next = rdb_elements_next(&t->elements, &element, err)) == PACKED_VALUE) {
        if (!rdb_field_expiry_write(t->fields, t->extend_ms, t->to, element.expire_at_ms, &at_ms,
                                    err))
            return false;
        if (at_ms && (*ret_least == 0 || at_ms < *ret_least))
            *ret_least = at_ms;
    }
    return next == PACKED_END;
}

/* `type` is what is written: 4, 24 or Valkey's 22. Times of 24 count from `least`. */
static bool put_field(struct rdb_transcoder *t, const struct rdb_element *element, uint8_t type,
                      uint64_t least, struct buf *out, struct err *err) {
    uint64_t at_ms;

    if (!rdb_field_expiry_write(t->fields, t->extend_ms, t->to, element->expire_at_ms, &at_ms, err))
        return false;
    if (type == RDB_TYPE_HASH_METADATA && !rdb_put_len(out, at_ms ? at_ms - least + 1 : 0, err))
        return false;
    return rdb_transcode_put_piece(out, &element->name, err) &&
           rdb_transcode_put_piece(out, &element->value, err) &&
           (type != RDB_TYPE_VALKEY_HASH_2 || rdb_put_u64(out, at_ms ? at_ms : UINT64_MAX, err));
}

static bool put_fields(struct rdb_transcoder *t, uint8_t type, uint64_t least, struct buf *out,
                       bool *ret_empty, struct err *err) {
    struct rdb_element element;
    enum packed_next next;
    uint64_t count = 0;
    size_t count_at;

    if (type == RDB_TYPE_HASH_METADATA && !rdb_put_u64(out, least, err))
        return false;
    if (!rdb_put_len_later(out, &count_at, err))
        return false;
    while ((next = rdb_elements_next(&t->elements, &element, err)) == PACKED_VALUE) {
        if (!put_field(t, &element, type, least, out, err))
            return false;
        count++;
    }
    if (next == PACKED_WRONG)
        return false;
    if (count > UINT32_MAX)
        return err_set(err, ERR_TOO_BIG, "a hash of more than %u fields", UINT32_MAX);
    rdb_set_len(out, count_at, (uint32_t)count);
    *ret_empty = count == 0;
    return true;
}

bool rdb_transcode_hash(struct rdb_transcoder *t, uint8_t type, struct str value, struct buf *out,
                        struct rdb_transcoded *ret, struct err *err) {
    size_t before = out->len;
    bool in_place = false;
    uint64_t least;

    if (type == RDB_TYPE_HASH_LISTPACK_EX && ret->type == type) {
        if (!put_packed_in_place(t, value, out, &in_place, err) || in_place)
            return in_place;
        out->len = before;
    }
    if (!rdb_elements_open(&t->elements, t->from, type, value, t->templates, err))
        return false;
    if (t->elements.kind != RDB_KIND_HASH)
        return err_set(err, ERR_RDB_UNSUPPORTED, "type %u does not become type %u", type,
                       ret->type);
    if (!find_least(t, &least, err) ||
        !rdb_elements_open(&t->elements, t->from, type, value, t->templates, err))
        return false;
    ret->type = least == 0            ? RDB_TYPE_HASH
                : t->to == RDB_VALKEY ? RDB_TYPE_VALKEY_HASH_2
                                      : RDB_TYPE_HASH_METADATA;
    return put_fields(t, ret->type, least, out, &ret->empty, err);
}
