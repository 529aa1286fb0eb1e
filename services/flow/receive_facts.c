#include <string.h>

#include "services/common/clock.h"
#include "services/flow/child.h"
#include "services/flow/receiver.h"

enum { JUDGE_MS = 1000 };

/* What there was to copy, database by database; NULL when it does not tell. */
static json_t *databases(const struct redis_info *info) {
    json_t *list = info->has_keyspace ? json_array() : NULL;

    for (uint32_t i = 0; list && i < info->database_count; i++)
        json_array_append_new(list,
                              json_pack("{s:i, s:I, s:I}", "number", info->databases[i].number,
                                        "keys", (json_int_t)info->databases[i].keys, "expires",
                                        (json_int_t)info->databases[i].expires));
    return list;
}

bool receive_say_source(struct receiver *r, struct err *err) {
    static const char *const words[] = {
        [RECEIVE_EXACT] = "exact", [RECEIVE_NOT_GUARANTEED] = "not_guaranteed"};
    const char *address = r->side.client.conn ? conn_peer(r->side.client.conn) : NULL;
    const char *history = r->meta.replid[0] ? r->meta.replid : NULL;
    json_t *facts = json_pack("{s:s, s:s, s:s, s:s*, s:s, s:s, s:s*, s:s*, s:o*}", "type", "facts",
                              "end", "source", "run_id", r->source.run_id, "address", address,
                              "product", redis_product_name(r->source.product), "version",
                              r->source.version, "consistency", words[r->consistency], "history",
                              history, "databases", databases(&r->source));
    bool ok = facts ? child_send(r->socket_fd, facts, err)
                    : err_set(err, ERR_INTERNAL, "the facts of the source are no JSON");

    json_decref(facts);
    return ok;
}

/* The replication offset says nothing here: a source without replicas does not count it,
 * and one that has us counts what it sends to keep us. Its count of writes begins anew with
 * every snapshot it writes to disk, as the one that was written for us may be: what is then
 * on the count came after. */
static bool was_written(const struct receiver *r, const struct redis_info *now) {
    const struct reading_mark *then = &r->mark;

    if (then->generation != r->meta.generation || then->changes < 0 || now->changes_since_save < 0)
        return true;
    if (now->last_save_sec == then->last_save_sec)
        return now->changes_since_save != then->changes;
    /* None of the snapshots of a source that is only asked for keys was for us. */
    return then->is_composed || now->changes_since_save != 0;
}

static enum receive_consistency judge(struct receiver *r) {
    struct redis_info now;
    struct err ignored = ERR_INIT;
    char history[41];
    bool refused = true;

    if (endpoint_is_file(&r->spec.source))
        return RECEIVE_EXACT; /* of one moment, whatever its server did since */
    if (!r->side.client.conn || !redis_client_info(&r->side.client, &now, &refused, &ignored)) {
        source_side_close(&r->side, false);
        if (!source_side_open(&r->side, &now, &ignored))
            return RECEIVE_NOT_GUARANTEED;
    }
    receive_history_name(r, &now, history);
    if (strcmp(history, r->meta.replid) != 0)
        return RECEIVE_NOT_GUARANTEED; /* it is another process now */
    return was_written(r, &now) ? RECEIVE_NOT_GUARANTEED : RECEIVE_EXACT;
}

bool receive_judge(struct receiver *r, struct err *err) {
    enum receive_consistency before = r->consistency;
    int64_t now = clock_mono_ms();

    /* What a SCAN has read is what it is: later writes do not make it worse. */
    if (r->spec.incremental || !r->meta.snapshot_complete || before == RECEIVE_NOT_GUARANTEED ||
        (before == RECEIVE_EXACT && (r->mark.is_composed || now < r->judge_at_ms)))
        return true;
    r->judge_at_ms = now + JUDGE_MS;
    r->consistency = judge(r);
    return r->consistency == before || receive_say_source(r, err);
}
