/* Any bytes are a value of any type. What transcoding makes of them must be whole (the
 * walk that finds its end agrees) and hold the same elements; as commands they must come
 * to an end, the same whatever the pieces.
 *
 *     vendors and flags, 1 | type, 1 | type to become, 1 | value
 */
#include <stdint.h>
#include <stdlib.h>

#include "proto/rdb/rdb_commands.h"
#include "proto/rdb/rdb_transcode.h"
#include "proto/rdb/rdb_walk.h"
#include "proto/resp/resp_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FROM_VALKEY = 1, TO_VALKEY = 2, HOLD = 4, DROP = 8, SETTLE = 16, OLD = 32 };
enum { OUT_MAX = 1 << 20, BLOB_MAX = 1 << 18, COMMANDS_MAX = 1 << 24 };

static void must(bool ok) {
    if (!ok)
        abort();
}

static void is_whole(enum rdb_vendor vendor, uint8_t type, struct str value) {
    const char *script = rdb_walk_script(vendor, type);
    struct rdb_walk walk;
    uint64_t need;
    size_t at = 0;

    if (!script)
        return; /* 29, 31 */
    rdb_walk_init(&walk, script);
    must(rdb_walk_on(&walk, value, &at, &need) == RDB_WALK_DONE && at == value.len);
}

static bool same_text(const struct rdb_piece *a, const struct rdb_piece *b) {
    struct buf scratch[2] = {BUF_INIT(BLOB_MAX), BUF_INIT(BLOB_MAX)};
    char room[2][PACKED_DIGITS];
    struct err err = ERR_INIT;
    struct str text[2];
    /* A string that does not decode was copied as it stood. */
    bool first = rdb_piece_text(a, &scratch[0], room[0], &text[0], &err);
    bool second = rdb_piece_text(b, &scratch[1], room[1], &text[1], &err);
    bool same = first == second && (!first || str_equal(text[0], text[1]));

    buf_done(&scratch[0]);
    buf_done(&scratch[1]);
    return same;
}

static void hold_the_same(const struct rdb_transcoder *t, uint8_t type, struct str value,
                          uint8_t to_type, struct str result) {
    struct rdb_elements before, after;
    struct rdb_element a, b;
    struct err err = ERR_INIT;
    enum packed_next next;

    rdb_elements_init(&before, BLOB_MAX);
    rdb_elements_init(&after, BLOB_MAX);
    must(rdb_elements_open(&before, t->from, type, value, t->templates, &err));
    must(rdb_elements_open(&after, t->to, to_type, result, t->templates, &err));
    do {
        next = rdb_elements_next(&before, &a, &err);
        must(next == rdb_elements_next(&after, &b, &err));
        if (next == PACKED_VALUE) {
            must(same_text(&a.name, &b.name) && a.score == b.score);
            must(before.kind != RDB_KIND_HASH || same_text(&a.value, &b.value));
            must(t->fields != RDB_FIELDS_KEEP || t->drop_field_expiry ||
                 a.expire_at_ms == b.expire_at_ms);
        }
    } while (next == PACKED_VALUE);
    must(next == PACKED_END);
    rdb_elements_done(&before);
    rdb_elements_done(&after);
}

static void transcode(uint8_t flags, uint8_t type, uint8_t to_type, struct str value,
                      const struct rdb_templates *templates) {
    struct buf out = BUF_INIT(OUT_MAX);
    struct rdb_transcoded done;
    struct rdb_transcoder t;
    struct err err = ERR_INIT;

    rdb_transcoder_init(&t, flags & FROM_VALKEY ? RDB_VALKEY : RDB_REDIS,
                        flags & TO_VALKEY ? RDB_VALKEY : RDB_REDIS, BLOB_MAX);
    t.fields = flags & HOLD     ? RDB_FIELDS_HOLD
               : flags & SETTLE ? RDB_FIELDS_SETTLE
                                : RDB_FIELDS_KEEP;
    t.drop_field_expiry = flags & DROP;
    t.templates = templates;
    if (rdb_transcode(&t, type, value, to_type, &out, &done, &err)) {
        is_whole(t.to, done.type, buf_str(&out));
        if (!rdb_stream_version(type))
            hold_the_same(&t, type, value, done.type, buf_str(&out));
    } else {
        must(err.code != ERR_NONE && out.len == 0);
    }
    rdb_transcoder_done(&t);
    buf_done(&out);
}

/* Everything as commands in pieces of about `limit` bytes; false when it was refused. */
static bool run_commands(uint8_t flags, uint8_t type, struct str value,
                         const struct rdb_templates *templates, size_t limit, struct buf *out,
                         uint64_t *ret_elements) {
    struct rdb_commands c;
    struct err err = ERR_INIT;
    bool ok;

    rdb_commands_init(&c, BLOB_MAX);
    c.vendor = flags & FROM_VALKEY ? RDB_VALKEY : RDB_REDIS;
    c.dest.vendor = flags & TO_VALKEY ? RDB_VALKEY : RDB_REDIS;
    c.dest.version = flags & OLD ? 50000 : 0;
    c.fields = flags & HOLD ? RDB_FIELDS_HOLD : RDB_FIELDS_KEEP;
    c.drop_field_expiry = flags & DROP;
    c.templates = templates;
    ok = rdb_commands_open(&c, type, STR_LIT("key"), value, &err);
    while (ok && !c.done) {
        struct resp_scan scan = RESP_SCAN_INIT;
        struct str rest;
        uint32_t count;

        buf_clear(out);
        ok = rdb_commands_fill(&c, limit, out, &count, &err);
        must(ok || out->len == 0);
        must(!ok || out->len > 0 || c.done);
        rest = buf_str(out);
        for (uint32_t i = 0; ok && i < count; i++) {
            struct resp_command command;

            must(resp_command_scan(&scan, rest, &command, &err) == RESP_GOT);
            rest = str_skip(rest, command.raw.len);
        }
        must(!ok || rest.len == 0);
    }
    *ret_elements = c.elements;
    must(ok == (err.code == ERR_NONE));
    rdb_commands_done(&c);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rdb_templates templates;
    struct err err = ERR_INIT;
    struct buf small = BUF_INIT(COMMANDS_MAX), large = BUF_INIT(COMMANDS_MAX);
    uint64_t elements[2];
    struct str value;
    bool ok;

    if (size < 3)
        return 0;
    value = str_of(data + 3, size - 3);
    rdb_templates_init(&templates, 1 << 10);
    must(rdb_templates_add(&templates, 1, 2, STR_LIT("\1a\1b"), &err));
    transcode(data[0], data[1], data[2], value, &templates);
    ok = run_commands(data[0], data[1], value, &templates, 1 << 20, &large, &elements[0]);
    if (ok)
        must(run_commands(data[0], data[1], value, &templates, 64, &small, &elements[1]) &&
             elements[0] == elements[1]);
    buf_done(&small);
    buf_done(&large);
    rdb_templates_done(&templates);
    return 0;
}
