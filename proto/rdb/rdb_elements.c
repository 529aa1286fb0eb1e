#include "proto/rdb/rdb_elements.h"

#include <math.h>
#include <stdlib.h>

#include "proto/base/bytes.h"
#include "proto/rdb/rdb_string.h"

enum { NUMBERED_ALIKE = -1 };

/* One row per encoding. */
struct rdb_layout {
    uint8_t type;
    int vendor; /* enum rdb_vendor, or NUMBERED_ALIKE */
    enum rdb_kind kind;
    enum {
        STRINGS, /* a count of elements, then their strings */
        BLOB,    /* one packed blob */
        BLOBS,   /* a count of them */
        NODES,   /* a count; each is told to be packed or one long string */
        INLINE,  /* fields (packed or not), then values */
        REFERS,  /* fields are in a template */
    } shape;
    enum rdb_packing packing;
    enum { NO_SCORE, ASCII_SCORE, BINARY_SCORE } score; /* packed ones are elements */
    enum {
        NO_EXPIRY,
        COUNTED_BEFORE, /* a length before the field, from the least of them on */
        LENGTH_BEFORE,  /* a length before the field */
        MS_BEHIND,      /* 8 bytes behind the value, -1: none */
        PACKED_BEHIND,  /* the third element of each packed field */
    } expiry;
    bool has_least; /* 8 bytes before everything: the least expiry, 0: none */
};

static const struct rdb_layout layouts[] = {
    {1, NUMBERED_ALIKE, RDB_KIND_LIST, STRINGS, RDB_PACKING_NONE, 0, 0, false},
    {2, NUMBERED_ALIKE, RDB_KIND_SET, STRINGS, RDB_PACKING_NONE, 0, 0, false},
    {3, NUMBERED_ALIKE, RDB_KIND_ZSET, STRINGS, RDB_PACKING_NONE, ASCII_SCORE, 0, false},
    {4, NUMBERED_ALIKE, RDB_KIND_HASH, STRINGS, RDB_PACKING_NONE, 0, 0, false},
    {5, NUMBERED_ALIKE, RDB_KIND_ZSET, STRINGS, RDB_PACKING_NONE, BINARY_SCORE, 0, false},
    {9, NUMBERED_ALIKE, RDB_KIND_HASH, BLOB, RDB_PACKING_ZIPMAP, 0, 0, false},
    {10, NUMBERED_ALIKE, RDB_KIND_LIST, BLOB, RDB_PACKING_ZIPLIST, 0, 0, false},
    {11, NUMBERED_ALIKE, RDB_KIND_SET, BLOB, RDB_PACKING_INTSET, 0, 0, false},
    {12, NUMBERED_ALIKE, RDB_KIND_ZSET, BLOB, RDB_PACKING_ZIPLIST, 0, 0, false},
    {13, NUMBERED_ALIKE, RDB_KIND_HASH, BLOB, RDB_PACKING_ZIPLIST, 0, 0, false},
    {14, NUMBERED_ALIKE, RDB_KIND_LIST, BLOBS, RDB_PACKING_ZIPLIST, 0, 0, false},
    {16, NUMBERED_ALIKE, RDB_KIND_HASH, BLOB, RDB_PACKING_LISTPACK, 0, 0, false},
    {17, NUMBERED_ALIKE, RDB_KIND_ZSET, BLOB, RDB_PACKING_LISTPACK, 0, 0, false},
    {18, NUMBERED_ALIKE, RDB_KIND_LIST, NODES, RDB_PACKING_LISTPACK, 0, 0, false},
    {20, NUMBERED_ALIKE, RDB_KIND_SET, BLOB, RDB_PACKING_LISTPACK, 0, 0, false},
    {22, RDB_REDIS, RDB_KIND_HASH, STRINGS, RDB_PACKING_NONE, 0, LENGTH_BEFORE, false},
    {22, RDB_VALKEY, RDB_KIND_HASH, STRINGS, RDB_PACKING_NONE, 0, MS_BEHIND, false},
    {23, RDB_REDIS, RDB_KIND_HASH, BLOB, RDB_PACKING_LISTPACK, 0, PACKED_BEHIND, false},
    {24, NUMBERED_ALIKE, RDB_KIND_HASH, STRINGS, RDB_PACKING_NONE, 0, COUNTED_BEFORE, true},
    {25, NUMBERED_ALIKE, RDB_KIND_HASH, BLOB, RDB_PACKING_LISTPACK, 0, PACKED_BEHIND, true},
    {29, NUMBERED_ALIKE, RDB_KIND_HASH, INLINE, RDB_PACKING_LISTPACK, 0, 0, false},
    {30, RDB_REDIS, RDB_KIND_HASH, REFERS, RDB_PACKING_LISTPACK, 0, 0, false},
    {31, NUMBERED_ALIKE, RDB_KIND_HASH, INLINE, RDB_PACKING_NONE, 0, 0, false},
    {32, RDB_REDIS, RDB_KIND_HASH, REFERS, RDB_PACKING_NONE, 0, 0, false},
};

