/* task_spec.h - what a child is told to do: the first message it gets.
 *
 * Pure: JSON in, struct out. The supervisor makes the JSON from the job's rows;
 * passwords are not in it (a child asks for them before each connect).
 *
 *   {"type":"spec", "job":"job_…", "task":0, "lease":n, "claimed_before":bool,
 *    "source":{ENDPOINT}, "destination":{ENDPOINT},
 *    "spool_dir":"…", "spool_quota_bytes":n, "piece_bytes":n,
 *    "transaction_bytes":n (missing = the usual, of both),
 *    "import_dir":"…" (where the file of a source lies; missing = none),
 *    "incremental":bool, "read_mode":"auto"|"psync"|"sync"|"scan",
 *    "scan":{"match":glob or null, "types":[…] or null} (missing = all), "expiry":"held"|"exact",
 *    "hash_field_expiry":"refuse"|"drop" (missing = refuse),
 *    "databases":[{"source":n,"destination":n}] or null for all, one to one,
 *    "policies":{…} (both: task_objects.h),
 * "heartbeat":{"mode":"auto|on|off","key_prefix":…,"interval_ms":n},
 *    "conflict_mode":"precheck_error|overwrite|skip_existing|fail_on_conflict|flush_destination",
 *    "conflict_scope":"selection"|"instance" (missing = selection),
 *    "recopy":null|"fail"|"overwrite"|"flush_destination",
 *    "errand":"none|finish|forget" (missing = none),
 *    "extend_ttl_ms":n (missing = 0; a copy without a tail only),
 *    "faults":[…] (test builds)}
 *
 * ENDPOINT is the object endpoint.h reads.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "services/flow/task_objects.h"
#include "services/net/endpoint.h"

enum { TASK_PIECE_BYTES = 4 * 1024 * 1024, TASK_TRANSACTION_BYTES = 1 << 30 };

/* What a copy does about keys that the destination had before it. */
enum task_conflict {
    TASK_CONFLICT_EMPTY = 0, /* "precheck_error": there must be none */
    TASK_CONFLICT_OVERWRITE, /* replaced where the source has the name */
    TASK_CONFLICT_SKIP,      /* kept, and counted */
    TASK_CONFLICT_FAIL,      /* the first one ends the copy */
    TASK_CONFLICT_FLUSH,     /* all are removed before it begins */
};

/* What to do when only a new full copy can go on: a person's answer to
 * needs_recopy, given with `resume`. */
enum task_recopy { TASK_RECOPY_FAIL = 0, TASK_RECOPY_OVERWRITE, TASK_RECOPY_FLUSH };

/* How a source that is a server is read. Auto does it by PSYNC; by SYNC where the server knows
 * no PSYNC; and a copy alone with SCAN where the account may do neither. */
enum task_read_mode { TASK_READ_AUTO = 0, TASK_READ_PSYNC, TASK_READ_SYNC, TASK_READ_SCAN };

/* What apply is started for when it is not the migration itself. */
enum task_errand {
    TASK_ERRAND_NONE = 0,
    TASK_ERRAND_FINISH, /* settle what a cutover has sealed */
    TASK_ERRAND_FORGET, /* remove our sealed key */
};

/* What a copy that reads with SCAN asks for. */
enum { TASK_SCAN_MATCH_MAX = 2048, TASK_SCAN_TYPES = 6 };
extern const char *const task_scan_types[TASK_SCAN_TYPES]; /* as SCAN … TYPE takes them */

struct task_scan {
    char match[TASK_SCAN_MATCH_MAX + 1]; /* "" = every name */
    uint32_t type_count;                 /* 0 = every type */
    uint8_t types[TASK_SCAN_TYPES];      /* of task_scan_types */
};

/* Mechanisms a negative control switches off; builds without KF_FAULTS refuse them. */
enum task_fault {
    TASK_FAULT_POSITION_OUTSIDE_UNIT = 1 << 0, /* "position_outside_unit" */
    TASK_FAULT_CLAIM_LEFT_OUT = 1 << 1,        /* "claim_left_out" */
    TASK_FAULT_COPY_UNFENCED = 1 << 2,         /* "copy_unfenced" */
    TASK_FAULT_SEAL_IGNORED = 1 << 3,          /* "seal_ignored" */
    TASK_FAULT_SWEEP_LEFT_OUT = 1 << 4,        /* "sweep_left_out" */
    TASK_FAULT_SPOOL_FORGETS = 1 << 5,         /* "spool_forgets" */
    TASK_FAULT_ERRORS_UNSEALED = 1 << 6,       /* "errors_unsealed" */
};

struct task_spec {
    char job[40]; /* job_<26>, NUL-terminated */
    uint32_t task;
    uint64_t lease;      /* epoch of the lease in the control database */
    bool claimed_before; /* a position of this task existed: missing means needs_recopy */
    struct endpoint source, destination;
    char spool_dir[512];
    uint64_t spool_quota_bytes;
    uint64_t piece_bytes;       /* longer values are copied in pieces */
    uint64_t transaction_bytes; /* of a source, applied as one, so as much of it as that */
    char import_dir[512];       /* "" = none */
    bool incremental;
    enum task_read_mode read_mode;
    struct task_scan scan;
    bool held_expiry;
    bool drops_field_expiry; /* of hashes, where the destination has none: someone decided so */
    uint64_t extend_ttl_ms;  /* added to every expiry of a copy; with a tail: 0 */
    bool map_all;            /* every database, one to one */
    int16_t database_map[TASK_DATABASES_MAX]; /* source -> destination; -1 = not selected */
    int lowest_database;                      /* of the destination: where the position lives */
    struct task_objects objects;
    bool heartbeat;
    char heartbeat_prefix[65];
    uint32_t heartbeat_interval_ms;
    enum task_conflict conflict;
    bool conflict_instance; /* it looks at every database there is, selected or not */
    enum task_recopy recopy;
    enum task_errand errand;
    unsigned faults; /* of enum task_fault */
};

/* The source database that goes into database `destination`; -1 = none. */
int task_spec_source_of(const struct task_spec *spec, int destination);

/* Every database and every key is migrated. */
static inline bool task_spec_is_whole(const struct task_spec *spec) {
    return spec->map_all && !spec->objects.prefixes;
}

/* Frees what the endpoints and objects own. */
void task_spec_done(struct task_spec *spec);

/* Errors: PROTOCOL names the member, NOT_SUPPORTED_YET what is not built. *ret_spec
 * is yours to task_spec_done(). */
MUST_CHECK bool task_spec_parse(const json_t *message, struct task_spec *ret_spec, struct err *err);
