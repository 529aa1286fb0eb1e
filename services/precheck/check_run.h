/* check_run.h - what the checks of one run share. Only for services/precheck.
 *
 * A check is a function of the run that leaves a finding. It returns false only
 * when it could not be carried out; the run makes that the result "error" and
 * goes on.
 *
 * Three stages. Both ends are opened, each in a thread of its own. Then the rows of
 * the source and those of the destination run beside each other: a row touches the
 * connection of its own end only, and of the other what the first stage left
 * (`info`). Last the rows that need both, or neither.
 *
 * An end that is a cluster has a run of its own for each shard (check_shards.h), so a check
 * knows nothing of clusters unless it is about them.
 */
#pragma once

#include <pthread.h>

#include "services/flow/import_file.h"
#include "services/flow/task_spec.h"
#include "services/precheck/check.h"

enum {
    CHECK_ROWS_MAX = 96,
    CHECK_RUN_MAX_MS = 60000,
    CHECK_ONE_MAX_MS = 10000,
    CHECK_WRITE_SAMPLE_MS = 1000, /* writes of the source are counted over this */
    CHECK_PINGS = 20,
    CHECK_SAMPLE_MAX = 1000,
    CHECK_CALLS_MAX = 600,
    CHECK_DATABASES_MAX = TASK_DATABASES_MAX,
};

/* Keys of checks begin so; they expire after CHECK_PROBE_TTL. */
#define CHECK_PROBE_PREFIX "__rmig_probe:"
#define CHECK_PROBE_TTL "5000" /* ms */

/* Keys of the source, of the databases that are selected. */
struct check_sample {
    bool is_refused;  /* the account may not look: nothing is known */
    bool is_complete; /* these are all there are */
    size_t count;
    struct check_key {
        int database;
        struct str name; /* any bytes */
        int64_t bytes;   /* MEMORY USAGE; REDIS_INFO_UNKNOWN */
        int64_t pttl_ms; /* -1 = never, -2 = gone */
        char type[16];
    } keys[CHECK_SAMPLE_MAX];
};

struct check_call {
    char name[32]; /* "xgroup|create" */
    int64_t calls;
};

/* How far the first attempt to log in got. */
enum check_stage {
    CHECK_STAGE_NONE,
    CHECK_STAGE_RESOLVED,
    CHECK_STAGE_CONNECTED,
    CHECK_STAGE_SECURED, /* TLS stands, or is not wanted */
    CHECK_STAGE_LOGGED_IN,
};

struct check_cluster;
struct slot_set;

struct check_end {
    const char *name; /* "source", "destination" */
    char label[300];  /* of the whole end; ep.label is of the server that is talked to */
    struct check_cluster
        *cluster; /* NULL unless it is named as one and was asked (check_shards.h) */
    const struct slot_set *slots; /* of a shard; NULL = it is none */
    bool is_view;   /* stands for the other end in a shard's run: what is known, no connection */
    bool is_silent; /* a shard did not answer in time: it is not asked again */
    bool is_wanted; /* a connectivity test may name one end only */
    int64_t deadline_ms; /* monotonic: of the check that is at work on this end */
    enum redis_side side;
    struct endpoint ep;
    struct redis_client client;
    enum check_stage reached, failed_at; /* failed_at: NONE = it did not fail */
    struct err failure;
    int32_t certificate_days;        /* INT32_MAX without TLS */
    int32_t client_certificate_days; /* INT32_MAX without one */
    struct redis_info info;          /* after the login; unknown where it was not told */
    bool info_refused;
    bool is_sentinel;
    int64_t configured_databases;         /* REDIS_INFO_UNKNOWN = not told */
    int64_t rtt_us;                       /* median; REDIS_INFO_UNKNOWN = not measured */
    int64_t opened_ms;                    /* monotonic: when its INFO was asked */
    int probe_keys;                       /* written to try it, and removed */
    int64_t connect_us, tls_us, login_us; /* of the attempt that counts; UNKNOWN = not reached */
    json_t *reading;                      /* owned; what check_reading.c found; NULL = nothing */
};

/* What the threads of a run share: one at a time asks and tells through the hooks. */
struct check_talk {
    const struct check_hooks *hooks;
    pthread_mutex_t lock;
    bool is_over; /* a hook failed: nothing more is begun */
    struct err failure;
};

