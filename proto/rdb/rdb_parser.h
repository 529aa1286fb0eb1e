/* rdb_parser.h - reads a snapshot record by record while it is still arriving.
 *
 * Pure: the caller owns the bytes (it maps the spooled snapshot) and shows them
 * as one contiguous view that only grows while a record is incomplete. The
 * parser allocates nothing, never recurses, copies nothing, and remembers how
 * far it has walked, so asking again after more bytes arrived continues where it
 * stopped: the whole cost is linear in the size of the file.
 *
 * Facts: rdb.c of Redis 2.2 to 8.10 and Valkey 7.2 to 9.2 (rdbLoadRio and
 * rdbSaveRio), which agree on everything the vendor in the magic does not
 * distinguish.
 *
 *     struct rdb_parser p;
 *     rdb_parser_init(&p);
 *     for (;;) {
 *         struct str view = bytes of the file from p.offset to the newest;
 *         switch (rdb_parser_next(&p, view, &ev, &err)) { ... }
 *     }
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/rdb/rdb.h"
#include "proto/rdb/rdb_templates.h"
#include "proto/rdb/rdb_walk.h"

enum rdb_pull { RDB_NEED_MORE, RDB_EVENT, RDB_WRONG };

/* A record boundary from which another parser can go on. Plain numbers, so it
 * can be stored. */
struct rdb_mark {
    uint64_t offset;
    uint64_t crc; /* of everything before offset; 0 when not computed */
    uint32_t db;
    int version;
    enum rdb_vendor vendor;
    bool crc_enabled;
};

/* Public: offset, vendor, version, db, walked, need (all read only). */
struct rdb_parser {
    uint64_t offset; /* of the record being read; view.ptr points at it */
    size_t walked;   /* bytes of that record already understood */
    uint64_t need;   /* length of view below which nothing new can be understood */
    enum rdb_vendor vendor;
    int version; /* 0 before the VERSION event */
    uint32_t db;

    /* Private. */
    const struct rdb_templates *templates;
    int stage;
    bool crc_enabled;
    uint64_t size;      /* of the whole file, UINT64_MAX when unknown */
    uint64_t crc;       /* of everything before offset */
    uint64_t crc_last;  /* of everything before the record delivered last */
    uint64_t crc_ahead; /* of everything before offset + crc_walked */
    size_t crc_walked;
    uint8_t opcode;  /* what the record under work turned out to be */
    bool attributes; /* expiry, idle, frequency or metadata of the next key were seen */
    int64_t expire_at_ms, idle_seconds;
    int freq;
    size_t meta_at, meta_len, key_at, body_at;
    struct rdb_walk walk;
};

/* Ready for the first byte of a file. */
void rdb_parser_init(struct rdb_parser *p);

/* Tell how long the file is, where it is known: a record that claims to reach
 * past it is then refused at once instead of waited for. */
void rdb_parser_set_size(struct rdb_parser *p, uint64_t file_bytes);

/* Do not compute the checksum from here on: EOF will say UNCHECKED. For a
 * caller that has the bytes from a place with a checksum of its own. */
void rdb_parser_skip_crc(struct rdb_parser *p);

/* Look hash templates up here, where the end of a hash of type 32 depends on them. The
 * caller adds those of HASH_TEMPLATE events, in time for the next call; it has to have
 * those of the whole file before it goes on from a mark. Without templates type 32 is
 * UNSUPPORTED. */
void rdb_parser_use_templates(struct rdb_parser *p, const struct rdb_templates *templates);

/* The next record.
 *
 * `view` starts at p->offset and holds all that has arrived. On RDB_EVENT the
 * parser has moved behind the record and the event's slices point into `view`.
 * RDB_NEED_MORE: call again when the view has grown (nothing is lost or
 * repeated; the bytes seen so far must stay the same). On RDB_WRONG the parser
 * stays where it is; the mark of the last record is still good.
 *
 * After the EOF event the parser is finished: bytes that follow are not its own.
 *
 * Errors:
 *   RDB_CORRUPT      no server writes this; names the offset
 *   RDB_UNSUPPORTED  a type or opcode whose end cannot be found; names it, the
 *                    offset and the database, and advises read_mode: scan
 */
enum rdb_pull rdb_parser_next(struct rdb_parser *p, struct str view, struct rdb_event *ret_ev,
                              struct err *err);

/* The file is known to have ended and the parser asked for more: sets the error
 * (RDB_CORRUPT, names the offset). Returns false. */
bool rdb_parser_cut_short(const struct rdb_parser *p, size_t view_len, struct err *err);

/* The restart point before the record that is now being read. */
struct rdb_mark rdb_parser_mark(const struct rdb_parser *p);

/* The restart point before `ev`, a KEY record and the one delivered last. */
struct rdb_mark rdb_parser_mark_before(const struct rdb_parser *p, const struct rdb_event *ev);

/* Go on from a mark; the next view starts at mark.offset. What was said about the
 * size of the file and templates is forgotten: say it again. */
void rdb_parser_resume(struct rdb_parser *p, const struct rdb_mark *mark);
