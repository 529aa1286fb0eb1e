/* What the shards of an end are together: sums, and samples that are joined. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/precheck/check_shards.h"

/* ---- INFO ---- */

static void add(int64_t *sum, int64_t value) {
    if (value == REDIS_INFO_UNKNOWN || *sum == REDIS_INFO_UNKNOWN)
        *sum = REDIS_INFO_UNKNOWN; /* of one part nothing is known */
    else
        *sum += value;
}

static void add_database(struct redis_info *sum, const struct redis_info_database *one) {
    uint32_t i = 0;

    while (i < sum->database_count && sum->databases[i].number < one->number)
        i++;
    if (i == sum->database_count || sum->databases[i].number != one->number) {
        if (sum->database_count == REDIS_INFO_DATABASES_MAX)
            return;
        memmove(&sum->databases[i + 1], &sum->databases[i],
                (sum->database_count - i) * sizeof(sum->databases[0]));
        sum->databases[i] = (struct redis_info_database){.number = one->number};
        sum->database_count++;
    }
    sum->databases[i].keys += one->keys;
    sum->databases[i].expires += one->expires;
    sum->databases[i].field_expiries += one->field_expiries;
}

static void add_info(struct redis_info *sum, const struct redis_info *one, bool is_source) {
    add(&sum->used_memory, one->used_memory);
    add(&sum->used_memory_rss, one->used_memory_rss);
    add(&sum->used_memory_dataset, one->used_memory_dataset);
    add(&sum->backlog_size, one->backlog_size);
    add(&sum->changes_since_save, one->changes_since_save);
    add(&sum->net_input_bytes, one->net_input_bytes);
    add(&sum->connected_replicas, one->connected_replicas);
    /* A shard without a limit: there is none to the sum. */
    if (sum->maxmemory == 0 || one->maxmemory == 0)
        sum->maxmemory = 0;
    else
        add(&sum->maxmemory, one->maxmemory);
    /* What could come is of the newest, what must be taken is for the oldest. */
    if (one->version_number > 0 && (is_source ? one->version_number > sum->version_number
                                              : one->version_number < sum->version_number)) {
        sum->version_number = one->version_number;
        sum->redis_compat = one->redis_compat;
        sum->product = one->product;
        memcpy(sum->version, one->version, sizeof(sum->version));
    }
    sum->has_keyspace = sum->has_keyspace && one->has_keyspace;
    for (uint32_t i = 0; i < one->database_count; i++)
        add_database(sum, &one->databases[i]);
    sum->loading = sum->loading == 1 ? 1 : one->loading;
}

void check_gather_info(struct check_end *end) {
    const struct check_cluster *cluster = end->cluster;
    size_t reached = 0;

    for (size_t i = 0; i < cluster->count; i++) {
        const struct check_end *one = cluster->shards[i].end;

        if (one->reached != CHECK_STAGE_LOGGED_IN)
            continue;
        if (reached++ == 0) {
            end->info = one->info;
            end->info_refused = one->info_refused;
            end->configured_databases = one->configured_databases;
            continue;
        }
        add_info(&end->info, &one->info, end->side == REDIS_SOURCE);
        end->info_refused = end->info_refused || one->info_refused;
        if (one->certificate_days < end->certificate_days)
            end->certificate_days = one->certificate_days;
    }
    if (reached > 0) {
        /* They are of one server each, and the end is none. */
        end->info.run_id[0] = end->info.replid[0] = '\0';
        snprintf(end->info.role, sizeof(end->info.role), "master");
    }
}

/* ---- samples ---- */

struct gathering {
    struct check_shard *shards;
    bool (*take)(struct check_run *run, struct err *err);
    bool failed[CHECK_SHARDS_MAX];
    struct err why[CHECK_SHARDS_MAX];
};

static void take_one(void *context, size_t i) {
    struct gathering *g = context;
    struct check_shard *shard = &g->shards[i];

    if (shard->end->reached == CHECK_STAGE_LOGGED_IN && !shard->end->is_silent)
        g->failed[i] = !g->take(shard->run, &g->why[i]);
}

/* On every shard that was reached. Fails as the first of those does that failed. */
static bool take_all(struct check_run *run, bool (*take)(struct check_run *, struct err *),
                     struct err *err) {
    struct gathering *g = calloc(1, sizeof(*g));
    struct check_cluster *cluster = run->source.cluster;
    bool ok = true;

    if (!g)
        abort();
    g->shards = cluster->shards;
    g->take = take;
    for (size_t i = 0; i < cluster->count; i++)
        cluster->shards[i].end->deadline_ms = run->source.deadline_ms;
    check_parallel(cluster->count, take_one, g);
    for (size_t i = 0; ok && i < cluster->count; i++) {
        if (g->failed[i]) {
            *err = g->why[i];
            ok = err_wrap(err, "%.150s", cluster->shards[i].name);
        }
    }
    free(g);
    return ok;
}

