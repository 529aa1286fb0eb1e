/* Whether an end is what it is named as, and whether a cluster serves all of its slots. */
#include <stdio.h>
#include <string.h>

#include "services/precheck/check_shards.h"

static bool is_there(const struct check_shard *shard) {
    return shard->end->reached == CHECK_STAGE_LOGGED_IN;
}

/* The first shard of which that holds, or NULL; *ret_count is how many there are. */
static const struct check_shard *first_that(const struct check_cluster *cluster,
                                            bool (*holds)(const struct check_shard *),
                                            size_t *ret_count) {
    const struct check_shard *first = NULL;

    *ret_count = 0;
    for (size_t i = 0; i < cluster->count; i++) {
        if (!holds(&cluster->shards[i]))
            continue;
        first = first ? first : &cluster->shards[i];
        (*ret_count)++;
    }
    return first;
}

static bool is_away(const struct check_shard *shard) {
    return !is_there(shard) || shard->end->is_silent;
}

static bool has_failed(const struct check_shard *shard) {
    return shard->flags & CLUSTER_FAIL;
}

static bool is_in_doubt(const struct check_shard *shard) {
    return shard->flags & CLUSTER_PFAIL;
}

static bool sees_trouble(const struct check_shard *shard) {
    return shard->sees_trouble;
}

static bool has_moves(const struct check_shard *shard) {
    return shard->moves > 0;
}

static bool sees_other_slots(const struct check_shard *shard) {
    return shard->sees_other_slots;
}

static bool has_lost_replicas(const struct check_shard *shard) {
    return shard->replicas > 0 && shard->replicas_well < shard->replicas;
}

static bool is_alone(const struct check_shard *shard) {
    return shard->replicas == 0;
}

static bool name_shard(struct check_finding *f, const struct check_shard *shard) {
    snprintf(f->shard, sizeof(f->shard), "%s", shard->name);
    return true;
}

/* What stands against any use of it. True: the finding says so. */
static bool is_broken(const struct check_cluster *c, const char *end, struct check_finding *f) {
    const struct check_shard *shard;
    char slots[120];
    size_t count;

    if (slot_set_size(&c->uncovered) > 0) {
        slot_set_format(&c->uncovered, slots, sizeof(slots));
        check_observed(f, "%u slots are nobody's: %s", slot_set_size(&c->uncovered), slots);
        check_remedy(f, "CLUSTER ADDSLOTS or a failover, until CLUSTER INFO says 16384 slots ok");
        return check_fail(f, "The %s's cluster does not serve the slots %s", end, slots);
    }
    if ((shard = first_that(c, has_failed, &count))) {
        check_observed(f, "%zu of %zu shards failed", count, c->count);
        check_remedy(f, "Start its primary again, or have a replica take over (CLUSTER FAILOVER)");
        return name_shard(f, shard) &&
               check_fail(f, "The cluster takes the primary of the shard %.150s for failed",
                          shard->name);
    }
    if ((shard = first_that(c, is_away, &count))) {
        check_observed(f, "%zu of %zu shards are reached", c->count - count, c->count);
        check_remedy(f,
                     "Allow this worker to reach every primary; where they announce addresses of "
                     "another network, give address_map");
        return name_shard(f, shard) &&
               check_fail(f, "The shard %.150s is not reached: %.150s", shard->name,
                          shard->end->is_silent ? "it does not answer"
                                                : shard->end->failure.frame[0]);
    }
    if ((shard = first_that(c, sees_trouble, &count))) {
        check_observed(f, "cluster_state fail, as %zu of %zu shards see it", count, c->count);
        check_remedy(f, "Repair the cluster until CLUSTER INFO says state ok on every member");
        return name_shard(f, shard) &&
               check_fail(f, "The cluster is down, as the shard %.150s sees it", shard->name);
    }
    if (c->disputed > 0) {
        check_observed(f, "%u slots are claimed twice", c->disputed);
        check_remedy(f, "Wait until the members agree (CLUSTER SLOTS), or repair the cluster");
        return check_fail(f, "Two nodes of the %s's cluster claim the same slots", end);
    }
    return false;
}

/* Shards that do not run the same. */
static bool versions_differ(const struct check_cluster *c, struct check_finding *f) {
    const struct check_end *first = c->shards[0].end;

    for (size_t i = 1; i < c->count; i++) {
        const struct check_end *one = c->shards[i].end;

        if (one->info.version_number == first->info.version_number &&
            one->info.product == first->info.product)
            continue;
        check_observed(f, "%s %s and %s %s", redis_product_name(first->info.product),
                       first->info.version, redis_product_name(one->info.product),
                       one->info.version);
        check_remedy(f, "Finish the upgrade, or accept it: the oldest of a destination and the "
                        "newest of a source are gone by");
        return name_shard(f, &c->shards[i]) &&
               check_warn(f, "The shards run different versions: %.100s has %s, %.100s %s",
                          c->shards[0].name, first->info.version, c->shards[i].name,
                          one->info.version);
    }
    return false;
}

