#include "services/redis/redis_cluster.h"

#include "proto/cluster/cluster_nodes.h"
#include "proto/cluster/cluster_shards.h"
#include "proto/cluster/cluster_slots.h"
#include "proto/resp/resp_write.h"

enum { HAS_SHARDS = 70000, HAS_MIGRATION = 80400, HAS_MIGRATESLOTS = 90000 };

/* What is asked, in this order; a question that the version does not know is left out. */
enum question { Q_INFO, Q_NODES, Q_SLOTS, Q_SHARDS, Q_TASKS, Q_COUNT };

static bool has_shards(const struct redis_info *info) {
    return info->redis_compat >= HAS_SHARDS || info->version_number >= HAS_SHARDS;
}

static bool put_tasks(struct buf *out, const struct redis_info *info, bool *ret_asked,
                      struct err *err) {
    *ret_asked = true;
    if (info->product == REDIS_PRODUCT_REDIS && info->version_number >= HAS_MIGRATION)
        return resp_put_words(out, err, "CLUSTER", "MIGRATION", "STATUS", "ALL", NULL);
    if (info->product == REDIS_PRODUCT_VALKEY && info->version_number >= HAS_MIGRATESLOTS)
        return resp_put_words(out, err, "CLUSTER", "GETSLOTMIGRATIONS", NULL);
    *ret_asked = false;
    return true;
}

/* Lists of names and values, of which "state" says whether one is over. */
static unsigned count_tasks(const struct resp_value *reply) {
    static const char *const over[] = {"success",   "failed",   "cancelled",
                                       "completed", "canceled", "fail"};
    unsigned count = 0;

    for (size_t i = 0; reply && reply->type == RESP_ARRAY && i < reply->count; i++) {
        const struct resp_value *task = &reply->items[i];
        bool is_over = task->type != RESP_ARRAY;

        for (size_t n = 0; !is_over && n + 1 < task->count; n += 2)
            for (size_t k = 0; resp_value_is(&task->items[n], "state") && k < LENGTH_OF(over); k++)
                is_over = is_over || resp_value_is(&task->items[n + 1], over[k]);
        count += !is_over;
    }
    return count;
}

/* SLOTS names the nodes as it is asked, also through TLS; SHARDS knows which of them are well. */
static bool read_view(const struct resp_value *slots, const struct resp_value *shards, bool tls,
                      bool prefers_shards, struct cluster_view *ret, bool *ret_told,
                      struct err *err) {
    bool has_slots = slots->type == RESP_ARRAY, has_shards = shards && shards->type == RESP_ARRAY;

    *ret_told = has_slots || has_shards;
    if (has_shards && (prefers_shards || !has_slots))
        return cluster_shards_parse(shards, tls, ret, err);
    return !has_slots || cluster_slots_parse(slots, ret, err);
}

static bool read_answers(const struct resp_value *const replies[Q_COUNT], bool tls,
                         struct redis_cluster *ret, struct err *err) {
    const struct resp_value *nodes = replies[Q_NODES];
    struct cluster_view names = CLUSTER_VIEW_INIT;
    bool told, ok;

    ret->has_nodes = nodes->type == RESP_BULK;
    if (!ret->has_nodes) {
        ok = read_view(replies[Q_SLOTS], replies[Q_SHARDS], tls, true, &ret->view, &told, err);
        ret->is_refused = !told;
        return ok;
    }
    ok = cluster_nodes_parse(nodes->str, &ret->view, err) &&
         read_view(replies[Q_SLOTS], replies[Q_SHARDS], tls, false, &names, &told, err);
    if (ok && told)
        cluster_view_prefer(&ret->view, &names);
    cluster_view_done(&names);
    return ok;
}

bool redis_cluster_ask(struct redis_client *client, const struct redis_info *info, bool tls,
                       struct redis_cluster *ret, struct err *err) {
    const struct resp_value *replies[Q_COUNT], *by_question[Q_COUNT] = {NULL};
    struct buf out = BUF_INIT(4096);
    struct arena arena = ARENA_INIT;
    bool asks_tasks = false;
    size_t count = 3;
    bool ok;

    *ret = REDIS_CLUSTER_INIT;
    ok = resp_put_words(&out, err, "CLUSTER", "INFO", NULL) &&
         resp_put_words(&out, err, "CLUSTER", "NODES", NULL) &&
         resp_put_words(&out, err, "CLUSTER", "SLOTS", NULL) &&
         (!has_shards(info) || resp_put_words(&out, err, "CLUSTER", "SHARDS", NULL)) &&
         put_tasks(&out, info, &asks_tasks, err);
    count += (size_t)has_shards(info) + asks_tasks;
    ok = ok && redis_client_pipeline(client, buf_str(&out), count, &arena, replies, err);
    buf_done(&out);
    if (ok) {
        for (size_t i = 0; i < 3; i++)
            by_question[i] = replies[i];
        if (has_shards(info))
            by_question[Q_SHARDS] = replies[3];
        if (asks_tasks)
            by_question[Q_TASKS] = replies[count - 1];
        /* "ERR This instance has cluster support disabled" to each of them. */
        ret->is_none = info->cluster_enabled == 0;
        if (by_question[Q_INFO]->type == RESP_BULK)
            cluster_info_parse(by_question[Q_INFO]->str, &ret->info);
        ret->tasks = count_tasks(by_question[Q_TASKS]);
        ok = ret->is_none || read_answers(by_question, tls, ret, err);
    }
    arena_done(&arena);
    return ok;
}

void redis_cluster_done(struct redis_cluster *cluster) {
    cluster_view_done(&cluster->view);
}
