/* Opening an end that is a cluster: a member that answers, then every shard. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/precheck/check_shards.h"
#include "services/redis/redis_cluster.h"

enum { SAMPLE_MIN = 40 }; /* keys of a shard */

/* ---- many at the same time ---- */

struct parallel {
    void (*work)(void *context, size_t i);
    void *context;
    size_t count, next;
    pthread_mutex_t lock;
};

static void *parallel_main(void *arg) {
    struct parallel *p = arg;

    for (;;) {
        size_t i;

        pthread_mutex_lock(&p->lock);
        i = p->next < p->count ? p->next++ : p->count;
        pthread_mutex_unlock(&p->lock);
        if (i == p->count)
            return NULL;
        p->work(p->context, i);
    }
}

void check_parallel(size_t count, void (*work)(void *context, size_t i), void *context) {
    struct parallel p = {.work = work, .context = context, .count = count};
    pthread_t threads[CHECK_SHARD_THREADS];
    size_t started = 0;

    pthread_mutex_init(&p.lock, NULL);
    while (started + 1 < count && started < LENGTH_OF(threads) &&
           pthread_create(&threads[started], NULL, parallel_main, &p) == 0)
        started++;
    (void)parallel_main(&p); /* without any thread, all of it */
    while (started > 0)
        (void)pthread_join(threads[--started], NULL);
    pthread_mutex_destroy(&p.lock);
}

/* ---- the first member that answers ---- */

static void ask_member(struct check_end *end, struct redis_cluster *ret) {
    struct check_cluster *cluster = end->cluster;
    struct err why = ERR_INIT;

    end->client.timeout_ms = check_time_left(end);
    if (!redis_cluster_ask(&end->client, &end->info, end->ep.tls, ret, &why))
        cluster->broken = why;
    cluster->is_none = ret->is_none;
    cluster->is_refused = ret->is_refused;
}

/* Try the addresses one after the other. False: none of them lets us in; the end says why. */
static bool find_member(struct check_run *run, struct check_end *end, struct redis_cluster *ret) {
    size_t count = (size_t)end->ep.other_count + 1;
    const struct endpoint_address first = {.port = end->ep.port};
    struct endpoint_address addresses[ENDPOINT_OTHERS_MAX + 1] = {first};
    const uint32_t timeout_ms = end->ep.connect_timeout_ms;

    memcpy(addresses[0].host, end->ep.host, sizeof(addresses[0].host));
    memcpy(&addresses[1], end->ep.others, end->ep.other_count * sizeof(addresses[0]));
    end->ep.cluster = false; /* it names one server from here on */
    end->ep.other_count = 0;
    end->ep.database = -1;
    for (size_t i = 0; i < count; i++) {
        int64_t share = check_time_left(end) / (int64_t)(count - i);

        memcpy(end->ep.host, addresses[i].host, sizeof(end->ep.host));
        end->ep.port = addresses[i].port;
        end->ep.connect_timeout_ms = share < timeout_ms ? (uint32_t)share : timeout_ms;
        snprintf(end->ep.label, sizeof(end->ep.label), "%.260s:%u", end->ep.host, end->ep.port);
        check_end_open_server(run, end);
        end->ep.connect_timeout_ms = timeout_ms;
        if (end->reached != CHECK_STAGE_LOGGED_IN)
            continue;
        ask_member(end, ret);
        return true;
    }
    return false;
}

/* ---- its shards ---- */

/* A run like the whole one, in which this shard is the end. */
static void make_run(const struct check_run *run, const struct check_end *end,
                     struct check_shard *shard) {
    struct check_run *own = check_run_new();
    struct err ignored = ERR_INIT;
    char tag[SLOT_TAG_SIZE];
    size_t used = strlen(CHECK_PROBE_PREFIX);

    /* The whole run's was read in the same way. */
    (void)!check_message_read(run->message, own, &ignored);
    own->talk = run->talk;
    own->run_deadline_ms = run->run_deadline_ms;
    shard->run = own;
    shard->end = end->side == REDIS_SOURCE ? &own->source : &own->destination;
    shard->end->slots = &shard->slots;
    if (slot_set_tag(&shard->slots, tag)) {
        char rest[sizeof(own->probe_key)];

        snprintf(rest, sizeof(rest), "%s", own->probe_key + used);
        snprintf(own->probe_key + used, sizeof(own->probe_key) - used, "{%s}%.40s", tag, rest);
        snprintf(own->slot_tag, sizeof(own->slot_tag), "{%s}", tag);
    }
}

/* Where a shard is dialled; `member` said its address, which is "" where that is its own. */
static void aim(const struct check_end *end, const struct cluster_node *node,
                struct check_shard *shard) {
    struct endpoint found, *ep = &shard->end->ep;
    const char *host = node->host[0] ? node->host : end->ep.host;
    struct err why = ERR_INIT;
    char announced[300];

    endpoint_done(ep);
    if (node->flags & CLUSTER_NOADDR) {
        (void)err_set(&why, ERR_RESOLVE, "no member of the cluster tells where the node %.40s is",
                      node->id);
    } else if (endpoint_of_announced(&end->ep, host, node->port, &found, &why)) {
        *ep = endpoint_dup(&found);
        ep->database = -1;
    }
    snprintf(announced, sizeof(announced), strchr(host, ':') ? "[%.255s]:%u" : "%.255s:%u", host,
             node->port);
    if (why.code != ERR_NONE) {
        shard->end->failure = why;
        shard->end->failed_at = CHECK_STAGE_RESOLVED;
        snprintf(shard->name, sizeof(shard->name), "%s", node->host[0] ? announced : node->id);
        snprintf(ep->label, sizeof(ep->label), "%s", shard->name);
    } else if (strcmp(announced, ep->label) == 0) {
        snprintf(shard->name, sizeof(shard->name), "%s", announced);
    } else {
        snprintf(shard->name, sizeof(shard->name), "%.140s (%.140s)", announced, ep->label);
    }
    snprintf(shard->end->label, sizeof(shard->end->label), "%s", shard->name);
}

