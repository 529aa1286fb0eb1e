/* check_shards.h - an end that is a cluster. Only for services/precheck.
 *
 * One of its members is asked which shards there are; each gets a run of its own, in which it is
 * the end and the other end is what is known of it. A row that is about single servers is carried
 * out on every shard at the same time, and the findings become one: the worst, with the name of the
 * shard. What the whole run knows of such an end are sums (memory, keys, writes) and samples of all
 * shards.
 *
 * A shard that is not reached, or stops answering, costs its time once; the others are checked.
 */
#pragma once

#include "proto/cluster/cluster_view.h"
#include "services/precheck/check_run.h"

enum {
    CHECK_SHARDS_MAX = 256,
    CHECK_SHARD_THREADS = 16,
    CHECK_SHARDS_SHOWN = 100, /* in the facts */
};

struct check_shard {
    char name[300]; /* "host:port" as it is announced, and where it is dialled when elsewhere */
    char id[CLUSTER_ID_MAX + 1];
    struct slot_set slots;
    size_t replicas, replicas_well;
    unsigned flags; /* enum cluster_flag, as the member that was asked saw it */
    struct check_run *run;
    struct check_end *end; /* its own, in `run` */
    /* As it sees the cluster itself. */
    bool has_told, sees_trouble, sees_other_slots;
    unsigned moves;
    char move[80]; /* the first: "5461 to 127.0.0.1:7001" */
};

struct check_cluster {
    bool is_none;      /* the server that answered is no member of a cluster */
    bool is_refused;   /* the account may not ask for the shards */
    struct err broken; /* of what it said no sense could be made */
    struct slot_set uncovered;
    unsigned disputed;
    size_t left_out; /* so many shards, more than CHECK_SHARDS_MAX: none is looked at */
    size_t count;
    struct check_shard *shards;
};

/* ---- check_cluster.c ---- */

/* Find the shards by one of the end's addresses, and open them all. */
void check_cluster_open(struct check_run *run, struct check_end *end);
void check_cluster_close(struct check_end *end);

/* Do work(context, i) for each of `count`, many at the same time. */
void check_parallel(size_t count, void (*work)(void *context, size_t i), void *context);

/* ---- check_shards.c ---- */

/* As check_carry_out, on every shard where the row is about those. */
void check_shards_carry_out(struct check_run *run, const struct check_row *row,
                            struct check_finding *ret);

/* Between the stages: what the shards' runs know of the other end, and what the whole run knows
 * of its shards. */
void check_shards_meet(struct check_run *run);
void check_shards_share(struct check_run *run);

/* ---- check_gather.c ---- */

/* The sums of what the shards that were reached said of themselves, into end->info. */
void check_gather_info(struct check_end *end);

/* The samples of a source that is a cluster: taken on every shard, and joined. */
MUST_CHECK bool check_gather_writes(struct check_run *run, struct err *err);
MUST_CHECK bool check_gather_calls(struct check_run *run, struct err *err);
MUST_CHECK bool check_gather_keys(struct check_run *run, struct err *err);

/* How much of the selected data this run's destination takes, of a thousand: all of it, or what
 * falls into the slots of a shard. Rather too much than too little. */
int64_t check_share_permille(const struct check_run *run);

/* What the facts say of the shards. A new reference. */
json_t *check_gather_facts(const struct check_cluster *cluster);

/* Are the rows about this end carried out on shards? */
static inline bool check_has_shards(const struct check_end *end) {
    return end->cluster && end->cluster->count > 0;
}
