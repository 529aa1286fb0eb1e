#include "proto/rdb/rdb_parser.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/base/bytes.h"
#include "proto/crc/crc64.h"
#include "proto/rdb/rdb_record.h"
#include "proto/rdb/rdb_string.h"

enum stage {
    STAGE_MAGIC,
    STAGE_OPCODE,    /* an opcode or a type comes next */
    STAGE_ATTRIBUTE, /* inside something that belongs to the next key */
    STAGE_KEY,       /* inside a key's name */
    STAGE_TEMPLATE,  /* inside the number of a hash's template */
    STAGE_BODY,      /* inside a value or the rest of any other record */
    STAGE_FINISHED,
};

enum { MAGIC_LEN = 9 };

/* Forget what belonged to the last record. */
static void begin_record(struct rdb_parser *p) {
    p->stage = STAGE_OPCODE;
    p->walked = 0;
    p->need = 1;
    p->attributes = false;
    p->expire_at_ms = p->idle_seconds = p->freq = -1;
    p->meta_at = p->meta_len = 0;
    p->crc_walked = 0;
}

void rdb_parser_init(struct rdb_parser *p) {
    *p = (struct rdb_parser){.crc_enabled = true, .size = UINT64_MAX};
    begin_record(p);
    p->stage = STAGE_MAGIC;
    p->need = MAGIC_LEN;
}

void rdb_parser_set_size(struct rdb_parser *p, uint64_t file_bytes) {
    p->size = file_bytes;
}

void rdb_parser_use_templates(struct rdb_parser *p, const struct rdb_templates *templates) {
    p->templates = templates;
}

void rdb_parser_skip_crc(struct rdb_parser *p) {
    p->crc_enabled = false;
    p->crc = p->crc_ahead = 0;
}

struct rdb_mark rdb_parser_mark(const struct rdb_parser *p) {
    return (struct rdb_mark){
        .offset = p->offset,
        .crc = p->crc,
        .db = p->db,
        .version = p->version,
        .vendor = p->vendor,
        .crc_enabled = p->crc_enabled,
    };
}

struct rdb_mark rdb_parser_mark_before(const struct rdb_parser *p, const struct rdb_event *ev) {
    struct rdb_mark mark = rdb_parser_mark(p);

    mark.offset = ev->offset;
    mark.crc = p->crc_last;
    return mark;
}

void rdb_parser_resume(struct rdb_parser *p, const struct rdb_mark *mark) {
    rdb_parser_init(p);
    p->crc_enabled = mark->crc_enabled;
    if (mark->offset == 0)
        return;
    begin_record(p);
    p->offset = mark->offset;
    p->crc = p->crc_ahead = mark->crc;
    p->db = mark->db;
    p->version = mark->version;
    p->vendor = mark->vendor;
}

/* Bring the running checksum up to `end`, counted from the record's start. */
static void sum_up_to(struct rdb_parser *p, struct str view, size_t end) {
    if (!p->crc_enabled || end <= p->crc_walked)
        return;
    p->crc_ahead = crc64_update(p->crc_ahead, view.ptr + p->crc_walked, end - p->crc_walked);
    p->crc_walked = end;
}

static bool corrupt(const struct rdb_parser *p, size_t at, const char *what, struct err *err) {
    return err_set(err, ERR_RDB_CORRUPT, "%s at offset %" PRIu64 " of the snapshot (database %u)",
                   what, p->offset + at, p->db);
}

bool rdb_parser_cut_short(const struct rdb_parser *p, size_t view_len, struct err *err) {
    if (p->version == 0)
        return err_set(err, ERR_RDB_CORRUPT, "the snapshot ends after %zu bytes, within its magic",
                       view_len);
    return err_set(err, ERR_RDB_CORRUPT,
                   "the snapshot ends at offset %" PRIu64
                   ", within the record that began at offset %" PRIu64 " (database %u)",
                   p->offset + view_len, p->offset, p->db);
}