enum { NODE_PLAIN = 1, NODE_PACKED = 2 }; /* of a quicklist */
enum { FIELDS_PACKED, FIELDS_STRINGS };   /* of an inline template */
enum { NAN_SCORE = 253, PLUS_INFINITY = 254, MINUS_INFINITY = 255 };
enum { SCORE_DIGITS_MAX = 256 };

bool rdb_piece_text(const struct rdb_piece *piece, struct buf *scratch, char room[PACKED_DIGITS],
                    struct str *ret, struct err *err) {
    if (piece->is_raw)
        return rdb_string_decode(piece->raw, scratch, ret, err);
    *ret = packed_value_text(&piece->packed, room);
    return true;
}

void rdb_elements_init(struct rdb_elements *e, size_t blob_max) {
    *e = (struct rdb_elements){.blob = BUF_INIT(blob_max), .names = BUF_INIT(blob_max)};
}

void rdb_elements_done(struct rdb_elements *e) {
    buf_done(&e->blob);
    buf_done(&e->names);
}

static bool damaged(const struct rdb_elements *e, struct err *err) {
    return err_set(err, ERR_RDB_CORRUPT, "a value of type %u is damaged", e->layout->type);
}

static struct rdb_pieces strings(struct str rest, uint64_t count) {
    return (struct rdb_pieces){.packing = RDB_PACKING_NONE, .rest = rest, .left = count};
}

/* The packed blob that is the string `raw`. */
static bool open_blob(struct rdb_pieces *p, enum rdb_packing packing, struct str raw,
                      struct buf *scratch, struct err *err) {
    struct str blob;

    if (!rdb_string_decode(raw, scratch, &blob, err))
        return false;
    /* A number can be a string, but no blob is so short: it would lie in the scratch. */
    p->packing = packing;
    switch (packing) {
    case RDB_PACKING_LISTPACK:
        return listpack_open(&p->lp, blob, err);
    case RDB_PACKING_ZIPLIST:
        return ziplist_open(&p->zl, blob, err);
    case RDB_PACKING_INTSET:
        return intset_open(&p->set, blob, err);
    case RDB_PACKING_ZIPMAP:
        return zipmap_open(&p->zm, blob, err);
    case RDB_PACKING_NONE:
        break;
    }
    return err_set(err, ERR_INTERNAL, "strings are no blob");
}

static enum packed_next next_piece(struct rdb_pieces *p, struct rdb_piece *ret) {
    ret->is_raw = p->packing == RDB_PACKING_NONE;
    switch (p->packing) {
    case RDB_PACKING_LISTPACK:
        return listpack_next(&p->lp, &ret->packed);
    case RDB_PACKING_ZIPLIST:
        return ziplist_next(&p->zl, &ret->packed);
    case RDB_PACKING_INTSET:
        return intset_next(&p->set, &ret->packed);
    case RDB_PACKING_ZIPMAP:
        return zipmap_next(&p->zm, &ret->packed);
    case RDB_PACKING_NONE:
        break;
    }
    if (p->left == 0)
        return p->rest.len == 0 ? PACKED_END : PACKED_WRONG;
    p->left--;
    return rdb_take_str(&p->rest, &ret->raw) ? PACKED_VALUE : PACKED_WRONG;
}

static bool count_pieces(struct rdb_pieces pieces, uint64_t *ret_count) {
    struct rdb_piece piece;
    enum packed_next next;
    uint64_t count = 0;

    while ((next = next_piece(&pieces, &piece)) == PACKED_VALUE)
        count++;
    *ret_count = count;
    return next == PACKED_END;
}

/* The fields of types 29 and 31 stand before the values. */
static bool open_inline(struct rdb_elements *e, uint64_t *ret_count, struct err *err) {
    struct str raw, start;
    uint64_t form;

    if (!rdb_take_len(&e->rest, &form))
        return damaged(e, err);
    if (form == FIELDS_PACKED)
        return (rdb_take_str(&e->rest, &raw) || damaged(e, err)) &&
               open_blob(&e->fields, RDB_PACKING_LISTPACK, raw, &e->names, err) &&
               (count_pieces(e->fields, ret_count) || damaged(e, err));
    if (form != FIELDS_STRINGS || !rdb_take_len(&e->rest, ret_count))
        return damaged(e, err);
    start = e->rest;
    for (uint64_t i = 0; i < *ret_count; i++) {
        if (!rdb_take_str(&e->rest, &raw))
            return damaged(e, err);
    }
    e->fields = strings(str_first(start, start.len - e->rest.len), *ret_count);
    return true;
}

