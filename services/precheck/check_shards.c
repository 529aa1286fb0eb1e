/* Carrying a row out on every shard, and making one finding of what they found. */
#include "services/precheck/check_shards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"

/* What a row is about when an end is a cluster. */
enum scope {
    SCOPE_WHOLE, /* the end as a whole, or none */
    SCOPE_SOURCE,
    SCOPE_DESTINATION,
    SCOPE_EITHER, /* the servers of both ends, each for itself */
};

/* The rows that are not simply about the servers of the end in their name. */
static const struct {
    const char *id;
    enum scope scope;
} exceptions[] = {
    {"src.file", SCOPE_WHOLE},
    {"src.role_session", SCOPE_WHOLE},
    {"src.secret_free", SCOPE_WHOLE},
    {"src.topology", SCOPE_WHOLE},
    {"src.write_rate", SCOPE_WHOLE}, /* a class is for all of it */
    {"src.other_jobs", SCOPE_WHOLE},
    {"dst.role_session", SCOPE_WHOLE},
    {"dst.loop", SCOPE_WHOLE},
    {"dst.tde", SCOPE_WHOLE},
    {"dst.same_instance", SCOPE_WHOLE},
    {"dst.cross_slot", SCOPE_WHOLE},
    {"dst.cluster_health", SCOPE_WHOLE},
    {"dst.map_collision", SCOPE_SOURCE}, /* it asks the source */
    {"env.worker_clock", SCOPE_EITHER},
    {"net.latency", SCOPE_EITHER},
};

static enum scope scope_of(const struct check_row *row) {
    for (size_t i = 0; i < LENGTH_OF(exceptions); i++)
        if (strcmp(row->info.id, exceptions[i].id) == 0)
            return exceptions[i].scope;
    if (strncmp(row->info.id, "src.", 4) == 0)
        return SCOPE_SOURCE;
    return strncmp(row->info.id, "dst.", 4) == 0 ? SCOPE_DESTINATION : SCOPE_WHOLE;
}

/* ---- on each ---- */

struct each {
    const struct check_row *row;
    size_t count;
    struct {
        struct check_run *run;
        const struct check_shard *shard; /* NULL: an end that is no cluster */
        struct check_finding finding;
    } of[2 * CHECK_SHARDS_MAX];
};

static void add_shards(struct each *each, const struct check_end *end) {
    for (size_t i = 0; check_has_shards(end) && i < end->cluster->count; i++) {
        each->of[each->count].run = end->cluster->shards[i].run;
        each->of[each->count].shard = &end->cluster->shards[i];
        each->count++;
    }
}

static void carry_out_one(void *context, size_t i) {
    struct each *each = context;
    struct check_run *run = each->of[i].run;
    const struct check_shard *shard = each->of[i].shard;
    struct check_finding *f = &each->of[i].finding;
    int64_t deadline = clock_mono_ms() + CHECK_ONE_MAX_MS;

    f->result = CHECK_BROKEN;
    if (deadline > run->run_deadline_ms)
        deadline = run->run_deadline_ms;
    if (shard) {
        run->source.deadline_ms = run->destination.deadline_ms = deadline;
        snprintf(f->shard, sizeof(f->shard), "%s", shard->name);
    }
    if (shard && shard->end->is_silent) {
        check_skip(f, "It did not answer in time before and was not asked again");
        return;
    }
    check_carry_out(run, each->row, f);
}

/* ---- the worst of them ---- */

static int rank(enum check_result result) {
    switch (result) {
    case CHECK_FAILED:
        return 4;
    case CHECK_BROKEN:
        return 3;
    case CHECK_WARNED:
        return 2;
    case CHECK_PASSED:
        return 1;
    case CHECK_SKIPPED:
        break;
    }
    return 0;
}

static void join(const struct each *each, const char *noun, struct check_finding *ret) {
    size_t worst = 0, like = 0, left_out = 0;
    const struct check_finding *found;

    for (size_t i = 1; i < each->count; i++)
        if (rank(each->of[i].finding.result) > rank(each->of[worst].finding.result))
            worst = i;
    found = &each->of[worst].finding;
    for (size_t i = 0; i < each->count; i++) {
        like += each->of[i].finding.result == found->result;
        left_out += each->of[i].finding.result == CHECK_SKIPPED;
    }
    *ret = *found;
    if (each->count == 1)
        return;
    if (like == each->count) {
        /* What all of them have in common is about none of them. */
        ret->shard[0] = '\0';
        if (found->result != CHECK_SKIPPED)
            snprintf(ret->message, sizeof(ret->message), "%.330s (all %zu %s)", found->message,
                     each->count, noun);
    } else if (found->result == CHECK_PASSED) {
        ret->shard[0] = '\0';
        snprintf(ret->message, sizeof(ret->message), "%.300s (%zu of %zu %s; %zu left out)",
                 found->message, like, each->count, noun, left_out);
    } else {
        snprintf(ret->message, sizeof(ret->message), "%.140s: %.220s", found->shard,
                 found->message);
        if (like > 1)
            snprintf(ret->message, sizeof(ret->message), "%.120s and %zu more of %zu %s: %.200s",
                     found->shard, like - 1, each->count, noun, found->message);
    }
}