static enum rdb_pull wait_for(struct rdb_parser *p, struct str view, uint64_t need,
                              struct err *err) {
    if (p->offset > p->size || need > p->size - p->offset) {
        (void)err_set(err, ERR_RDB_CORRUPT,
                      "the record at offset %" PRIu64 " of the snapshot reaches offset %" PRIu64
                      " or beyond, but the snapshot ends at offset %" PRIu64 " (database %u)",
                      p->offset, p->offset + need, p->size, p->db);
        return RDB_WRONG;
    }
    p->need = need;
    /* Everything in view belongs to the record that is not whole yet, except
     * that the stored checksum does not cover itself. */
    sum_up_to(p, view, p->stage == STAGE_BODY && p->opcode == RDB_OP_EOF ? p->body_at : view.len);
    return RDB_NEED_MORE;
}

/* The record is whole: move behind it. */
static enum rdb_pull deliver(struct rdb_parser *p, struct rdb_event *ev, enum rdb_event_kind kind) {
    ev->kind = kind;
    ev->offset = p->offset;
    ev->size = p->walked;
    p->offset += p->walked;
    p->crc_last = p->crc;
    p->crc = p->crc_ahead;
    begin_record(p);
    return RDB_EVENT;
}

static enum rdb_pull read_magic(struct rdb_parser *p, struct str view, struct rdb_event *ev,
                                struct err *err) {
    struct str magic = str_first(view, MAGIC_LEN);
    enum rdb_vendor vendor;
    uint64_t version;
    struct str digits;

    if (view.len < MAGIC_LEN)
        return wait_for(p, view, MAGIC_LEN, err);
    if (str_starts_with(magic, STR_LIT("VALKEY"))) {
        vendor = RDB_VALKEY;
        digits = str_skip(magic, 6);
    } else if (str_starts_with(magic, STR_LIT("REDIS"))) {
        vendor = RDB_REDIS;
        digits = str_skip(magic, 5);
    } else {
        (void)err_set(err, ERR_RDB_CORRUPT,
                      "not a snapshot: it begins with neither REDIS nor"
                      " VALKEY at offset 0");
        return RDB_WRONG;
    }
    if (!str_parse_u64(digits, &version) || version == 0) {
        (void)err_set(err, ERR_RDB_CORRUPT, "not a snapshot: no version in its magic at offset 0");
        return RDB_WRONG;
    }
    p->vendor = vendor;
    p->version = (int)version; /* at most four digits */
    p->walked = MAGIC_LEN;
    sum_up_to(p, view, MAGIC_LEN);
    ev->version.vendor = vendor;
    ev->version.number = p->version;
    ev->version.beyond_known =
        p->version > (vendor == RDB_VALKEY ? RDB_VALKEY_VERSION_MAX : RDB_REDIS_VERSION_MAX);
    return deliver(p, ev, RDB_EV_VERSION);
}

static bool unsupported(const struct rdb_parser *p, struct err *err) {
    return err_set(err, ERR_RDB_UNSUPPORTED,
                   "%s %u (%s) at offset %" PRIu64 " of the snapshot (database %u, version %s %d)"
                   " cannot be skipped or read; use read_mode: scan for this source",
                   p->opcode >= RDB_OP_FIRST ? "opcode" : "value type", p->opcode,
                   rdb_type_name(p->vendor, p->opcode), p->offset + p->walked, p->db,
                   rdb_vendor_name(p->vendor), p->version);
}

/* Only its template tells how many values such a hash has. */
static bool is_templated(const struct rdb_parser *p) {
    return p->templates && p->vendor == RDB_REDIS && p->opcode == RDB_TYPE_HASH_TMPL_ARRAY_REF;
}

