/* Any bytes are a snapshot, damaged or not: whole and in pieces they must tell
 * the same, and every string in them must decode or be refused. */
#include <stdint.h>
#include <stdlib.h>

#include "proto/crc/crc64.h"
#include "proto/rdb/rdb_parser.h"
#include "proto/rdb/rdb_payload.h"
#include "proto/rdb/rdb_string.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
    if (!ok)
        abort();
}

static void inside(struct str slice, struct str view) {
    must(slice.len == 0 || (slice.ptr >= view.ptr && slice.ptr + slice.len <= view.ptr + view.len));
}

static void decode(struct str raw, struct str view) {
    struct buf scratch = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    struct str plain;
    uint64_t len;

    inside(raw, view);
    if (rdb_string_decode(raw, &scratch, &plain, &err))
        must(rdb_string_len(raw, &len, &err) && len == plain.len);
    buf_done(&scratch);
}

static void look_at(const struct rdb_event *ev, struct str view) {
    char footer[RDB_PAYLOAD_FOOTER];

    switch (ev->kind) {
    case RDB_EV_AUX:
        decode(ev->aux.key, view);
        decode(ev->aux.value, view);
        break;
    case RDB_EV_FUNCTION:
        decode(ev->function.source, view);
        break;
    case RDB_EV_MODULE_AUX:
        inside(ev->module_aux.items, view);
        break;
    case RDB_EV_KEY:
        decode(ev->key.key, view);
        inside(ev->key.value, view);
        inside(ev->key.meta, view);
        if (ev->key.type == RDB_TYPE_STRING)
            decode(ev->key.value, view);
        rdb_payload_footer(ev->key.type, ev->key.value, 10, footer);
        break;
    default:
        break;
    }
}

/* How the reading ended: a fingerprint of everything told on the way. */
static uint64_t read_file(struct str file, size_t step) {
    uint64_t told = 0;
    struct rdb_parser p;
    size_t arrived = 0;

    rdb_parser_init(&p);
    for (;;) {
        struct str view = str_of(file.ptr + p.offset, arrived - p.offset);
        struct err err = ERR_INIT;
        struct rdb_event ev;
        struct rdb_mark mark;

        switch (rdb_parser_next(&p, view, &ev, &err)) {
        case RDB_WRONG:
            must(err.code == ERR_RDB_CORRUPT || err.code == ERR_RDB_UNSUPPORTED);
            return crc64_update(told, &p.offset, sizeof(p.offset)) ^ (uint64_t)err.code;
        case RDB_NEED_MORE:
            if (arrived == file.len)
                return crc64_update(told, &p.offset, sizeof(p.offset));
            arrived = step < file.len - arrived ? arrived + step : file.len;
            break;
        case RDB_EVENT:
            look_at(&ev, view);
            must(ev.offset + ev.size == p.offset && p.offset <= arrived);
            told = crc64_update(told, &ev.kind, sizeof(ev.kind));
            told = crc64_update(told, &ev.size, sizeof(ev.size));
            if (ev.kind == RDB_EV_EOF)
                return crc64_update(told, &ev.eof.checksum, sizeof(ev.eof.checksum));
            mark = rdb_parser_mark(&p);
            rdb_parser_resume(&p, &mark);
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str file = str_of(data, size);
    uint64_t whole = read_file(file, size ? size : 1);

    must(read_file(file, 1) == whole);
    must(read_file(file, 13) == whole);
    return 0;
}