/* How a source is read is decided for all of its shards. */
static void learn(struct check_run *run, const struct check_cluster *cluster) {
    for (size_t i = 0; i < cluster->count; i++) {
        run->scans = run->scans || cluster->shards[i].run->scans;
        run->syncs = run->syncs || cluster->shards[i].run->syncs;
    }
    for (size_t i = 0; i < cluster->count; i++) {
        cluster->shards[i].run->scans = run->scans;
        cluster->shards[i].run->syncs = run->syncs;
    }
}

/* Of a cluster, that to its farthest shard. */
static void take_round_trips(struct check_end *end) {
    for (size_t i = 0; check_has_shards(end) && i < end->cluster->count; i++)
        if (end->cluster->shards[i].end->rtt_us > end->rtt_us)
            end->rtt_us = end->cluster->shards[i].end->rtt_us;
}

void check_shards_carry_out(struct check_run *run, const struct check_row *row,
                            struct check_finding *ret) {
    enum scope scope = scope_of(row);
    bool of_source = scope == SCOPE_SOURCE && check_has_shards(&run->source);
    bool of_destination = scope == SCOPE_DESTINATION && check_has_shards(&run->destination);
    bool of_either = scope == SCOPE_EITHER &&
                     (check_has_shards(&run->source) || check_has_shards(&run->destination));
    struct each *each;

    if (!of_source && !of_destination && !of_either) {
        check_carry_out(run, row, ret);
        return;
    }
    each = calloc(1, sizeof(*each));
    if (!each)
        abort();
    each->row = row;
    if (of_source || of_either)
        add_shards(each, &run->source);
    if (of_destination || of_either)
        add_shards(each, &run->destination);
    if (of_either && !(check_has_shards(&run->source) && check_has_shards(&run->destination)))
        each->of[each->count++].run = run; /* for the end that is one server */
    check_parallel(each->count, carry_out_one, each);
    join(each, of_either ? "servers" : "shards", ret);
    free(each);
    if (of_source)
        learn(run, run->source.cluster);
    if (of_either) {
        take_round_trips(&run->source);
        take_round_trips(&run->destination);
    }
}

/* ---- between the stages ---- */

/* What a shard's run knows of the end that is not its own. */
static void see(struct check_end *view, const struct check_end *other) {
    endpoint_done(&view->ep);
    view->ep = endpoint_dup(&other->ep);
    snprintf(view->label, sizeof(view->label), "%s", other->label);
    view->is_view = true;
    view->is_wanted = other->is_wanted;
    view->reached = other->reached;
    view->failed_at = other->failed_at;
    view->failure = other->failure;
    view->info = other->info;
    view->info_refused = other->info_refused;
    view->is_sentinel = other->is_sentinel;
    view->configured_databases = other->configured_databases;
    view->rtt_us = other->rtt_us;
    view->opened_ms = other->opened_ms;
}

void check_shards_meet(struct check_run *run) {
    for (size_t i = 0; check_has_shards(&run->source) && i < run->source.cluster->count; i++)
        see(&run->source.cluster->shards[i].run->destination, &run->destination);
    for (size_t i = 0; check_has_shards(&run->destination) && i < run->destination.cluster->count;
         i++)
        see(&run->destination.cluster->shards[i].run->source, &run->source);
}

/* Rows of both ends that look at the source's samples. */
static bool needs_samples(const struct check_run *run) {
    static const char *const ids[] = {"dst.commands", "dst.hfe", "dst.memory", "dst.limits"};

    for (size_t i = 0; i < LENGTH_OF(ids); i++)
        if (run->asked[check_find(ids[i])])
            return true;
    return false;
}

void check_shards_share(struct check_run *run) {
    bool discovers = json_is_true(json_object_get(run->message, "discover"));
    const struct check_sample *ignored;
    struct err none = ERR_INIT;

    if (!check_has_shards(&run->source) && !check_has_shards(&run->destination))
        return;
    if (run->source.reached == CHECK_STAGE_LOGGED_IN && (needs_samples(run) || discovers)) {
        run->source.deadline_ms = clock_mono_ms() + CHECK_ONE_MAX_MS;
        (void)!check_calls_read(run, &none);
        (void)!check_sample_keys(run, &ignored, &none);
    }
    if (!check_has_shards(&run->destination))
        return;
    for (size_t i = 0; i < run->destination.cluster->count; i++) {
        struct check_run *own = run->destination.cluster->shards[i].run;

        own->borrows_samples = true;
        own->sample = run->sample;
        own->calls = run->calls;
        own->call_count = run->call_count;
        own->calls_refused = run->calls_refused;
        own->sampled = run->sampled;
        own->bytes_per_second = run->bytes_per_second;
        own->writes_per_second = run->writes_per_second;
        own->scans = run->scans;
        own->syncs = run->syncs;
    }
}
