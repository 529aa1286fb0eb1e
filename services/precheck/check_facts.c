/* What a run learned about both ends, and what would be done. */
#include <stdio.h>

#include "services/precheck/check_shards.h"

/* Bytes a second a copy moves on one core, for the estimate only. */
static const int64_t copy_bytes_per_second = (int64_t)100 * 1024 * 1024;
static const int64_t copy_keys_per_second = 400000;

static json_t *number_or_null(int64_t value) {
    return value == REDIS_INFO_UNKNOWN ? json_null() : json_integer(value);
}

static json_t *text_or_null(const char *text) {
    return text[0] ? json_string(text) : json_null();
}

static json_t *databases(const struct redis_info *info) {
    json_t *list;

    if (!info->has_keyspace)
        return json_null();
    list = json_array();
    for (uint32_t i = 0; i < info->database_count; i++)
        json_array_append_new(list,
                              json_pack("{s:i, s:I, s:I}", "number", info->databases[i].number,
                                        "keys", (json_int_t)info->databases[i].keys, "expires",
                                        (json_int_t)info->databases[i].expires));
    return list;
}

static const char *topology(const struct check_end *end) {
    if (end->is_sentinel)
        return "sentinel";
    if (end->info.cluster_enabled == REDIS_INFO_UNKNOWN)
        return "unknown";
    return end->info.cluster_enabled ? "cluster" : "standalone";
}

static json_t *tls_facts(const struct check_end *end) {
    static const char *const words[] = {"full", "ca", "none"};
    int32_t server = end->certificate_days, client = end->client_certificate_days;

    if (!end->ep.tls)
        return json_null();
    return json_pack(
        "{s:s, s:o, s:o}", "verify", words[end->ep.tls_verify], "certificate_days_left",
        server == INT32_MAX ? json_null() : json_integer(server), "client_certificate_days_left",
        client == INT32_MAX ? json_null() : json_integer(client));
}

/* How long each step of the way took; null = not reached, or not wanted. */
static json_t *timings(const struct check_end *end) {
    return json_pack("{s:o, s:o, s:o}", "connect_us", number_or_null(end->connect_us), "tls_us",
                     number_or_null(end->tls_us), "login_us", number_or_null(end->login_us));
}

static json_t *server_facts(const struct check_end *end) {
    const struct redis_info *info = &end->info;

    if (!end->is_wanted)
        return json_null();
    if (endpoint_is_file(&end->ep))
        return json_pack("{s:s}", "label", end->label);
    if (end->reached != CHECK_STAGE_LOGGED_IN)
        return json_pack("{s:s, s:b, s:o}", "label", end->label, "reachable", 0, "timings",
                         timings(end));
    return json_pack(
        "{s:s, s:b, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "label",
        end->label, "reachable", 1, "product", redis_product_name(info->product), "version",
        text_or_null(info->version), "topology", topology(end), "role", text_or_null(info->role),
        "databases", databases(info), "keys", number_or_null(redis_info_keys(info)),
        "used_memory_bytes", number_or_null(info->used_memory), "maxmemory_bytes",
        number_or_null(info->maxmemory), "maxmemory_policy", text_or_null(info->maxmemory_policy),
        "system_memory_bytes", number_or_null(info->total_system_memory), "round_trip_us",
        number_or_null(end->rtt_us), "tls", tls_facts(end), "timings", timings(end));
}

static json_t *end_facts(const struct check_end *end) {
    json_t *facts = server_facts(end);
    unsigned covered = 0;

    if (!check_has_shards(end))
        return facts;
    for (size_t i = 0; i < end->cluster->count; i++)
        covered += slot_set_size(&end->cluster->shards[i].slots);
    json_object_set_new(facts, "shard_count", json_integer((json_int_t)end->cluster->count));
    json_object_set_new(facts, "slots_covered", json_integer(covered));
    json_object_set_new(facts, "shards", check_gather_facts(end->cluster));
    return facts;
}

static int probe_keys(const struct check_end *end) {
    int count = end->probe_keys;

    for (size_t i = 0; check_has_shards(end) && i < end->cluster->count; i++)
        count += end->cluster->shards[i].end->probe_keys;
    return count;
}

