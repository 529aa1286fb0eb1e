/* stream_units.h - from the source's stream to units of the destination.
 *
 * Pure but for malloc; the applier gives the facts of both ends. Scans commands,
 * follows SELECT and MULTI, filters, rewrites, and appends whole source units
 * only: after each call the unit ends where a position may be written. What
 * travels as it came is borrowed from the view in runs, not copied.
 */
#pragma once

#include <stdint.h>

#include "proto/command/command_border.h"
#include "proto/resp/resp_command.h"
#include "services/flow/applier.h"
#include "services/flow/unit.h"

enum { STREAM_UNIT_COMMANDS = 5000, STREAM_UNIT_BYTES = 1024 * 1024 };

/* A command that is taken in part is made anew: at most so long. */
#define STREAM_PART_BYTES_MAX ((size_t)1 << 30)

/* Commands of the source, by what became of them. */
enum stream_counter { STREAM_APPLIED, STREAM_SKIPPED, STREAM_REJECTED, STREAM_COUNTERS };

/* Why a command is put on record and not applied. */
enum stream_reason { STREAM_REJECT_UNKNOWN, STREAM_REJECT_LUA, STREAM_REJECT_FLUSH };
const char *stream_reason_name(enum stream_reason reason);

enum {
    STREAM_REJECTS_MAX = 256,            /* of one unit; what is beyond is counted only */
    STREAM_REJECTS_WANTED = 64,          /* a unit that has so many goes */
    STREAM_REJECT_BYTES_MAX = 16 * 1024, /* a longer command is recorded without its bytes */
};

struct stream_reject {
    uint64_t offset; /* of its first byte, in the source's history */
    int source_db;
    enum stream_reason reason;
    char name[65];
    bool has_key;
    uint64_t key_hash; /* CRC64 of its first key */
    size_t at, len;    /* the command, in reject_bytes; len 0: not kept */
};

/* A unit and what it does beside its commands. */
struct stream_unit {
    struct unit unit;
    uint64_t next;     /* position behind it; 0 = nothing was taken */
    int source_db;     /* selected there */
    uint64_t commands; /* of the source, applied */
    uint64_t skipped;  /* of the source, counted only */
    uint64_t rejected; /* of the source, put on record */
    struct stream_reject rejects[STREAM_REJECTS_MAX];
    uint32_t reject_count;
    struct buf reject_bytes;
    uint32_t counts[COMMAND_COUNT][STREAM_COUNTERS]; /* COMMAND_NONE: unknown ones */
    uint16_t touched[COMMAND_COUNT];                 /* ids with a count */
    uint32_t touched_count;
    bool alone;          /* it empties or swaps databases: nothing may join it */
    double heartbeat_ms; /* wall clock in the newest heartbeat of ours; 0 = none */
};

struct stream_units {
    struct applier *a;
    struct resp_scan scan;
    uint64_t start;               /* everything before is in units; a boundary of the source */
    uint64_t at;                  /* next byte to scan; beyond start inside a transaction */
    int source_db;                /* selected at start */
    uint64_t command_at;          /* offset of the command at work */
    struct command_keeper keeper; /* of the database selected */
    bool in_multi;
    bool multi_alone; /* it holds a command that empties or swaps databases */
    const char *run;  /* forwarded bytes not yet put into the unit */
    size_t run_len;
    uint64_t (*received)(void *ctx, uint64_t offset);
    void *received_ctx;
    bool keeps_others; /* a flush looks for keys of other jobs first: it may ask the destination */
    char heartbeat[160];   /* our own key */
    uint32_t commands_max; /* of one unit; small under a throttle */
    size_t bytes_max;      /* likewise; a command that is longer goes alone */
};

/* Bytes from `start` on; source_db is selected there. */
void stream_units_init(struct stream_units *s, struct applier *a, uint64_t start, int source_db);

/* Own bytes of the unit are limited to own_max. */
void stream_unit_init(struct stream_unit *u, size_t own_max, const struct applier *a);
void stream_unit_done(struct stream_unit *u);
void stream_unit_clear(struct stream_unit *u, const struct applier *a);

/* Take whole source units from `view`, which starts at s->start, until `out` is
 * full, must not grow, or nothing whole is left. `received` tells when the byte
 * before an offset came in; it is asked only for what may be a relative expiry.
 * Errors: of command_decide, command_rewrite and resp_command_scan; DEST_DB_RANGE,
 * UNIT_TOO_LARGE. */
MUST_CHECK bool stream_units_take(struct stream_units *s, struct str view, struct stream_unit *out,
                                  struct err *err);

/* A command on record, as if it stood in database `db` of the source now, whatever the job's
 * policies for scripts and flushes. `out` is empty. `bytes` must last until the unit is
 * acknowledged. The place in the stream stays.
 * Errors: as stream_units_take(), and UNKNOWN_COMMAND. */
MUST_CHECK bool stream_units_replay(struct stream_units *s, int db, struct str bytes,
                                    struct stream_unit *out, struct err *err);

/* `u` is to be sent before more is taken. */
static inline bool stream_units_full(const struct stream_units *s, const struct stream_unit *u) {
    return u->alone || u->unit.commands >= s->commands_max || u->unit.bytes >= s->bytes_max ||
           u->reject_count >= STREAM_REJECTS_WANTED;
}

/* The key of a task's heartbeat, as receive writes it. */
void stream_heartbeat_key(const struct task_spec *spec, char *dst, size_t dst_size);