static bool open_template(struct rdb_elements *e, uint64_t id,
                          const struct rdb_templates *templates, uint64_t *ret_count,
                          struct err *err) {
    struct rdb_template found;

    if (!templates || !rdb_templates_find(templates, id, &found))
        return err_set(err, ERR_RDB_CORRUPT, "a hash refers to a template that is not there");
    e->fields = strings(found.fields, found.count);
    *ret_count = found.count;
    return true;
}

/* Packed values may have the template's number before them; it is no value. */
static bool open_packed_values(struct rdb_elements *e, const struct rdb_templates *templates,
                               uint64_t count, struct err *err) {
    struct rdb_piece first;
    uint64_t values;
    struct str raw;

    if (!rdb_take_str(&e->rest, &raw) || e->rest.len > 0)
        return damaged(e, err);
    if (!open_blob(&e->pieces, RDB_PACKING_LISTPACK, raw, &e->blob, err))
        return false;
    if (!count_pieces(e->pieces, &values))
        return damaged(e, err);
    if (e->layout->shape == REFERS) {
        if (next_piece(&e->pieces, &first) != PACKED_VALUE || !first.packed.is_number)
            return damaged(e, err);
        if (!open_template(e, (uint64_t)first.packed.number, templates, &count, err))
            return false;
        return values == count + 1 || damaged(e, err);
    }
    if (values == count)
        return true;
    return (values == count + 1 && next_piece(&e->pieces, &first) == PACKED_VALUE) ||
           damaged(e, err);
}

static bool open_templated(struct rdb_elements *e, const struct rdb_templates *templates,
                           struct err *err) {
    uint64_t count = 0, id;

    if (e->layout->shape == INLINE && !open_inline(e, &count, err))
        return false;
    if (e->layout->packing == RDB_PACKING_LISTPACK)
        return open_packed_values(e, templates, count, err);
    if (e->layout->shape == REFERS) {
        if (!rdb_take_len(&e->rest, &id))
            return damaged(e, err);
        if (!open_template(e, id, templates, &count, err))
            return false;
    }
    e->pieces = strings(e->rest, count);
    return true;
}

static bool open_next_blob(struct rdb_elements *e, struct err *err) {
    uint64_t container = NODE_PACKED;
    struct str raw;

    e->left--;
    if (e->layout->shape == NODES && !rdb_take_len(&e->rest, &container))
        return damaged(e, err);
    if (!rdb_take_str(&e->rest, &raw) || (container != NODE_PLAIN && container != NODE_PACKED))
        return damaged(e, err);
    if (container == NODE_PLAIN) {
        e->pieces = strings(raw, 1);
        return true;
    }
    return open_blob(&e->pieces, e->layout->packing, raw, &e->blob, err);
}

bool rdb_elements_open(struct rdb_elements *e, enum rdb_vendor vendor, uint8_t type,
                       struct str value, const struct rdb_templates *templates, struct err *err) {
    e->layout = NULL;
    for (size_t i = 0; i < LENGTH_OF(layouts); i++) {
        if (layouts[i].type == type &&
            (layouts[i].vendor == NUMBERED_ALIKE || layouts[i].vendor == (int)vendor))
            e->layout = &layouts[i];
    }
    if (!e->layout)
        return err_set(err, ERR_RDB_UNSUPPORTED, "a value of type %u has no elements", type);
    e->kind = e->layout->kind;
    e->rest = value;
    e->left = 0;
    e->pieces = strings(STR_EMPTY, 0);
    e->min_ms = 0;
    if (e->layout->has_least) {
        if (e->rest.len < 8)
            return damaged(e, err);
        e->min_ms = load_le64(e->rest.ptr);
        e->rest = str_skip(e->rest, 8);
    }
    switch (e->layout->shape) {
    case BLOB:
        e->left = 1;
        return open_next_blob(e, err);
    case STRINGS:
    case BLOBS:
    case NODES:
        return rdb_take_len(&e->rest, &e->left) || damaged(e, err);
    case INLINE:
    case REFERS:
        return open_templated(e, templates, err);
    }
    return err_set(err, ERR_INTERNAL, "a layout without a shape");
}

/* Decimal digits as a double; false when they are none, or not a number. */
static bool parse_score(struct str digits, double *ret) {
    char text[SCORE_DIGITS_MAX + 1];
    char *end;

    if (digits.len == 0 || digits.len > SCORE_DIGITS_MAX)
        return false;
    memcpy(text, digits.ptr, digits.len);
    text[digits.len] = '\0';
    *ret = strtod(text, &end);
    return end == text + digits.len && !isnan(*ret);
}