struct check_run {
    struct check_talk *talk;
    bool asked[CHECK_ROWS_MAX];
    const json_t *message, *spec; /* borrowed: what the run was asked for */
    struct check_end source, destination;
    bool full, incremental, heartbeat;
    enum task_conflict conflict;
    bool conflict_instance;
    enum task_read_mode read_mode;
    bool scans;           /* the copy reads with SCAN and DUMP: asked for, or found out here */
    bool selects_types;   /* such a copy names types: SCAN … TYPE */
    bool syncs;           /* the source is read by SYNC: likewise */
    char import_dir[512]; /* of this worker */
    bool file_is_good;    /* of a source that is a file, by src.file */
    struct import_facts file;
    bool all_keys_named; /* the remedy of src.read_permission gives the account every key */
    bool may_write;      /* probe: full */
    char heartbeat_prefix[65];
    bool map_all;
    int16_t database_map[CHECK_DATABASES_MAX]; /* source -> destination; -1 = not selected */
    char probe_key[64];                        /* on the destination */
    char slot_tag[16]; /* "{la2}": what a key of a shard's slots begins with; "" = any will do */
    int64_t run_deadline_ms; /* monotonic */
    /* The source's writes, from two looks at INFO. */
    bool sampled;
    int64_t bytes_per_second; /* of the stream, at most; REDIS_INFO_UNKNOWN */
    int64_t writes_per_second;
    int64_t snapshot_wait_s; /* before the source begins a snapshot for us; REDIS_INFO_UNKNOWN */
    bool eval_allowed;       /* by dst.permission */
    struct arena arena;      /* of the samples */
    bool borrows_samples;    /* sample and calls are the whole run's */
    size_t sample_max;       /* keys; at most CHECK_SAMPLE_MAX */
    struct check_sample *sample; /* NULL = not taken */
    struct check_call *calls;    /* NULL = not asked */
    size_t call_count;
    bool calls_refused;
};

