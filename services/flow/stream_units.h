/* stream_units.h - from the source's stream to units of the destination.
 *
 * Pure but for malloc; the applier gives the facts of both ends. Scans commands,
 * follows SELECT and MULTI, filters, rewrites, and appends whole source units
 * only: after each call the unit ends where a position may be written. What
 * travels as it came is borrowed from the view in runs, not copied.
 */
#pragma once

#include <stdint.h>

#include "proto/command/command_policy.h"
#include "proto/resp/resp_command.h"
#include "services/flow/applier.h"
#include "services/flow/unit.h"

enum { STREAM_UNIT_COMMANDS = 5000, STREAM_UNIT_BYTES = 1024 * 1024 };

/* A transaction of the source is applied as one, so as much of it as that. */
#define STREAM_TRANSACTION_BYTES_MAX ((uint64_t)1 << 30)

/* A unit and what it does beside its commands. */
struct stream_unit {
    struct unit unit;
    uint64_t next;       /* position behind it; 0 = nothing was taken */
    int source_db;       /* selected there */
    uint64_t commands;   /* of the source, applied */
    uint64_t skipped;    /* of the source, counted only */
    bool alone;          /* it removes the position: nothing may join it */
    double heartbeat_ms; /* wall clock in the newest heartbeat of ours; 0 = none */
};

struct stream_units {
    struct applier *a;
    struct resp_scan scan;
    uint64_t start; /* everything before is in units; a boundary of the source */
    uint64_t at;    /* next byte to scan; beyond start inside a transaction */
    int source_db;  /* selected at start */
    bool in_multi;
    bool multi_alone; /* it holds a command that removes the position */
    const char *run;  /* forwarded bytes not yet put into the unit */
    size_t run_len;
    uint64_t (*received)(const void *ctx, uint64_t offset);
    const void *received_ctx;
    char heartbeat[160];   /* our own key */
    uint32_t commands_max; /* of one unit; small under a throttle */
};

/* Bytes from `start` on; source_db is selected there. */
void stream_units_init(struct stream_units *s, struct applier *a, uint64_t start, int source_db);

void stream_unit_clear(struct stream_unit *u, const struct applier *a);

/* Take whole source units from `view`, which starts at s->start, until `out` is
 * full, must not grow, or nothing whole is left. `received` tells when the byte
 * before an offset came in; it is asked only for what may be a relative expiry.
 * Errors: of command_decide, command_rewrite and resp_command_scan; DEST_DB_RANGE,
 * UNIT_TOO_LARGE. */
MUST_CHECK bool stream_units_take(struct stream_units *s, struct str view, struct stream_unit *out,
                                  struct err *err);

/* `u` is to be sent before more is taken. */
static inline bool stream_units_full(const struct stream_units *s, const struct stream_unit *u) {
    return u->alone || u->unit.commands >= s->commands_max || u->unit.bytes >= STREAM_UNIT_BYTES;
}

/* The key of a task's heartbeat, as receive writes it. */
void stream_heartbeat_key(const struct task_spec *spec, char *dst, size_t dst_size);
