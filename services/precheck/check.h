/* check.h - the precheck: what must be true of both ends before data moves.
 *
 * check_catalogue.def lists every check there is; the rows that have a function
 * are built and run. A run connects to both ends, goes through the rows in order
 * and gives each finding away as soon as it is there. It reads, and with
 * `probe: full` writes keys named __rmig_probe:<ulid>… that expire in five seconds
 * and are removed at once: on the destination, and one under the heartbeat's
 * prefix on the source. No KEYS, MONITOR, DEBUG or CONFIG SET.
 *
 * A check that could not be carried out is a result of its own (error); "it did
 * not pass" is a finding. What an account may not ask makes a warning or skips the
 * check, never a failure.
 *
 * Source: what Alibaba Cloud DTS and its peers check, and what Redis 7.0, 8.6 and
 * Valkey 9.1 answered to the probes.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "services/net/endpoint.h"
#include "services/redis/redis_client.h"

enum check_severity { CHECK_INFO, CHECK_WARN, CHECK_ERROR }; /* the worst a check can say */
enum check_result {
    CHECK_PASSED,
    CHECK_WARNED,
    CHECK_FAILED,
    CHECK_SKIPPED,
    CHECK_BROKEN, /* "error": it could not be carried out */
};

/* ---- the catalogue ---- */

struct check_info {
    const char *id; /* "dst.eviction" */
    const char *title;
    const char *remedy;
    enum check_severity severity;
    bool ignorable; /* its warning may be accepted */
    bool built;
};

/* All checks, in the order in which they are shown. */
const struct check_info *check_catalogue(size_t *ret_count);

/* The place of a check in the catalogue; the count of all when there is none of that id. */
size_t check_find(const char *id);

/* Where the API tells more of a check: this and its id. */
#define CHECK_DOC_PATH "/v1/checks/"

/* The catalogue as GET /v1/checks shows it: [{"id","title","severity","ignorable","remedy",
 * "built"}]. A new reference. */
json_t *check_catalogue_json(void);

/* The ids of the checks that a run of that purpose (store_precheck.h) carries out for a
 * specification, but for those `carried` over from an earlier one (may be NULL); NULL = all. A new
 * reference. */
json_t *check_purpose(const char *purpose, const json_t *carried, const json_t *spec);

/* {"success_rate": n, "counts": {"pass", "warn", "fail", "ignored", "skipped", "error"}} of
 * the items of a run. success_rate: percent of those not skipped that passed,
 * are ignored or are remarks, which nobody can accept, rounded down; 0 when there are none. While
 * it `runs`, checks without an item count as not passed yet: whoever waits for 100 does not see it
 * before the end. Pure. A new reference.
 */
json_t *check_summary(const json_t *items, bool runs);

/* ---- a run ---- */

struct check_hooks {
    void *context;
    /* What a login at `end` ("source", "destination") needs, as it is now. */
    bool (*credentials)(void *context, const char *end, struct credentials *ret, struct err *err);
    /* One item, borrowed. False ends the run. */
    bool (*item)(void *context, const json_t *item, struct err *err);
};

/* Carry out a precheck. `message` is {"source":ENDPOINT, "destination":ENDPOINT,
 * "spec":{canonical specification}, "probe":"full"|"read_only", "checks":[ids; missing = all],
 * "worker":{what the supervisor knows: check_worker.c}}. One end may be missing: then only what
 * looks at the other is done. Both ends are asked at the same time; hooks are called one at a
 * time. It takes at most a minute, ten seconds per check. *ret_facts and *ret_plan are new
 * references. Errors: PROTOCOL (message), whatever hooks->item fails with. */
MUST_CHECK bool check_run(const json_t *message, const struct check_hooks *hooks,
                          json_t **ret_facts, json_t **ret_plan, struct err *err);

/* Only look at one end, the source's `endpoint`: its facts, as check_run() has them. *ret_facts is
 * a new reference. Errors: those of the login; NOT_SUPPORTED_YET, SOURCE_NOPERM, SOURCE_BUSY (it is
 * named as a cluster and is none, may not be asked, or serves nothing). */
MUST_CHECK bool check_look(const json_t *endpoint, const struct check_hooks *hooks,
                           json_t **ret_facts, struct err *err);

/* The duty `check` of a worker's child: spec in; items, facts and plan out through
 * `socket_fd` as child.h says. Returns the exit code. */
int check_child_main(int socket_fd);
