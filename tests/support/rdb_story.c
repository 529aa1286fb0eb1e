#include "tests/support/rdb_story.h"

#include <CUnit/CUnit.h>
#include <inttypes.h>
#include <stdlib.h>

#include "proto/base/bytes.h"
#include "proto/crc/crc64.h"

static void hex(struct rdb_story *s, const char *name, struct str bytes) {
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(buf_printf(&s->text, &err, " %s=", name));
    for (size_t i = 0; i < bytes.len; i++)
        CU_ASSERT_TRUE_FATAL(buf_printf(&s->text, &err, "%02x", (uint8_t)bytes.ptr[i]));
}

static void tell(struct rdb_story *s, const struct rdb_event *ev) {
    struct err err = ERR_INIT;

    s->events++;
    CU_ASSERT_TRUE_FATAL(buf_printf(&s->text, &err, "%" PRIu64 "+%" PRIu64 " kind=%d", ev->offset,
                                    ev->size, (int)ev->kind));
    switch (ev->kind) {
    case RDB_EV_AUX:
        hex(s, "key", ev->aux.key);
        hex(s, "value", ev->aux.value);
        break;
    case RDB_EV_FUNCTION:
        hex(s, "source", ev->function.source);
        break;
    case RDB_EV_KEY:
        s->keys++;
        CU_ASSERT_TRUE_FATAL(buf_printf(
            &s->text, &err, " db=%u type=%u expire=%" PRId64 " idle=%" PRId64 " freq=%d",
            ev->key.db, ev->key.type, ev->key.expire_at_ms, ev->key.idle_seconds, ev->key.freq));
        hex(s, "key", ev->key.key);
        hex(s, "value", ev->key.value);
        hex(s, "meta", ev->key.meta);
        break;
    case RDB_EV_EOF:
        s->checksum = ev->eof.checksum;
        CU_ASSERT_TRUE_FATAL(buf_printf(&s->text, &err, " checksum=%d", (int)ev->eof.checksum));
        break;
    default:
        break;
    }
    CU_ASSERT_TRUE_FATAL(buf_append(&s->text, STR_LIT("\n"), &err));
}

struct rdb_story rdb_story_from(struct str file, size_t step, const struct rdb_mark *mark) {
    struct rdb_story s = {.text = BUF_INIT(1 << 22), .err = ERR_INIT};
    struct rdb_parser p;
    size_t arrived;

    rdb_parser_init(&p);
    if (mark)
        rdb_parser_resume(&p, mark);
    arrived = p.offset;
    for (;;) {
        size_t len = arrived - p.offset;
        char *view = malloc(len ? len : 1);
        struct rdb_event ev;

        if (len)
            memcpy(view, file.ptr + p.offset, len);
        s.last = rdb_parser_next(&p, str_of(view, len), &ev, &s.err);
        if (s.last == RDB_EVENT)
            tell(&s, &ev);
        free(view);
        if (s.last == RDB_WRONG || (s.last == RDB_EVENT && ev.kind == RDB_EV_EOF))
            return s;
        if (s.last == RDB_NEED_MORE) {
            if (arrived == file.len)
                return s;
            arrived = step < file.len - arrived ? arrived + step : file.len;
        }
    }
}

struct rdb_story rdb_story_of(struct str file) {
    return rdb_story_from(file, file.len, NULL);
}

struct buf rdb_story_file(const char *magic, struct str records) {
    struct buf b = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    char crc[8];

    CU_ASSERT_TRUE_FATAL(buf_append(&b, str_from(magic), &err));
    CU_ASSERT_TRUE_FATAL(buf_append(&b, records, &err));
    CU_ASSERT_TRUE_FATAL(buf_append(&b, STR_LIT("\xff"), &err));
    if (strcmp(magic, "REDIS0005") < 0) /* the checksum came with version 5 */
        return b;
    store_le64(crc, crc64_update(0, b.ptr, b.len));
    CU_ASSERT_TRUE_FATAL(buf_append(&b, str_of(crc, sizeof(crc)), &err));
    return b;
}

struct buf rdb_story_key(const char *magic, uint8_t type, struct str value) {
    struct buf records = BUF_INIT(1 << 20), b;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(buf_printf(&records, &err, "\xfe%c%c%ckey", 5, type, 3));
    CU_ASSERT_TRUE_FATAL(buf_append(&records, value, &err));
    b = rdb_story_file(magic, buf_str(&records));
    buf_done(&records);
    return b;
}

void rdb_story_in_pieces(struct str file) {
    struct rdb_story whole = rdb_story_of(file);

    CU_ASSERT_EQUAL(whole.last, RDB_EVENT);
    for (size_t step = 1; step < 40; step = step * 2 + 1) {
        struct rdb_story s = rdb_story_from(file, step, NULL);

        CU_ASSERT(str_equal(buf_str(&s.text), buf_str(&whole.text)));
        buf_done(&s.text);
    }
    for (size_t len = 0; len < file.len; len++) {
        struct rdb_story s = rdb_story_of(str_first(file, len));

        CU_ASSERT_EQUAL(s.last, RDB_NEED_MORE);
        CU_ASSERT(str_starts_with(buf_str(&whole.text), buf_str(&s.text)));
        CU_ASSERT(s.events < whole.events);
        buf_done(&s.text);
    }
    buf_done(&whole.text);
}
