#include "proto/rdb/rdb_commands.h"

#include <math.h>
#include <stdio.h>

#include "proto/rdb/rdb_string.h"
#include "proto/rdb/rdb_transcode_hash.h"
#include "proto/resp/resp_draft.h"
#include "proto/resp/resp_write.h"

enum {
    BATCH_MAX = 512,         /* elements of one command */
    OVERHEAD = 128,          /* of a command besides its key and elements, at most */
    SCORE_ROOM = 40,         /* "%.17g" */
    HSET_TAKES_MANY = 40000, /* the version from which HSET does what HMSET did */
};

void rdb_commands_init(struct rdb_commands *c, size_t scratch_max) {
    *c = (struct rdb_commands){.done = true};
    for (unsigned i = 0; i < LENGTH_OF(c->text); i++)
        c->text[i] = BUF_INIT(scratch_max);
    rdb_elements_init(&c->reader, scratch_max);
    rdb_stream_commands_init(&c->stream, scratch_max);
}

void rdb_commands_done(struct rdb_commands *c) {
    for (unsigned i = 0; i < LENGTH_OF(c->text); i++)
        buf_done(&c->text[i]);
    rdb_elements_done(&c->reader);
    rdb_stream_commands_done(&c->stream);
}

bool rdb_commands_open(struct rdb_commands *c, uint8_t type, struct str key, struct str value,
                       struct err *err) {
    c->key = key;
    c->value_len = value.len;
    c->kind = rdb_type_kind(c->vendor, type);
    c->done = c->ahead = false;
    c->elements = c->losses = 0;
    c->string_at = 0;
    switch (c->kind) {
    case RDB_KIND_STRING:
        return rdb_string_decode(value, &c->text[0], &c->string, err);
    case RDB_KIND_STREAM:
        return rdb_stream_commands_open(&c->stream, &c->dest, type, value, err);
    case RDB_KIND_MODULE:
    case RDB_KIND_ARRAY:
        return err_set(err, ERR_RDB_UNSUPPORTED, "no commands make a value of type %u", type);
    default:
        break;
    }
    if (!rdb_elements_open(&c->reader, c->vendor, type, value, c->templates, err))
        return false;
    c->kind = c->reader.kind;
    return true;
}

size_t rdb_commands_passed(const struct rdb_commands *c) {
    /* A stream is read twice. */
    if (c->kind == RDB_KIND_STRING || c->kind == RDB_KIND_STREAM)
        return 0;
    return c->value_len - c->reader.rest.len;
}

/* What one call has done so far. */
struct fill {
    struct buf *out;
    size_t start, limit;
    uint32_t commands;
};

/* May `size` bytes more be appended? The first ones always may try. */
static bool has_room(const struct fill *f, size_t size) {
    size_t used = f->out->len - f->start;

    if (used == 0)
        return true;
    return used <= f->limit && size <= f->limit - used && size <= f->out->max - f->out->len;
}

static bool put_string(struct rdb_commands *c, struct fill *f, struct err *err) {
    while (!c->done) {
        size_t used = f->out->len - f->start, left = c->string.len - (size_t)c->string_at;
        size_t overhead = OVERHEAD + c->key.len, piece = 1;
        size_t free = f->out->max - f->out->len, room = used < f->limit ? f->limit - used : 0;
        struct resp_draft draft = resp_draft_begin(f->out);

        if (room > free)
            room = free;
        if (used > 0 && room <= overhead)
            return true;
        if (room > overhead)
            piece = room - overhead;
        if (piece > left)
            piece = left;
        if (!(c->string_at == 0 ? resp_draft_put_literal(&draft, "SET", err)
                                : resp_draft_put_literal(&draft, "SETRANGE", err)) ||
            !resp_draft_put(&draft, c->key, err) ||
            (c->string_at > 0 && !resp_draft_put_u64(&draft, c->string_at, err)) ||
            !resp_draft_put(&draft, str_of(c->string.ptr + c->string_at, piece), err) ||
            !resp_draft_end(&draft, err))
            return false;
        f->commands++;
        c->string_at += piece;
        c->elements = 1;
        c->done = c->string_at == c->string.len;
    }
    return true;
}

static struct str verb_of(const struct rdb_commands *c) {
    switch (c->kind) {
    case RDB_KIND_LIST:
        return STR_LIT("RPUSH");
    case RDB_KIND_SET:
        return STR_LIT("SADD");
    case RDB_KIND_ZSET:
        return STR_LIT("ZADD");
    default:
        return c->dest.version != 0 && c->dest.version < HSET_TAKES_MANY ? STR_LIT("HMSET")
                                                                         : STR_LIT("HSET");
    }
}

/* The element ahead as arguments. */
struct words {
    struct str word[2];
    size_t count, size; /* size: as bulk strings */
    char name_room[PACKED_DIGITS], value_room[PACKED_DIGITS], score[SCORE_ROOM];
};