/* What the byte at `walked` begins. */
static bool read_opcode(struct rdb_parser *p, struct str view, struct err *err) {
    const struct rdb_record *record;

    p->opcode = (uint8_t)view.ptr[p->walked];
    if (p->opcode < RDB_OP_FIRST) {
        if (!rdb_walk_script(p->vendor, p->opcode) && !is_templated(p))
            return unsupported(p, err);
        p->stage = STAGE_KEY;
        p->key_at = ++p->walked;
        rdb_walk_init(&p->walk, "S");
        return true;
    }
    record = rdb_record_find(p->vendor, p->opcode);
    if (!record)
        return unsupported(p, err);
    if (p->attributes && !record->attribute)
        return corrupt(p, p->walked, "an expiry or hint without its key", err);
    p->stage = record->attribute ? STAGE_ATTRIBUTE : STAGE_BODY;
    p->body_at = ++p->walked;
    /* The checksum came with version 5. */
    rdb_walk_init(&p->walk, p->opcode == RDB_OP_EOF && p->version < 5 ? "" : record->script);
    return true;
}

/* An attribute is whole: note it for the key that follows. */
static bool keep_attribute(struct rdb_parser *p, struct str view, struct err *err) {
    const char *body = view.ptr + p->body_at;
    uint64_t idle;

    switch (p->opcode) {
    case RDB_OP_EXPIRE:
        p->expire_at_ms = (int64_t)(int32_t)load_le32(body) * 1000;
        break;
    case RDB_OP_EXPIRE_MS:
        p->expire_at_ms = (int64_t)load_le64(body);
        break;
    case RDB_OP_FREQ:
        p->freq = (uint8_t)*body;
        break;
    case RDB_OP_IDLE:
        if (rdb_len_read(str_of(body, p->walked - p->body_at), &idle) <= 0 || idle > INT64_MAX)
            return corrupt(p, p->body_at, "an idle time out of range", err);
        p->idle_seconds = (int64_t)idle;
        break;
    default: /* RDB_OP_KEY_META */
        if (p->meta_len)
            return corrupt(p, p->body_at, "a second metadata record for one key", err);
        p->meta_at = p->body_at - 1;
        p->meta_len = p->walked - p->meta_at;
        break;
    }
    /* -1 is how the servers write "none"; any other time before 1970 is past. */
    if (p->expire_at_ms < -1)
        p->expire_at_ms = 0;
    p->attributes = true;
    return true;
}

static enum rdb_pull deliver_key(struct rdb_parser *p, struct str view, struct rdb_event *ev) {
    ev->key.db = p->db;
    ev->key.type = p->opcode;
    ev->key.key = str_of(view.ptr + p->key_at, p->body_at - p->key_at);
    ev->key.value = str_of(view.ptr + p->body_at, p->walked - p->body_at);
    ev->key.meta = p->meta_len ? str_of(view.ptr + p->meta_at, p->meta_len) : STR_EMPTY;
    ev->key.expire_at_ms = p->expire_at_ms;
    ev->key.idle_seconds = p->idle_seconds;
    ev->key.freq = p->freq;
    sum_up_to(p, view, p->walked);
    return deliver(p, ev, RDB_EV_KEY);
}

static enum rdb_pull deliver_eof(struct rdb_parser *p, struct str view, struct rdb_event *ev) {
    enum rdb_checksum verdict;
    uint64_t stored = 0;

    sum_up_to(p, view, p->body_at);
    if (p->walked > p->body_at)
        stored = load_le64(view.ptr + p->body_at);
    if (stored == 0)
        verdict = RDB_CHECKSUM_ABSENT;
    else if (!p->crc_enabled)
        verdict = RDB_CHECKSUM_UNCHECKED;
    else
        verdict = stored == p->crc_ahead ? RDB_CHECKSUM_OK : RDB_CHECKSUM_WRONG;
    ev->eof.checksum = verdict;
    ev->eof.stored = stored;
    ev->eof.computed = p->crc_enabled ? p->crc_ahead : 0;
    (void)deliver(p, ev, RDB_EV_EOF);
    p->stage = STAGE_FINISHED;
    return RDB_EVENT;
}