static bool is_doubtful(const struct check_cluster *c, struct check_finding *f) {
    const struct check_shard *shard;
    size_t count;

    if ((shard = first_that(c, is_in_doubt, &count)))
        return name_shard(f, shard) &&
               check_warn(f, "A member of the cluster does not reach the shard %.150s",
                          shard->name);
    if ((shard = first_that(c, sees_other_slots, &count))) {
        check_remedy(f, "Wait until the members agree, and run the precheck again");
        return name_shard(f, shard) &&
               check_warn(f,
                          "The shard %.150s has other slots than the cluster was said to: a "
                          "failover or a move has just been",
                          shard->name);
    }
    if (versions_differ(c, f))
        return true;
    if ((shard = first_that(c, has_lost_replicas, &count))) {
        check_observed(f, "%zu of %zu replicas of it are well", shard->replicas_well,
                       shard->replicas);
        check_remedy(f, "Start its replica again");
        return name_shard(f, shard) &&
               check_warn(f, "A replica of the shard %.150s is down", shard->name);
    }
    shard = first_that(c, is_alone, &count);
    if (shard && count < c->count) {
        check_observed(f, "%zu of %zu shards have replicas", c->count - count, c->count);
        check_remedy(f, "Give it a replica, as the other shards have");
        return name_shard(f, shard) &&
               check_warn(f, "The shard %.150s has no replica: when it fails, its slots are gone",
                          shard->name);
    }
    return false;
}

static bool is_well(const struct check_cluster *c, const char *end, struct check_finding *f) {
    size_t replicas = 0;

    for (size_t i = 0; i < c->count; i++)
        replicas += c->shards[i].replicas;
    check_observed(f, "%zu shards, %d slots, %zu replicas", c->count, SLOT_COUNT, replicas);
    return check_pass(f, "The %s's cluster of %zu shards serves every slot", end, c->count);
}

/* False: it is no cluster at all, or cannot be looked at; the finding says why. */
static bool can_be_judged(const struct check_end *end, struct check_finding *f) {
    const struct check_cluster *c = end->cluster;

    if (c->is_none) {
        check_observed(f, "standalone");
        check_remedy(f, "Name it as the single server it is: redis:// or rediss://");
        check_fail(f, "%.200s is named as a member of a cluster and is none", end->ep.label);
    } else if (c->is_refused) {
        check_remedy(f,
                     "ACL SETUSER %s +cluster|info +cluster|nodes +cluster|slots +cluster|shards",
                     check_user(end));
        check_fail(f,
                   "The account %s may not ask which shards there are (CLUSTER NODES, SHARDS, "
                   "SLOTS)",
                   check_user(end));
    } else if (c->broken.code != ERR_NONE) {
        check_observed(f, "%s", c->broken.frame[0]);
        check_fail(f, "What the cluster says of itself makes no sense: %s", c->broken.frame[0]);
    } else if (c->left_out > 0) {
        check_observed(f, "%zu shards", c->left_out);
        check_threshold(f, "%d shards", CHECK_SHARDS_MAX);
        check_fail(f, "The %s's cluster has more than %d shards", end->name, CHECK_SHARDS_MAX);
    } else if (c->count == 0) {
        check_observed(f, "no slot is anybody's");
        check_remedy(f, "Give its nodes slots (CLUSTER ADDSLOTSRANGE), until CLUSTER INFO says ok");
        check_fail(f, "No node of the %s's cluster serves a slot", end->name);
    } else {
        return true;
    }
    return false;
}

static bool judge(const struct check_end *end, struct check_finding *f) {
    const struct check_cluster *c = end->cluster;
    const struct check_shard *shard;
    size_t count;

    check_threshold(f, "%d slots, none of them on its way", SLOT_COUNT);
    if (!can_be_judged(end, f) || is_broken(c, end->name, f))
        return true;
    if ((shard = first_that(c, has_moves, &count))) {
        check_observed(f, "%s: %s", shard->name, shard->move);
        check_remedy(f, "Finish the resharding, or take it back (CLUSTER SETSLOT ... STABLE)");
        name_shard(f, shard);
        /* A key that moves appears at its new shard before it vanishes from its old one: two
         * readers of them would not know which of the two is the newer. */
        if (end->side == REDIS_SOURCE)
            return check_fail(f, "Slots of the source's cluster are being moved (%.150s: %s)",
                              shard->name, shard->move);
        return check_warn(f, "Slots of the destination's cluster are being moved (%.150s: %s)",
                          shard->name, shard->move);
    }
    return is_doubtful(c, f) || is_well(c, end->name, f);
}

bool check_src_topology(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct check_end *end = &run->source;

    (void)err;
    if (end->cluster)
        return judge(end, ret);
    check_threshold(ret, "standalone");
    if (end->is_sentinel)
        return check_fail(ret, "This is a Sentinel, not a server with data");
    if (end->info.cluster_enabled == 1) {
        check_observed(ret, "cluster");
        check_remedy(ret, "Name it as a cluster: redis+cluster://, or the topology cluster");
        return check_fail(ret, "This is a member of a cluster, and is named as a single server");
    }
    if (end->info.cluster_enabled == REDIS_INFO_UNKNOWN) {
        check_remedy(ret, "ACL SETUSER %s +info", check_user(end));
        return check_warn(ret, "The source does not tell whether it is part of a cluster");
    }
    check_observed(ret, "standalone");
    return check_pass(ret, "The source is a standalone server");
}

bool check_dst_cluster_health(struct check_run *run, struct check_finding *ret, struct err *err) {
    (void)err;
    if (run->destination.cluster)
        return judge(&run->destination, ret);
    return check_skip(ret, run->destination.info.cluster_enabled == 1
                               ? "The destination is named as a single server: see dst.writable"
                               : "The destination is no cluster");
}