static bool take_score(struct rdb_elements *e, double *ret) {
    uint64_t bits;
    uint8_t n;

    if (e->layout->score == BINARY_SCORE) {
        if (e->rest.len < 8)
            return false;
        bits = load_le64(e->rest.ptr);
        memcpy(ret, &bits, sizeof(bits));
        e->rest = str_skip(e->rest, 8);
        return !isnan(*ret);
    }
    if (e->rest.len == 0)
        return false;
    n = (uint8_t)e->rest.ptr[0];
    e->rest = str_skip(e->rest, 1);
    if (n >= NAN_SCORE) {
        *ret = n == PLUS_INFINITY ? (double)INFINITY : -(double)INFINITY;
        return n != NAN_SCORE;
    }
    if (n > e->rest.len || !parse_score(str_first(e->rest, n), ret))
        return false;
    e->rest = str_skip(e->rest, n);
    return true;
}

/* A time that is 0 or does not fit is none; servers write neither. */
static bool set_expiry(uint64_t at_ms, struct rdb_element *ret) {
    ret->expire_at_ms = at_ms == 0 ? 1 : at_ms;
    return at_ms <= INT64_MAX;
}

static bool take_expiry_before(struct rdb_elements *e, struct rdb_element *ret) {
    uint64_t ttl, at_ms;

    if (e->layout->expiry != COUNTED_BEFORE && e->layout->expiry != LENGTH_BEFORE)
        return true;
    if (!rdb_take_len(&e->rest, &ttl))
        return false;
    if (ttl == 0)
        return true;
    if (e->layout->expiry == LENGTH_BEFORE)
        return set_expiry(ttl, ret);
    return !__builtin_add_overflow(e->min_ms, ttl - 1, &at_ms) && set_expiry(at_ms, ret);
}

static bool take_expiry_behind(struct rdb_elements *e, struct rdb_element *ret) {
    uint64_t at_ms;

    if (e->layout->expiry != MS_BEHIND)
        return true;
    if (e->rest.len < 8)
        return false;
    at_ms = load_le64(e->rest.ptr);
    e->rest = str_skip(e->rest, 8);
    return at_ms == UINT64_MAX || set_expiry(at_ms, ret);
}

static bool next_of_strings(struct rdb_elements *e, struct rdb_element *ret) {
    ret->name.is_raw = ret->value.is_raw = true;
    e->left--;
    if (!take_expiry_before(e, ret) || !rdb_take_str(&e->rest, &ret->name.raw))
        return false;
    if (e->kind == RDB_KIND_ZSET)
        return take_score(e, &ret->score);
    if (e->kind == RDB_KIND_HASH)
        return rdb_take_str(&e->rest, &ret->value.raw) && take_expiry_behind(e, ret);
    return true;
}

/* What stands behind a packed name. */
static bool rest_of_packed(struct rdb_elements *e, struct rdb_element *ret) {
    struct rdb_piece piece;

    if (e->kind != RDB_KIND_ZSET && e->kind != RDB_KIND_HASH)
        return true;
    if (next_piece(&e->pieces, &ret->value) != PACKED_VALUE)
        return false;
    if (e->kind == RDB_KIND_ZSET) {
        ret->score = (double)ret->value.packed.number;
        return ret->value.packed.is_number || parse_score(ret->value.packed.bytes, &ret->score);
    }
    if (e->layout->expiry != PACKED_BEHIND)
        return true;
    if (next_piece(&e->pieces, &piece) != PACKED_VALUE || !piece.packed.is_number ||
        piece.packed.number < 0)
        return false;
    return piece.packed.number == 0 || set_expiry((uint64_t)piece.packed.number, ret);
}

static enum packed_next wrong(const struct rdb_elements *e, struct err *err) {
    damaged(e, err);
    return PACKED_WRONG;
}

enum packed_next rdb_elements_next(struct rdb_elements *e, struct rdb_element *ret,
                                   struct err *err) {
    enum packed_next next;

    ret->expire_at_ms = 0;
    ret->score = 0;
    if (e->layout->shape == STRINGS) {
        if (e->left == 0)
            return e->rest.len == 0 ? PACKED_END : wrong(e, err);
        return next_of_strings(e, ret) ? PACKED_VALUE : wrong(e, err);
    }
    if (e->layout->shape == INLINE || e->layout->shape == REFERS) {
        next = next_piece(&e->fields, &ret->name);
        if (next == PACKED_WRONG || next_piece(&e->pieces, &ret->value) != next)
            return wrong(e, err);
        return next;
    }
    while ((next = next_piece(&e->pieces, &ret->name)) == PACKED_END) {
        if (e->left == 0)
            return e->rest.len == 0 ? PACKED_END : wrong(e, err);
        if (!open_next_blob(e, err))
            return PACKED_WRONG;
    }
    return next == PACKED_VALUE && rest_of_packed(e, ret) ? PACKED_VALUE : wrong(e, err);
}