json_t *check_facts(const struct check_run *run) {
    json_t *source = end_facts(&run->source), *destination = end_facts(&run->destination);

    if (endpoint_is_file(&run->source.ep)) {
        json_object_set_new(source, "reachable", json_boolean(run->file_is_good));
        if (run->file_is_good) {
            json_object_set_new(source, "product", json_string(rdb_vendor_name(run->file.vendor)));
            json_object_set_new(source, "version", text_or_null(run->file.server_version));
            json_object_set_new(source, "rdb_version", json_integer(run->file.rdb_version));
            json_object_set_new(source, "bytes", json_integer((json_int_t)run->file.bytes));
        }
        if (run->file.is_whole)
            json_object_set_new(source, "keys", json_integer((json_int_t)run->file.keys));
    }
    if (run->source.reached == CHECK_STAGE_LOGGED_IN &&
        json_is_true(json_object_get(run->message, "discover")) && run->sample)
        json_object_set_new(source, "sample", check_sample_json(run->sample));
    if (run->source.reached == CHECK_STAGE_LOGGED_IN) {
        json_object_set_new(
            source, "writes_per_second",
            number_or_null(run->sampled ? run->writes_per_second : REDIS_INFO_UNKNOWN));
        json_object_set_new(source, "backlog_bytes", number_or_null(run->source.info.backlog_size));
    }
    if (run->source.reading)
        json_object_set(source, "reading", run->source.reading);
    if (run->destination.reading)
        json_object_set(destination, "reading", run->destination.reading);
    return json_pack("{s:o, s:o, s:i}", "source", source, "destination", destination, "probe_keys",
                     probe_keys(&run->source) + probe_keys(&run->destination));
}

static int64_t seconds_for(int64_t bytes, int64_t keys) {
    return 1 + bytes / copy_bytes_per_second + keys / copy_keys_per_second;
}

static int64_t not_negative(int64_t value) {
    return value > 0 ? value : 0;
}

int64_t check_copy_seconds(const struct check_run *run) {
    if (endpoint_is_file(&run->source.ep))
        return seconds_for((int64_t)run->file.bytes, (int64_t)run->file.keys);
    return seconds_for(not_negative(run->source.info.used_memory_dataset),
                       not_negative(redis_info_keys(&run->source.info)));
}

int64_t check_spool_bytes(const struct check_run *run) {
    int64_t rate = run->sampled ? not_negative(run->bytes_per_second) : 0;

    if (endpoint_is_file(&run->source.ep))
        return (int64_t)run->file.bytes;
    return not_negative(run->source.info.used_memory_dataset) +
           (run->scans ? 0 : rate * check_copy_seconds(run));
}

/* From the start until the first byte of the snapshot: the source waits for further replicas, and
 * forks. 0 where it does not tell. */
static int64_t begin_seconds(const struct check_run *run) {
    return not_negative(run->snapshot_wait_s) +
           (not_negative(run->source.info.latest_fork_usec) + 500000) / 1000000;
}

static json_t *plan(const struct check_run *run, const char *method, const char *why, json_t *pause,
                    int forks) {
    int64_t begin_s = forks > 0 ? begin_seconds(run) : 0;
    char text[200];

    if (begin_s > 0)
        snprintf(text, sizeof(text), "%s. The source takes %lld s before it sends the snapshot",
                 why, (long long)begin_s);
    else
        snprintf(text, sizeof(text), "%s", why);
    return json_pack("{s:s, s:s, s:I, s:I, s:o, s:i}", "method", method, "why", text,
                     "duration_seconds", (json_int_t)(begin_s + check_copy_seconds(run)),
                     "spool_bytes", (json_int_t)check_spool_bytes(run), "write_pause_ms", pause,
                     "source_forks", forks);
}

json_t *check_plan(const struct check_run *run) {
    bool is_file = endpoint_is_file(&run->source.ep);
    int64_t pause;

    if ((is_file ? !run->file_is_good : run->source.reached != CHECK_STAGE_LOGGED_IN) ||
        run->destination.reached != CHECK_STAGE_LOGGED_IN)
        return json_null();
    /* How shards would be moved is not built: nothing of it is promised. */
    if (run->source.cluster || run->destination.cluster)
        return json_null();
    if (is_file)
        return plan(run, "Snapshot file", "The source is a file: nobody is asked for anything",
                    json_null(), 0);
    if (run->scans)
        return plan(run, "SCAN and DUMP",
                    run->read_mode == TASK_READ_SCAN
                        ? "As asked for: key by key, without the changes made meanwhile"
                        : "The account may not replicate: key by key, without the changes made "
                          "meanwhile",
                    json_null(), 0);
    /* The last bytes travel, their answer comes back, and the seal is written. */
    pause = 20 + 4 * (run->destination.rtt_us > 0 ? run->destination.rtt_us / 1000 : 0);
    return plan(run,
                run->syncs                        ? "SYNC, one connection"
                : check_uses_two_connections(run) ? "PSYNC, two connections"
                                                  : "PSYNC, one connection",
                run->incremental ? "The account may replicate: one snapshot, then every change"
                                 : "The account may replicate: one snapshot",
                run->incremental ? json_integer((json_int_t)pause) : json_null(), 1);
}
