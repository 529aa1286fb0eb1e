/* up_children.h - the API and the workers of `keyferry up`: started, watched, started
 * again with growing pauses, stopped in order.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/base/err.h"
#include "services/common/backoff.h"
#include "services/ctl/output_log.h"

enum { UP_CHILDREN_MAX = 66 };

struct up_child {
    char name[24];     /* "api", "worker-1": of its log */
    char program[512]; /* absolute */
    struct output_log log;
    struct backoff backoff;
    pid_t pid; /* 0 = not running */
    int64_t started_ms;
    int64_t next_start_ms; /* monotonic clock; when pid is 0 */
    off_t log_start;
};

struct up_children {
    struct up_child child[UP_CHILDREN_MAX];
    int count;
    char *const *environment; /* borrowed */
    const char *config_file;  /* borrowed; handed to each as --config; NULL = none */
};

/* Add one; its log opens, it does not start yet. Errors: CONFIG (the program is not
 * there), IO. */
MUST_CHECK bool up_children_add(struct up_children *all, const char *dir, const char *name,
                                const char *program, struct err *err);

/* Start what is due. A failure to start is logged and tried again. */
void up_children_tick(struct up_children *all, int64_t now_ms);

/* A process of this pid ended. False when it is none of them. */
bool up_children_ended(struct up_children *all, pid_t pid, int status, int64_t now_ms);

/* Ask all but the first (the API) to stop, wait, then the API; kill what does not. */
void up_children_stop(struct up_children *all);

/* Keep their logs small. */
void up_children_trim_logs(struct up_children *all);