bool check_gather_writes(struct check_run *run, struct err *err) {
    const struct check_cluster *cluster = run->source.cluster;

    if (run->sampled)
        return true;
    if (!take_all(run, check_sample_writes, err))
        return false;
    run->sampled = true;
    run->bytes_per_second = run->writes_per_second = 0;
    for (size_t i = 0; i < cluster->count; i++) {
        const struct check_run *own = cluster->shards[i].run;

        add(&run->bytes_per_second, own->sampled ? own->bytes_per_second : REDIS_INFO_UNKNOWN);
        add(&run->writes_per_second, own->sampled ? own->writes_per_second : REDIS_INFO_UNKNOWN);
    }
    return true;
}

static void add_call(struct check_run *run, const struct check_call *call) {
    size_t i = 0;

    while (i < run->call_count && strcmp(run->calls[i].name, call->name) != 0)
        i++;
    if (i == CHECK_CALLS_MAX)
        return;
    if (i == run->call_count)
        run->calls[run->call_count++] = *call;
    else
        run->calls[i].calls += call->calls;
}

bool check_gather_calls(struct check_run *run, struct err *err) {
    const struct check_cluster *cluster = run->source.cluster;

    if (run->calls)
        return true;
    if (!take_all(run, check_calls_read, err))
        return false;
    run->calls = calloc(CHECK_CALLS_MAX, sizeof(*run->calls));
    if (!run->calls)
        abort();
    for (size_t i = 0; i < cluster->count; i++) {
        const struct check_run *own = cluster->shards[i].run;

        run->calls_refused = run->calls_refused || own->calls_refused;
        for (size_t n = 0; own->calls && n < own->call_count; n++)
            add_call(run, &own->calls[n]);
    }
    return true;
}

static bool take_keys(struct check_run *run, struct err *err) {
    const struct check_sample *ignored;

    return check_sample_keys(run, &ignored, err);
}

/* Names stay in the arenas of the shards' runs, which live as long as the whole one. */
bool check_gather_keys(struct check_run *run, struct err *err) {
    const struct check_cluster *cluster = run->source.cluster;

    if (run->sample)
        return true;
    if (!take_all(run, take_keys, err))
        return false;
    run->sample = calloc(1, sizeof(*run->sample));
    if (!run->sample)
        abort();
    run->sample->is_complete = true;
    for (size_t i = 0; i < cluster->count; i++) {
        const struct check_sample *own = cluster->shards[i].run->sample;
        size_t room = CHECK_SAMPLE_MAX - run->sample->count, count = own ? own->count : 0;

        run->sample->is_complete =
            run->sample->is_complete && own && own->is_complete && count <= room;
        run->sample->is_refused = run->sample->is_refused || (own && own->is_refused);
        count = count < room ? count : room;
        if (count > 0)
            memcpy(&run->sample->keys[run->sample->count], own->keys, count * sizeof(own->keys[0]));
        run->sample->count += count;
    }
    return true;
}

/* ---- where the data goes ---- */

int64_t check_share_permille(const struct check_run *run) {
    const struct slot_set *slots = run->destination.slots;
    int64_t by_slots, by_sample, all = 0, here = 0;

    if (!slots)
        return 1000;
    by_slots = (int64_t)slot_set_size(slots) * 1000 / SLOT_COUNT + 1;
    for (size_t i = 0; run->sample && i < run->sample->count; i++) {
        const struct check_key *key = &run->sample->keys[i];
        int64_t bytes = key->bytes > 0 ? key->bytes : 0;

        if (!check_selects(run, key->database, key->name))
            continue;
        all += bytes;
        here += slot_set_has(slots, slot_set_slot(key->name)) ? bytes : 0;
    }
    if (all == 0)
        return by_slots;
    by_sample = (int64_t)((double)here / (double)all * 1000) + 1;
    if (run->sample->is_complete)
        return by_sample < 1000 ? by_sample : 1000;
    return by_sample > by_slots ? by_sample : by_slots;
}

/* ---- facts ---- */

static json_t *number_or_null(int64_t value) {
    return value == REDIS_INFO_UNKNOWN ? json_null() : json_integer(value);
}

static json_t *shard_facts(const struct check_shard *shard) {
    const struct check_end *end = shard->end;
    const struct redis_info *info = &end->info;
    char slots[100];
    bool reached = end->reached == CHECK_STAGE_LOGGED_IN;
    json_t *facts;

    slot_set_format(&shard->slots, slots, sizeof(slots));
    facts = json_pack("{s:s, s:s, s:s, s:i, s:i, s:b}", "shard", shard->name, "id", shard->id,
                      "slots", slots, "slot_count", (int)slot_set_size(&shard->slots), "replicas",
                      (int)shard->replicas, "reachable", reached);
    if (!reached)
        return facts;
    json_object_set_new(facts, "version",
                        info->version[0] ? json_string(info->version) : json_null());
    json_object_set_new(facts, "keys", number_or_null(redis_info_keys(info)));
    json_object_set_new(facts, "used_memory_bytes", number_or_null(info->used_memory));
    json_object_set_new(facts, "maxmemory_bytes", number_or_null(info->maxmemory));
    json_object_set_new(facts, "round_trip_us", number_or_null(end->rtt_us));
    return facts;
}

json_t *check_gather_facts(const struct check_cluster *cluster) {
    json_t *list = json_array();

    for (size_t i = 0; i < cluster->count && i < CHECK_SHARDS_SHOWN; i++)
        json_array_append_new(list, shard_facts(&cluster->shards[i]));
    return list;
}
