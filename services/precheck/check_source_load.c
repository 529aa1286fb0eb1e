/* What the migration asks of a source beside data: memory for a fork, room in its buffers, time,
 * and that it takes us for a replica. What is at stake decides, not a fixed number. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/resp/resp_write.h"
#include "services/common/clock.h"
#include "services/job/job_class.h"
#include "services/precheck/check_run.h"

enum {
    /* The stream's link stands still that long before TCP or we give it up; what is written
     * meanwhile lies in the source's output buffer. */
    STALL_SECONDS = 5,
    /* We acknowledge once a second and the source looks each second. */
    REPL_TIMEOUT_MIN_SECONDS = 10,
    PAGE_BYTES = 4096,
    ECHO_BYTES = 64 * 1024,
    ECHO_COUNT = 16,
    COPY_HOURS_MAX = 24,
    RATE_PERCENT_MAX = 70, /* of a limit: above, a burst is behind at once */
};

bool check_uses_two_connections(const struct check_run *run) {
    const struct redis_info *info = &run->source.info;

    return !run->syncs && (info->product == REDIS_PRODUCT_VALKEY || info->version_number >= 60200);
}

/* The rate of the stream, 0 when it is not known. */
static int64_t stream_rate(const struct check_run *run) {
    return run->sampled && run->bytes_per_second > 0 ? run->bytes_per_second : 0;
}

/* "... slave 268435456 67108864 60 ..." */
static bool replica_limit(struct str text, int64_t *ret_hard, int64_t *ret_soft) {
    struct str word, hard, soft;

    while (str_cut(&text, ' ', &word)) {
        if (!str_equal(word, STR_LIT("slave")) && !str_equal(word, STR_LIT("replica")))
            continue;
        return str_cut(&text, ' ', &hard) && str_cut(&text, ' ', &soft) &&
               str_parse_i64(hard, ret_hard) && str_parse_i64(soft, ret_soft);
    }
    return false;
}

bool check_src_output_buffer(struct check_run *run, struct check_finding *ret, struct err *err) {
    int64_t hard, soft, limit, need, seconds = STALL_SECONDS;
    char value[400], shown[32], wanted[32];

    if (run->scans)
        return check_skip(ret, "The copy reads with SCAN and DUMP");
    if (!check_config(run, &run->source, "client-output-buffer-limit", value, sizeof(value), err) ||
        !check_sample_writes(run, err))
        return false;
    if (!replica_limit(str_from(value), &hard, &soft))
        return check_skip(ret, "The account may not ask for client-output-buffer-limit (CONFIG)");
    /* Over one connection all that is written while the snapshot travels waits in the buffer. */
    if (!check_uses_two_connections(run))
        seconds += check_copy_seconds(run) * 3 / 2;
    need = stream_rate(run) * seconds;
    limit = hard > 0 && (soft <= 0 || hard < soft) ? hard : soft;
    check_threshold(ret, "%s: %" PRId64 " s of writes", check_bytes(need, wanted), seconds);
    if (limit <= 0) {
        check_observed(ret, "no limit");
        return check_pass(ret, "The output buffer of a replica has no limit");
    }
    check_observed(ret, "%s", check_bytes(limit, shown));
    if (limit < need)
        return check_warn(ret,
                          "The source cuts a replica's link at %s waiting for it; %" PRId64
                          " s of its writes are %s",
                          shown, seconds, wanted);
    return check_pass(ret, check_uses_two_connections(run)
                               ? "Snapshot and stream have a connection each: little waits in the "
                                 "output buffer"
                               : "What is written during the snapshot fits into the output buffer");
}

bool check_src_repl_timeout(struct check_run *run, struct check_finding *ret, struct err *err) {
    char value[32];
    int64_t seconds;

    if (run->scans)
        return check_skip(ret, "The copy reads with SCAN and DUMP");
    if (run->syncs)
        return check_skip(ret, "Replicas that came by SYNC are not expected to acknowledge");
    if (!check_config(run, &run->source, "repl-timeout", value, sizeof(value), err))
        return false;
    if (!str_parse_i64(str_from(value), &seconds))
        return check_skip(ret, "The account may not ask for repl-timeout (CONFIG)");
    check_observed(ret, "%" PRId64 " s", seconds);
    check_threshold(ret, "%d s", REPL_TIMEOUT_MIN_SECONDS);
    if (seconds < REPL_TIMEOUT_MIN_SECONDS)
        return check_warn(ret,
                          "The source cuts the link of a replica that was silent for %" PRId64
                          " s: a short stall of the network means a new connection",
                          seconds);
    return check_pass(ret, "We acknowledge every second, the source waits %" PRId64 " s", seconds);
}