struct check_finding {
    enum check_result result;
    char observed[200], threshold[120], message[400];
    char remedy[400]; /* "" = the catalogue's */
    char shard[300];  /* which one it is about; "" = the end as a whole */
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

/* Only that server, which end->ep names. */
void check_end_open_server(struct check_run *run, struct check_end *end);

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

/* Milliseconds the check that is at work on this end may still take, at least 1. */
int64_t check_time_left(const struct check_end *end);

/* What a login at `end` needs. Errors: as hooks->credentials. */
MUST_CHECK bool check_credentials(struct check_run *run, const struct check_end *end,
                                  struct credentials *ret, struct err *err);

void check_end_close(struct check_end *end);

/* Is the reply an error of that class? */
bool check_reply_is(const struct resp_value *reply, enum resp_error class);

/* The reply is a refusal by the account's rights or the command is not there. */
bool check_is_refused(const struct resp_value *reply);

/* May the copy go without PSYNC? */
static inline bool check_may_scan(const struct check_run *run) {
    return run->read_mode == TASK_READ_AUTO && !run->incremental;
}

/* One setting by CONFIG GET, escaped; "" when the account may not ask or there is none. */
MUST_CHECK bool check_config(struct check_run *run, struct check_end *end, const char *name,
                             char *dst, size_t dst_size, struct err *err);

/* A reply's text for people: escaped and cut. */
const char *check_show(const struct resp_value *reply, char dst[160]);

/* The account's name in remedies. */
const char *check_user(const struct check_end *end);

/* -NOPERM speaks of a command or, here, of a key. */
bool check_is_about_keys(const struct resp_value *reply);

/* A remedy is pasted as it is: ACL SETUSER refuses the whole line for one word that the server does
 * not know, so words of 7.0 are for servers that are known to be so. */
bool check_knows_functions(const struct check_end *end);

/* The remedy where these ends do not tell what INFO tells. */
void check_remedy_info(const struct check_run *run, bool source, bool destination,
                       struct check_finding *f);

/* Carry a row out, within its time. */
void check_carry_out(struct check_run *run, const struct check_row *row, struct check_finding *ret);

/* A run that knows nothing yet. */
struct check_run *check_run_new(void);

/* Read check_run()'s message into the run. Errors: PROTOCOL; as endpoint_from_json. */
MUST_CHECK bool check_message_read(const json_t *message, struct check_run *run, struct err *err);

/* ---- samples (check_sample.c) ---- */

/* Count the source's writes over CHECK_WRITE_SAMPLE_MS, once per run. */
MUST_CHECK bool check_sample_writes(struct check_run *run, struct err *err);

/* The source's databases that are selected, as far as is known; at least one. */
size_t check_source_databases(const struct check_run *run, int ret_numbers[CHECK_DATABASES_MAX]);

/* The destination's databases that may be written, as far as is known: those the selection
 * maps to, or with all selected those where the source has keys; at least one. Returns how many. */
size_t check_target_databases(const struct check_run *run, int ret_numbers[CHECK_DATABASES_MAX]);

/* Look at some of the source's keys, once per run. *ret_sample stays the run's. */
MUST_CHECK bool check_sample_keys(struct check_run *run, const struct check_sample **ret_sample,
                                  struct err *err);
void check_sample_done(struct check_run *run);

/* What a person learns from a sample: {"keys", "is_complete", "types":{name: n},
 * "largest_bytes", "prefixes":[{"prefix", "keys"}]}, most frequent first. A new reference. */
json_t *check_sample_json(const struct check_sample *sample);

/* Wait until that much time has passed since the end's first INFO, or the check's is over. */
void check_wait_since(const struct check_end *end, int64_t ms);

/* Fill run->calls, once per run. */
MUST_CHECK bool check_calls_read(struct check_run *run, struct err *err);

/* How often the source has run each command since it started, once per run; for one name.
 * REDIS_INFO_UNKNOWN when it does not tell. */
MUST_CHECK bool check_calls(struct check_run *run, const char *name, int64_t *ret_calls,
                            struct err *err);

/* How much of the source's data is selected, by its keys and by the sample, where one was taken;
 * 1 to 100, rather too much than too little. */
int64_t check_selected_percent(const struct check_run *run);

/* Is a key of that source database part of the selection? */
/* Does the job select keys of a source database by prefix? */
bool check_has_prefixes(const struct check_run *run, int database);
bool check_selects(const struct check_run *run, int database, struct str name);

/* Is this a run for a job that knows its ends already (check_identity.c)? */
bool check_identity_is_asked(const struct check_run *run);

/* The instance by which the destination is marked as in use by applications; NULL = none. */
const char *check_live_instance(const struct check_run *run);

/* ---- looks at an end of a job that lives (check_reading.c) ---- */

/* What the run's message asks to be read ("reading": "counts" or "clients") of an end that was
 * opened: leaves end->reading. Nothing when it asks for none. Never fails: what could not be read
 * is said in it. */
void check_reading(struct check_run *run, struct check_end *end);

/* The answer to CLIENT LIST, for "clients" (check_clients.c). Groups of connections that look the
 * same to a person; pure. */
struct check_clients;
struct check_clients *check_clients_new(void);
void check_clients_free(struct check_clients *clients);
/* Several looks may be taken, one after the other: a client that was seen to write once writes. */
void check_clients_look(struct check_clients *clients, struct str text);
/* {"looks", "connections", "groups": [...], "connections_left_out"}. Of another account's end
 * (is_foreign) neither addresses nor users are told. A new reference. */
json_t *check_clients_json(const struct check_clients *clients, bool is_foreign);

/* ---- estimates (check_facts.c): a person wants to know whether it is seconds or hours ---- */
int64_t check_copy_seconds(const struct check_run *run);
int64_t check_spool_bytes(const struct check_run *run);

/* How long the source lets a replica wait before it forks for it (repl-diskless-sync-delay):
 * sets run->snapshot_wait_s. Never fails: what is not told is not known. */
void check_sample_snapshot_wait(struct check_run *run);

/* Snapshot and stream over a connection each: from Redis 6.2 on, and every Valkey. */
bool check_uses_two_connections(const struct check_run *run);

/* ---- what the run says at its end (check_facts.c) ---- */
json_t *check_facts(const struct check_run *run);
json_t *check_plan(const struct check_run *run);