static void make_shard(struct check_run *run, struct check_end *end,
                       const struct cluster_view *view, size_t node) {
    struct check_shard *shard = &end->cluster->shards[end->cluster->count++];

    cluster_view_slots(view, node, &shard->slots);
    shard->flags = view->nodes[node].flags;
    memcpy(shard->id, view->nodes[node].id, sizeof(shard->id));
    shard->replicas = cluster_view_replicas(view, node, &shard->replicas_well);
    make_run(run, end, shard);
    aim(end, &view->nodes[node], shard);
}

/* By their lowest slot. */
static void make_shards(struct check_run *run, struct check_end *end,
                        const struct redis_cluster *told) {
    struct check_cluster *cluster = end->cluster;
    size_t all = 0;
    bool is_made[CLUSTER_NODES_MAX + 1] = {false};

    cluster_view_uncovered(&told->view, &cluster->uncovered);
    cluster->disputed = told->view.disputed;
    cluster->shards = calloc(CHECK_SHARDS_MAX, sizeof(*cluster->shards));
    if (!cluster->shards)
        abort();
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owner = told->view.owner[slot];

        if (owner == 0 || is_made[owner])
            continue;
        is_made[owner] = true;
        all++;
    }
    /* Of too many none is dialled. */
    if (all > CHECK_SHARDS_MAX) {
        cluster->left_out = all;
        return;
    }
    memset(is_made, 0, sizeof(is_made));
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owner = told->view.owner[slot];

        if (owner != 0 && !is_made[owner])
            make_shard(run, end, &told->view, owner - 1u);
        is_made[owner] = true;
    }
    for (size_t i = 0; i < cluster->count; i++) {
        size_t each = CHECK_SAMPLE_MAX / cluster->count;

        cluster->shards[i].run->sample_max = each > SAMPLE_MIN ? each : SAMPLE_MIN;
    }
}

/* ---- as each of them sees it ---- */

static void note_moves(const struct redis_cluster *told, struct check_shard *shard) {
    const struct cluster_move *first = &told->view.moves[0];
    char peer[CLUSTER_HOST_MAX + 8] = "another";

    shard->moves = told->view.move_count + told->tasks;
    if (told->view.move_count > 0) {
        size_t at = cluster_view_find(&told->view, first->peer);

        if (at < told->view.count)
            snprintf(peer, sizeof(peer), "%.60s:%u", told->view.nodes[at].host,
                     told->view.nodes[at].port);
        snprintf(shard->move, sizeof(shard->move), "slot %u %s %.60s", first->slot,
                 first->leaves ? "to" : "from", peer);
    } else if (told->tasks > 0) {
        snprintf(shard->move, sizeof(shard->move), "%u migrations of slots", told->tasks);
    }
}

static void look_around(struct check_shard *shard) {
    struct check_end *end = shard->end;
    struct redis_cluster told;
    struct err why = ERR_INIT;

    end->client.timeout_ms = check_time_left(end);
    if (!redis_cluster_ask(&end->client, &end->info, end->ep.tls, &told, &why)) {
        end->is_silent = why.code == ERR_TIMEOUT;
        redis_client_close(&end->client);
        redis_cluster_done(&told);
        return;
    }
    shard->has_told = !told.is_none && !told.is_refused;
    shard->sees_trouble = told.info.is_told && !told.info.is_ok;
    if (told.has_nodes) {
        size_t myself = cluster_view_myself(&told.view);
        struct slot_set own = {{0}};

        if (myself < told.view.count)
            cluster_view_slots(&told.view, myself, &own);
        shard->sees_other_slots = memcmp(&own, &shard->slots, sizeof(own)) != 0;
        note_moves(&told, shard);
    }
    redis_cluster_done(&told);
}

static void open_shard(void *context, size_t i) {
    struct check_shard *shard = &((struct check_shard *)context)[i];

    if (shard->end->failure.code != ERR_NONE)
        return; /* it has no address */
    shard->end->deadline_ms = clock_mono_ms() + CHECK_ONE_MAX_MS;
    if (shard->end->deadline_ms > shard->run->run_deadline_ms)
        shard->end->deadline_ms = shard->run->run_deadline_ms;
    check_end_open_server(shard->run, shard->end);
    if (shard->end->reached == CHECK_STAGE_LOGGED_IN)
        look_around(shard);
}

void check_cluster_open(struct check_run *run, struct check_end *end) {
    struct redis_cluster told = REDIS_CLUSTER_INIT;

    end->cluster = calloc(1, sizeof(*end->cluster));
    if (!end->cluster)
        abort();
    if (find_member(run, end, &told) && end->cluster->broken.code == ERR_NONE &&
        !end->cluster->is_none && !end->cluster->is_refused) {
        make_shards(run, end, &told);
        check_parallel(end->cluster->count, open_shard, end->cluster->shards);
        check_gather_info(end);
    }
    redis_cluster_done(&told);
}

void check_cluster_close(struct check_end *end) {
    struct check_cluster *cluster = end->cluster;

    for (size_t i = 0; cluster && i < cluster->count; i++) {
        struct check_run *own = cluster->shards[i].run;

        check_end_close(&own->source);
        check_end_close(&own->destination);
        check_sample_done(own);
        free(own);
    }
    if (cluster)
        free(cluster->shards);
    free(cluster);
    end->cluster = NULL;
}