static bool spell(struct rdb_commands *c, struct words *w, struct err *err) {
    const struct rdb_element *element = &c->next;
    struct str *name = &w->word[0];

    w->count = 1;
    if (c->kind == RDB_KIND_ZSET) {
        int n = isinf(element->score)
                    ? snprintf(w->score, sizeof(w->score), element->score > 0 ? "+inf" : "-inf")
                    : snprintf(w->score, sizeof(w->score), "%.17g", element->score);

        w->word[0] = str_of(w->score, (size_t)n);
        name = &w->word[1];
        w->count = 2;
    }
    if (!rdb_piece_text(&element->name, &c->text[0], w->name_room, name, err))
        return false;
    if (c->kind == RDB_KIND_HASH) {
        w->count = 2;
        if (!rdb_piece_text(&element->value, &c->text[1], w->value_room, &w->word[1], err))
            return false;
    }
    w->size = 0;
    for (size_t i = 0; i < w->count; i++)
        w->size += resp_size_bulk(w->word[i].len);
    return true;
}

static bool look_ahead(struct rdb_commands *c, struct err *err) {
    if (c->ahead || c->done)
        return true;
    switch (rdb_elements_next(&c->reader, &c->next, err)) {
    case PACKED_VALUE:
        c->ahead = true;
        return true;
    case PACKED_END:
        c->done = true;
        return true;
    default:
        return false;
    }
}

/* The expiry the field ahead gets; 0: none. Counts one that is dropped. */
static bool expiry_ahead(struct rdb_commands *c, uint64_t *ret_ms, struct err *err) {
    uint8_t type = c->dest.vendor == RDB_VALKEY ? RDB_TYPE_VALKEY_HASH_2 : RDB_TYPE_HASH_METADATA;

    *ret_ms = 0;
    if (c->next.expire_at_ms == 0)
        return true;
    if (c->dest.version != 0 && c->dest.version < rdb_type_known_from(c->dest.vendor, type)) {
        if (!c->drop_field_expiry)
            return err_set(err, ERR_DEST_RESTORE,
                           "a field of a hash expires, which the destination cannot hold");
        return true;
    }
    return rdb_field_expiry_write(c->fields, c->extend_ms, c->dest.vendor, c->next.expire_at_ms,
                                  ret_ms, err);
}

static void took_element(struct rdb_commands *c, uint64_t expiry_ms) {
    c->losses += c->next.expire_at_ms != 0 && expiry_ms == 0;
    c->elements++;
    c->ahead = false;
}

/* A field that expires, alone: HSET, HPEXPIREAT key ms FIELDS 1 field. */
static bool put_expiring(struct rdb_commands *c, const struct words *w, uint64_t at_ms,
                         struct fill *f, struct err *err) {
    const struct str set[] = {STR_LIT("HSET"), c->key, w->word[0], w->word[1]};
    struct resp_draft draft;

    if (!resp_put_command(f->out, LENGTH_OF(set), set, err))
        return false;
    draft = resp_draft_begin(f->out);
    if (!resp_draft_put_literal(&draft, "HPEXPIREAT", err) ||
        !resp_draft_put(&draft, c->key, err) || !resp_draft_put_u64(&draft, at_ms, err) ||
        !resp_draft_put_literal(&draft, "FIELDS", err) ||
        !resp_draft_put_literal(&draft, "1", err) || !resp_draft_put(&draft, w->word[0], err) ||
        !resp_draft_end(&draft, err))
        return false;
    f->commands += 2;
    took_element(c, at_ms);
    return true;
}

/* One command of as many elements as may go together. *ret_full: no room for more. */
static bool put_batch(struct rdb_commands *c, struct fill *f, bool *ret_full, struct err *err) {
    struct resp_draft draft = resp_draft_begin(f->out);
    size_t overhead = OVERHEAD + c->key.len;
    unsigned count = 0;
    struct words words;
    uint64_t at_ms;

    *ret_full = false;
    for (; count < BATCH_MAX; count++) {
        if (!look_ahead(c, err))
            return false;
        if (c->done)
            break;
        if (!spell(c, &words, err) || !expiry_ahead(c, &at_ms, err))
            return false;
        if (at_ms && count > 0)
            break;
        if (!has_room(f, words.size + overhead + (at_ms ? words.size + overhead : 0))) {
            *ret_full = true;
            break;
        }
        if (at_ms)
            return put_expiring(c, &words, at_ms, f, err);
        if (count == 0 &&
            (!resp_draft_put(&draft, verb_of(c), err) || !resp_draft_put(&draft, c->key, err)))
            return false;
        for (size_t i = 0; i < words.count; i++) {
            if (!resp_draft_put(&draft, words.word[i], err))
                return false;
        }
        took_element(c, at_ms);
    }
    if (count == 0)
        return true;
    f->commands++;
    return resp_draft_end(&draft, err);
}

static bool put_elements(struct rdb_commands *c, struct fill *f, struct err *err) {
    bool full = false;

    while (!c->done && !full && f->out->len - f->start < f->limit) {
        if (!put_batch(c, f, &full, err))
            return false;
    }
    return true;
}

bool rdb_commands_fill(struct rdb_commands *c, size_t limit, struct buf *out, uint32_t *ret_count,
                       struct err *err) {
    struct fill f = {.out = out, .start = out->len, .limit = limit ? limit : 1};
    bool ok;

    if (c->done) {
        *ret_count = 0;
        return true;
    }
    if (c->kind == RDB_KIND_STREAM)
        ok = rdb_stream_commands_fill(&c->stream, c->key, f.limit, out, &f.commands, &c->done,
                                      &c->elements, err);
    else
        ok = c->kind == RDB_KIND_STRING ? put_string(c, &f, err) : put_elements(c, &f, err);
    if (!ok) {
        out->len = f.start;
        return false;
    }
    *ret_count = f.commands;
    return true;
}
