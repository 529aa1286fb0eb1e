/* check_run.h - what the checks of one run share. Only for services/precheck.
 *
 * A check is a function of the run that leaves a finding. It returns false only
 * when it could not be carried out; the run makes that the result "error" and
 * goes on.
 */
#pragma once

#include "services/flow/import_file.h"
#include "services/flow/task_spec.h"
#include "services/precheck/check.h"

enum {
    CHECK_RUN_MAX_MS = 60000,
    CHECK_ONE_MAX_MS = 10000,
    CHECK_WRITE_SAMPLE_MS = 1000, /* writes of the source are counted over this */
    CHECK_PINGS = 20,
    CHECK_DATABASES_MAX = TASK_DATABASES_MAX,
};

/* Keys of checks begin so; they expire after CHECK_PROBE_TTL. */
#define CHECK_PROBE_PREFIX "__rmig_probe:"
#define CHECK_PROBE_TTL "5000" /* ms */

/* How far the first attempt to log in got. */
enum check_stage {
    CHECK_STAGE_NONE,
    CHECK_STAGE_RESOLVED,
    CHECK_STAGE_CONNECTED,
    CHECK_STAGE_SECURED, /* TLS stands, or is not wanted */
    CHECK_STAGE_LOGGED_IN,
};

struct check_end {
    const char *name; /* "source", "destination" */
    enum redis_side side;
    struct endpoint ep;
    struct redis_client client;
    enum check_stage reached, failed_at; /* failed_at: NONE = it did not fail */
    struct err failure;
    int32_t certificate_days; /* INT32_MAX without TLS */
    struct redis_info info;   /* after the login; unknown where it was not told */
    bool info_refused;
    bool is_sentinel;
    int64_t configured_databases; /* REDIS_INFO_UNKNOWN = not told */
    int64_t rtt_us;               /* median; REDIS_INFO_UNKNOWN = not measured */
};

struct check_run {
    const struct check_hooks *hooks;
    struct check_end source, destination;
    bool full, incremental, overwrite, heartbeat;
    enum task_read_mode read_mode;
    bool scans;           /* the copy reads with SCAN and DUMP: asked for, or found out here */
    char import_dir[512]; /* of this worker */
    bool file_is_good;    /* of a source that is a file, by src.file */
    struct import_facts file;
    bool may_write; /* probe: full */
    char heartbeat_prefix[65];
    bool map_all;
    int16_t database_map[CHECK_DATABASES_MAX];  /* source -> destination; -1 = not selected */
    char probe_key[64];                         /* on the destination */
    int64_t run_deadline_ms, check_deadline_ms; /* monotonic */
    /* The source's writes, from two looks at INFO. */
    bool sampled;
    int64_t sample_begin_ms;
    int64_t bytes_per_second; /* of the stream, at most; REDIS_INFO_UNKNOWN */
    int64_t writes_per_second;
    bool eval_allowed; /* by dst.permission */
};

struct check_finding {
    enum check_result result;
    char observed[200], threshold[120], message[400];
    char remedy[400]; /* "" = the catalogue's */
};

typedef bool check_function(struct check_run *run, struct check_finding *ret, struct err *err);

#define CHECK(id, function, ...) check_function check_##function;
#define LATER(...)
#include "services/precheck/check_catalogue.def"
#undef CHECK
#undef LATER

enum check_needs {
    CHECK_NEEDS_NOTHING,
    CHECK_NEEDS_SERVER, /* a source that is one; no login */
    CHECK_NEEDS_SOURCE,
    CHECK_NEEDS_DESTINATION,
    CHECK_NEEDS_BOTH
};

struct check_row {
    struct check_info info;
    check_function *function; /* NULL = not built */
    enum check_needs needs;
};

extern const struct check_row check_rows[];
extern const size_t check_row_count;

/* ---- findings; each returns true, so that a check can end with it ---- */

bool check_pass(struct check_finding *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool check_warn(struct check_finding *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool check_fail(struct check_finding *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool check_skip(struct check_finding *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
void check_observed(struct check_finding *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
void check_threshold(struct check_finding *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
void check_remedy(struct check_finding *f, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "1.5 MB" */
const char *check_bytes(int64_t bytes, char dst[32]);

/* ---- talking to an end (check_end.c) ---- */

/* Resolve, connect, TLS, log in, ask INFO; leaves how far it got in *end. */
void check_end_open(struct check_run *run, struct check_end *end);

/* One more connection, for what would leave marks on the first. Errors: any. */
MUST_CHECK bool check_end_dial(struct check_run *run, const struct check_end *end,
                               struct redis_client *ret, struct err *err);

/* Ask over the end's connection, within the time of the check; connects again
 * when it was lost. `words` ends with NULL. Errors: as redis_client_command. */
MUST_CHECK bool check_command(struct check_run *run, struct check_end *end,
                              const char *const *words, struct arena *arena,
                              const struct resp_value **ret, struct err *err);
#define check_ask(run, end, arena, ret, err, ...)                                                  \
    check_command((run), (end), (const char *const[]){__VA_ARGS__, NULL}, (arena), (ret), (err))

/* The same for ready bytes and several replies. */
MUST_CHECK bool check_pipeline(struct check_run *run, struct check_end *end, struct str commands,
                               size_t count, struct arena *arena,
                               const struct resp_value **ret_replies, struct err *err);

/* Milliseconds this check may still take, at least 1. */
int64_t check_time_left(const struct check_run *run);

void check_end_close(struct check_end *end);

/* Is the reply an error of that class? */
bool check_reply_is(const struct resp_value *reply, enum resp_error class);

/* The reply is a refusal by the account's rights or the command is not there. */
bool check_is_refused(const struct resp_value *reply);

/* May the copy go without PSYNC? */
static inline bool check_may_scan(const struct check_run *run) {
    return run->read_mode == TASK_READ_AUTO && !run->incremental;
}

/* A reply's text for people: escaped and cut. */
const char *check_show(const struct resp_value *reply, char dst[160]);

/* The account's name in remedies. */
const char *check_user(const struct check_end *end);

/* Count the source's writes over CHECK_WRITE_SAMPLE_MS, once per run. */
MUST_CHECK bool check_sample_writes(struct check_run *run, struct err *err);

/* The destination's databases that may be written, as far as is known: those the selection
 * maps to, or with all selected those where the source has keys; at least one. Returns how many. */
size_t check_target_databases(const struct check_run *run, int ret_numbers[CHECK_DATABASES_MAX]);

/* ---- what the run says at its end (check_facts.c) ---- */
json_t *check_facts(const struct check_run *run);
json_t *check_plan(const struct check_run *run);