static enum rdb_pull deliver_record(struct rdb_parser *p, struct str view, struct rdb_event *ev,
                                    struct err *err) {
    const struct rdb_record *record;

    if (p->opcode < RDB_OP_FIRST)
        return deliver_key(p, view, ev);
    if (p->opcode == RDB_OP_EOF)
        return deliver_eof(p, view, ev);
    record = rdb_record_find(p->vendor, p->opcode);
    if (!rdb_record_read(record, str_of(view.ptr + p->body_at, p->walked - p->body_at), ev)) {
        (void)corrupt(p, p->body_at, "a number out of its range", err);
        return RDB_WRONG;
    }
    if (record->kind == RDB_EV_SELECTDB)
        p->db = ev->selectdb.db;
    sum_up_to(p, view, p->walked);
    return deliver(p, ev, record->kind);
}

/* The number of a template is whole: as many values follow as it has fields. */
static bool walk_templated(struct rdb_parser *p, struct str view, struct err *err) {
    struct str number = str_of(view.ptr + p->body_at, p->walked - p->body_at);
    struct rdb_template found;
    uint64_t id;

    if (!rdb_take_len(&number, &id) || !rdb_templates_find(p->templates, id, &found))
        return corrupt(p, p->body_at, "a hash whose template was not announced", err);
    rdb_walk_init(&p->walk, "{S}");
    p->walk.count = found.count;
    return true;
}

/* An attribute or a name is whole: on to the next part of the record. */
static bool next_part(struct rdb_parser *p, struct str view, struct err *err) {
    if (p->stage == STAGE_ATTRIBUTE) {
        p->stage = STAGE_OPCODE;
        return keep_attribute(p, view, err);
    }
    if (p->stage == STAGE_TEMPLATE) {
        p->stage = STAGE_BODY;
        return walk_templated(p, view, err);
    }
    p->stage = is_templated(p) ? STAGE_TEMPLATE : STAGE_BODY;
    p->body_at = p->walked;
    rdb_walk_init(&p->walk, is_templated(p) ? "L" : rdb_walk_script(p->vendor, p->opcode));
    return true;
}

static enum rdb_pull damaged(struct rdb_parser *p, struct err *err) {
    char what[80];

    if (p->opcode >= RDB_OP_FIRST)
        snprintf(what, sizeof(what), "damaged record (opcode %u)", p->opcode);
    else
        snprintf(what, sizeof(what), "damaged %s (type %u, %s)",
                 p->stage == STAGE_KEY ? "key name" : "value", p->opcode,
                 rdb_type_name(p->vendor, p->opcode));
    (void)corrupt(p, p->walked, what, err);
    return RDB_WRONG;
}

enum rdb_pull rdb_parser_next(struct rdb_parser *p, struct str view, struct rdb_event *ret_ev,
                              struct err *err) {
    uint64_t need = 0;

    if (p->stage == STAGE_FINISHED) {
        (void)err_set(err, ERR_INTERNAL, "the snapshot was read on after its end");
        return RDB_WRONG;
    }
    if (view.len < p->need)
        return wait_for(p, view, p->need, err);
    if (p->stage == STAGE_MAGIC)
        return read_magic(p, view, ret_ev, err);
    for (;;) {
        if (p->stage == STAGE_OPCODE) {
            if (p->walked == view.len)
                return wait_for(p, view, (uint64_t)p->walked + 1, err);
            if (!read_opcode(p, view, err))
                return RDB_WRONG;
        }
        switch (rdb_walk_on(&p->walk, view, &p->walked, &need)) {
        case RDB_WALK_MORE:
            return wait_for(p, view, need, err);
        case RDB_WALK_WRONG:
            return damaged(p, err);
        case RDB_WALK_DONE:
            break;
        }
        if (p->stage == STAGE_BODY)
            return deliver_record(p, view, ret_ev, err);
        if (!next_part(p, view, err))
            return RDB_WRONG;
    }
}
