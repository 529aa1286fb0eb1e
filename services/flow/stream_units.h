/* stream_units.h - from the source's stream to units of the destination.
 *
 * Pure but for malloc and the table of databases. Scans commands, follows SELECT
 * and MULTI, filters, rewrites, and appends to a unit only whole source units:
 * after each call the unit ends at a boundary of the source, where a position may
 * be written.
 */
#pragma once

#include <stdint.h>

#include "proto/command/command_policy.h"
#include "proto/resp/resp_command.h"
#include "services/flow/applier.h"
#include "services/flow/unit.h"

enum {
    STREAM_UNIT_COMMANDS = 5000,
    STREAM_UNIT_BYTES = 1024 * 1024,
    /* One transaction of the source goes out as one: as much of it as is built here. */
    STREAM_UNIT_OWN_MAX = 1024 * 1024 * 1024,
};

/* What a unit does beside its commands. */
struct stream_unit {
    struct unit unit;
    uint64_t next;        /* position behind it */
    int source_db;        /* selected there */
    uint64_t commands;    /* of the source, applied */
    uint64_t skipped;     /* of the source, counted only */
    bool alone;           /* must not be joined with others: it removes the position */
    bool touched;         /* it moved the position, if only past a PING */
    double heartbeat_ms;  /* wall clock in the newest heartbeat of ours; 0 = none */
};

struct stream_units {
    struct applier *a;
    struct resp_scan scan;
    uint64_t at;       /* stream offset of the next command to scan */
    int source_db;     /* selected behind what is in units */
    char own_heartbeat[128];

    /* A transaction of the source that has begun: nothing of it is in a unit yet. */
    bool in_multi;
    uint64_t multi_start; /* offset of its MULTI */
    int multi_db;         /* selected before it */
};

void stream_units_init(struct stream_units *s, struct applier *a, uint64_t at, int source_db);

/* Append whole source units from `view` (which starts at s->at or, inside a
 * transaction, at s->multi_start) to `out` until it is full or nothing whole is
 * left. `received_ms` tells when the bytes up to an offset came in.
 * *ret_getack: the source asked for an ACK.
 * Errors: of command_decide, command_rewrite, resp_command_scan; DEST_DB_RANGE. */
MUST_CHECK bool stream_units_take(struct stream_units *s, struct str view,
                                  uint64_t (*received_ms)(const void *ctx, uint64_t offset),
                                  const void *ctx, struct stream_unit *out, struct err *err);