bool check_src_fork_headroom(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct redis_info *info = &run->source.info;
    int64_t rss = info->used_memory_rss, free_bytes, dirty, need;
    char need_text[32], free_text[32];

    if (run->scans)
        return check_skip(ret, "The copy reads with SCAN and DUMP: nothing is forked");
    if (!check_sample_writes(run, err))
        return false;
    if (strcmp(info->last_bgsave_status, "err") == 0) {
        check_observed(ret, "rdb_last_bgsave_status: err");
        check_remedy(ret, "Look into the source's log why its last snapshot failed: full disk, or "
                          "vm.overcommit_memory=0 with too little memory; BGSAVE must work");
        return check_warn(ret, "The source's last snapshot failed; the copy needs one");
    }
    if (rss < 0 || info->total_system_memory <= 0)
        return check_skip(ret, "The account may not ask for the source's memory (INFO)");
    /* Page tables, and a page for every write while the snapshot is written. */
    dirty = run->writes_per_second > 0
                ? run->writes_per_second * check_copy_seconds(run) * PAGE_BYTES
                : 0;
    need = rss / 100 + (dirty < rss ? dirty : rss);
    free_bytes = info->total_system_memory > rss ? info->total_system_memory - rss : 0;
    check_observed(ret, "%s at most free on the machine", check_bytes(free_bytes, free_text));
    check_threshold(ret, "%s", check_bytes(need, need_text));
    if (free_bytes < need)
        return check_warn(ret,
                          "The snapshot's fork may need %s more while it is written, the machine "
                          "has %s beside this server",
                          need_text, free_text);
    return check_pass(ret, "About %s are written anew during the snapshot; there is room",
                      need_text);
}

bool check_src_bgsave_running(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct redis_info *info = &run->source.info;

    (void)err;
    if (run->scans)
        return check_skip(ret, "The copy reads with SCAN and DUMP");
    if (info->bgsave_in_progress == 1 || info->aof_rewrite_in_progress == 1) {
        const char *what = info->bgsave_in_progress == 1 ? "a snapshot" : "a rewrite of its AOF";

        check_observed(ret, "%s", what);
        return check_warn(ret, "The source is at %s: the copy waits for its end", what);
    }
    return check_pass(ret, "No other snapshot is being written");
}

bool check_src_bandwidth(struct check_run *run, struct check_finding *ret, struct err *err) {
    static const char zeros[ECHO_BYTES];
    const struct resp_value *replies[ECHO_COUNT];
    struct buf out = BUF_INIT((size_t)ECHO_COUNT * (ECHO_BYTES + 64));
    struct arena arena = ARENA_INIT;
    int64_t data = run->source.info.used_memory_dataset, rate, hours, began;
    char shown[32];
    bool ok = true, refused;

    for (int i = 0; ok && i < ECHO_COUNT; i++)
        ok = resp_put_array(&out, 2, err) && resp_put_bulk(&out, STR_LIT("ECHO"), err) &&
             resp_put_bulk(&out, str_of(zeros, sizeof(zeros)), err);
    began = clock_mono_us();
    ok = ok && check_pipeline(run, &run->source, buf_str(&out), ECHO_COUNT, &arena, replies, err);
    rate = (int64_t)ECHO_COUNT * ECHO_BYTES * 1000000 / (clock_mono_us() - began + 1);
    refused = ok && replies[0]->type != RESP_BULK;
    buf_done(&out);
    arena_done(&arena);
    if (!ok)
        return false;
    if (refused)
        return check_skip(ret, "The account may not run ECHO, which would measure the way");
    if (data < 0)
        return check_skip(ret, "The account may not ask for the source's memory (INFO)");
    hours = data / (rate + 1) / 3600;
    check_observed(ret, "%s/s", check_bytes(rate, shown));
    check_threshold(ret, "%d h for all of it", COPY_HOURS_MAX);
    if (hours >= COPY_HOURS_MAX)
        return check_warn(ret, "At %s/s the copy takes about %" PRId64 " hours", shown, hours);
    if (run->incremental && !check_sample_writes(run, err))
        return false;
    if (run->incremental && stream_rate(run) * 100 > rate * RATE_PERCENT_MAX) {
        char changes[32];

        check_threshold(ret, "%s/s of changes, and some more",
                        check_bytes(stream_rate(run), changes));
        return check_warn(ret,
                          "The source's changes are about %s/s, and %s/s come through: the job may "
                          "never catch up",
                          changes, shown);
    }
    return check_pass(ret, "%s/s at least come through, %" PRId64 " bytes/s of changes", shown,
                      run->incremental && stream_rate(run) > 0 ? stream_rate(run) : 0);
}

static int64_t limit_of(const json_t *phase, const char *name) {
    const json_t *value = json_object_get(phase, name);

    return json_is_true(json_object_get(phase, "enabled")) && json_is_integer(value)
               ? json_integer_value(value)
               : 0;
}

