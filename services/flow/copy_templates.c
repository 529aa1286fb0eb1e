/* The templates of hashes, for a copy that goes on behind them; see copy_parts.h. */
#include "services/flow/copy_parts.h"

enum { TEMPLATES_SINCE = 15 }; /* of a Redis snapshot */

/* Until the first record that belongs to a database: templates stand before it. */
static bool read_until_keys(struct copy *c, struct spool_reader *reader, uint64_t end,
                            struct err *err) {
    struct rdb_parser parser;
    struct rdb_event ev;
    struct str view;

    rdb_parser_init(&parser);
    rdb_parser_skip_crc(&parser);
    if (!spool_reader_view(reader, 0, end, &view, err))
        return false;
    for (;;) {
        switch (rdb_parser_next(&parser, str_skip(view, parser.offset), &ev, err)) {
        case RDB_WRONG:
            return false;
        case RDB_NEED_MORE:
            return rdb_parser_cut_short(&parser, view.len, err);
        case RDB_EVENT:
            break;
        }
        if (ev.kind == RDB_EV_SELECTDB || ev.kind == RDB_EV_KEY || ev.kind == RDB_EV_EOF)
            return true;
        if (ev.kind == RDB_EV_HASH_TEMPLATE &&
            !rdb_templates_add(&c->templates, ev.hash_template.id, ev.hash_template.count,
                               ev.hash_template.fields, err))
            return false;
    }
}

bool copy_read_templates(struct copy *c, const struct rdb_mark *at, struct err *err) {
    struct spool_reader reader = SPOOL_READER_INIT;
    bool ok;

    if (at->vendor != RDB_REDIS || at->version < TEMPLATES_SINCE)
        return true;
    ok = spool_reader_open(&reader, c->a->spool_fd, "snapshot", 0, err) &&
         read_until_keys(c, &reader, at->offset, err);
    spool_reader_close(&reader);
    return ok;
}
