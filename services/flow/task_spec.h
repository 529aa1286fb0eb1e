/* task_spec.h - what a child is told to do: the first message it gets.
 *
 * Pure: JSON in, struct out. The supervisor makes the JSON from the job's rows;
 * passwords are not in it (a child asks for them before each connect).
 *
 *   {"type":"spec", "job":"job_…", "task":0, "lease":n, "claimed_before":bool,
 *    "source":{ENDPOINT}, "destination":{ENDPOINT},
 *    "spool_dir":"…", "spool_quota_bytes":n,
 *    "incremental":bool, "expiry":"held"|"exact",
 *    "databases":[{"source":n,"destination":n}] or null for all, one to one,
 *    "prefixes":[…] or null, "heartbeat":{"mode":"auto|on|off","key_prefix":…,"interval_ms":n},
 *    "conflict_mode":"precheck_error|overwrite", "faults":[…] (test builds)}
 *
 * ENDPOINT is the object endpoint.h reads.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "services/net/endpoint.h"

enum { TASK_DATABASES_MAX = 256 };

struct task_spec {
    char job[40]; /* job_<26>, NUL-terminated */
    uint32_t task;
    uint64_t lease;      /* epoch of the lease in the control database */
    bool claimed_before; /* a position of this task existed: missing means needs_recopy */
    struct endpoint source, destination;
    char spool_dir[512];
    uint64_t spool_quota_bytes;
    bool incremental;
    bool held_expiry;
    bool map_all;                             /* every database, one to one */
    int16_t database_map[TASK_DATABASES_MAX]; /* source -> destination; -1 = not selected */
    int lowest_database;                      /* of the destination: where the position lives */
    bool heartbeat;
    char heartbeat_prefix[65];
    uint32_t heartbeat_interval_ms;
    bool overwrite;
};

/* Errors: PROTOCOL names the member. Everything in *ret_spec is by value. */
MUST_CHECK bool task_spec_parse(const json_t *message, struct task_spec *ret_spec, struct err *err);