bool check_src_write_rate(struct check_run *run, struct check_finding *ret, struct err *err) {
    const json_t *phase = json_object_get(json_object_get(run->spec, "throttle"), "incremental");
    const char *class = json_string_value(json_object_get(run->spec, "instance_class"));
    int64_t writes = limit_of(phase, "rps"), bytes = limit_of(phase, "bytes_per_second");
    int64_t cap = job_class_cap(class);

    if (!run->incremental)
        return check_skip(ret, "Changes are not followed");
    writes = cap > 0 && (writes <= 0 || cap < writes) ? cap : writes;
    if (!check_sample_writes(run, err))
        return false;
    if (run->writes_per_second == REDIS_INFO_UNKNOWN)
        return check_skip(ret, "The account may not ask for the count of writes (INFO)");
    check_observed(ret, "%" PRId64 " writes/s, %" PRId64 " bytes/s", run->writes_per_second,
                   stream_rate(run));
    if (writes <= 0 && bytes <= 0)
        return check_pass(ret, "Neither class nor throttle limits what is followed");
    check_threshold(ret, "%d %% of %" PRId64 " %s", RATE_PERCENT_MAX, writes > 0 ? writes : bytes,
                    writes > 0 ? "writes/s" : "bytes/s");
    check_remedy(ret, "Raise throttle.incremental, or switch it off");
    if (cap > 0 && cap == writes)
        check_remedy(ret, "A larger instance class than %s", class);
    if ((writes > 0 && run->writes_per_second * 100 > writes * RATE_PERCENT_MAX) ||
        (bytes > 0 && stream_rate(run) * 100 > bytes * RATE_PERCENT_MAX))
        return check_warn(ret,
                          "The source is written at %" PRId64 "/s, class or throttle let through "
                          "little more or less: the job may never catch up",
                          run->writes_per_second);
    check_remedy(ret, "%s", "");
    return check_pass(ret, "The source is written more slowly than what may be applied");
}

/* Attached as a replica we are counted as one. */
bool check_src_replica_semantics(struct check_run *run, struct check_finding *ret,
                                 struct err *err) {
    const struct redis_info *info = &run->source.info;
    int64_t waits, waits_aof, least = 0, rate;
    char value[32], pause[80] = "";

    if (run->scans || !run->incremental)
        return check_skip(ret, "We are no replica for longer than a copy");
    if (!check_calls(run, "wait", &waits, err) || !check_calls(run, "waitaof", &waits_aof, err) ||
        !check_config(run, &run->source, "min-replicas-to-write", value, sizeof(value), err) ||
        !check_sample_writes(run, err))
        return false;
    if (value[0] && !str_parse_i64(str_from(value), &least))
        least = 0;
    rate = stream_rate(run);
    if (rate > 0 && info->backlog_size > 0)
        snprintf(pause, sizeof(pause), "; without the spool a pause may last %" PRId64 " s",
                 info->backlog_size / rate);
    check_observed(ret,
                   "min-replicas-to-write %s, WAIT used %" PRId64 " times, %" PRId64 " replicas%s",
                   value[0] ? value : "unknown", waits > 0 ? waits : 0,
                   info->connected_replicas > 0 ? info->connected_replicas : 0, pause);
    check_threshold(ret, "none of its writers counts replicas");
    if (least > 0 && info->connected_replicas <= least) {
        check_remedy(ret, "Raise min-replicas-to-write by one for the length of the job, or copy "
                          "from a replica");
        return check_warn(ret,
                          "min-replicas-to-write is %" PRId64 " and the source has %" PRId64
                          " replicas: we would be counted as one, and hold no copy a failover "
                          "could use",
                          least, info->connected_replicas);
    }
    if (waits > 0 || waits_aof > 0)
        return check_warn(ret,
                          "Clients of the source have used WAIT %" PRId64
                          " times: we acknowledge what lies in the spool and are counted as a "
                          "replica",
                          waits + (waits_aof > 0 ? waits_aof : 0));
    return check_pass(ret, "Nobody counts the source's replicas%s", pause);
}

/* Sentinels name their connections; each lists what INFO shows as a replica. */
bool check_src_replicas_sentinel(struct check_run *run, struct check_finding *ret,
                                 struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    int sentinels = 0;
    bool ok, told;
    struct str line, text;

    if (run->scans || !run->incremental)
        return check_skip(ret, "We are no replica for longer than a copy");
    ok = check_ask(run, &run->source, &arena, &reply, err, "CLIENT", "LIST");
    told = ok && reply->type == RESP_BULK;
    text = told ? reply->str : STR_EMPTY;
    while (str_cut(&text, '\n', &line))
        sentinels += memmem(line.ptr, line.len, " name=sentinel-", 15) != NULL &&
                     memmem(line.ptr, line.len, "-cmd", 4) != NULL;
    arena_done(&arena);
    if (!ok)
        return false;
    if (!told)
        return check_skip(ret, "The account may not list clients (CLIENT LIST)");
    check_observed(ret, "%d Sentinels", sentinels);
    if (sentinels > 0)
        return check_warn(ret,
                          "%d Sentinels watch the source: we announce port 0 and are never "
                          "promoted, but stay in their lists as a replica that is down",
                          sentinels);
    return check_pass(ret, "No Sentinel watches the source");
}
