#include <inttypes.h>

#include "services/common/failpoint.h"
#include "services/flow/child.h"
#include "services/flow/receiver.h"
#include "services/redis/redis_primary.h"

enum { FIND_MS = 5000 };

/* Redis sends its snapshot and its stream over two connections from 6.2 on, and
 * every Valkey does: nothing then piles up in the source's output buffer. */
static bool has_rdb_only(const struct redis_info *info) {
    return info->product == REDIS_PRODUCT_VALKEY || info->version_number >= 60200;
}

static struct psync_options options_for(const struct receiver *r) {
    return (struct psync_options){
        .valkey_version =
            r->source.product == REDIS_PRODUCT_VALKEY && r->source.version_number >= 80000,
        .may_read_eof = true,
        .auth_joined = r->side.auth_joined,
    };
}

bool receive_open_link(struct receiver *r, struct source_link *link,
                       const struct psync_options *options, struct err *err) {
    struct credentials cred = CREDENTIALS_INIT;
    struct endpoint source; /* borrowed */
    bool ok = child_ask_credentials(r->socket_fd, "source", &cred, err) &&
              redis_primary_find(&r->spec.source, &cred, REDIS_SOURCE, FIND_MS, &source, err) &&
              source_link_open(link, &source, &cred, options, err);

    credentials_done(&cred);
    return ok || err_wrap(err, "attaching to the source %s", r->spec.source.label);
}

bool receive_ask_full_sync(struct receiver *r, const char *reason, struct err *err) {
    json_t *request = json_pack("{s:s, s:s, s:s}", "type", "full_sync", "reason", reason, "server",
                                r->source.run_id);
    json_t *answer = NULL;
    bool ok = child_ask(r->socket_fd, request, "full_sync_answer", &answer, err);

    if (ok && !json_is_true(json_object_get(answer, "allowed")))
        ok = err_set(err, ERR_FULL_SYNC_BUDGET,
                     "another full sync of this source is allowed in %" JSON_INTEGER_FORMAT
                     " s (KEYFERRY_FULL_SYNCS_PER_HOUR of the workers)",
                     json_integer_value(json_object_get(answer, "retry_after_ms")) / 1000) ||
             err_wrap(err, "one that was cut off counts, too: the source forked for it");
    json_decref(request);
    json_decref(answer);
    failpoint_pass(FAILPOINT_RECEIVE_FULL_SYNC_ALLOWED);
    r->full_sync_allowed = ok;
    return ok;
}

void receive_number(struct receiver *r) {
    uint64_t known = r->position.generation;

    r->new_generation = (r->meta.generation > known ? r->meta.generation : known) + 1;
}

static bool start_full(struct receiver *r, const char *reason, struct err *err) {
    struct psync_options options = options_for(r);

    if (!receive_ask_full_sync(r, reason, err))
        return false;
    r->resuming = false;
    receive_number(r);
    if (r->reading == RECEIVE_SYNC) {
        options.sync = true;
        options.position = receive_sync_history(r);
        r->side.no_offsets = true;
        return receive_open_link(r, &r->main_link, &options, err);
    }
    options.rdb_only = has_rdb_only(&r->source);
    return receive_open_link(r, options.rdb_only ? &r->snapshot_link : &r->main_link, &options,
                             err);
}

/* A spool without room waits for the destination before it takes up the stream; what it
 * holds was shown before, or nobody would make room. */
static bool wait_for_room(struct receiver *r, struct err *err) {
    while (!receive_over(r) && !receive_has_room(r)) {
        struct err stuck = ERR_INIT;
        bool may_wait = receive_may_wait(r, &stuck);

        if (!may_wait) /* what is applied goes first, then it is looked at once more */
            r->trim_at_ms = 0;
        if (!receive_turn(r, err))
            return false;
        if (!may_wait && !receive_has_room(r)) {
            *err = stuck;
            return false;
        }
        receive_sleep(r, INT64_MAX);
    }
    return true;
}

static bool start_stream(struct receiver *r, const char *replid, uint64_t next, struct err *err) {
    struct psync_options options = options_for(r);

    if (!wait_for_room(r, err))
        return false;
    if (receive_over(r))
        return true;
    r->resuming = true;
    if (!repl_position_set_id(&options.position, str_from(replid)))
        return err_set(err, ERR_FULL_RESYNC_NEEDED, "the position names no history");
    options.position.next = next;
    return receive_open_link(r, &r->main_link, &options, err);
}

/* The snapshot that the position was begun with: its number alone may be another
 * worker's. */
static bool same_snapshot(const struct spool_meta *meta, const struct position *p) {
    return meta->generation == p->generation && spool_meta_is_history(meta, p->replid) &&
           meta->snapshot_offset == p->snapshot_offset;
}

bool receive_holds(const struct receiver *r, const struct position *p) {
    const struct spool_meta *m = &r->meta;

    if (m->generation == 0 || m->generation < p->generation)
        return false;
    if (p->state == POSITION_TAIL)
        return m->generation == p->generation && spool_meta_is_history(m, p->replid) &&
               r->stream.start <= p->next && p->next <= r->stream.end;
    if (m->generation == p->generation && !same_snapshot(m, p))
        return false;
    return m->snapshot_complete && r->snapshot.end == m->snapshot_bytes &&
           r->snapshot.start <= (m->generation == p->generation ? p->next : 0) &&
           (!r->spec.incremental || r->stream.start <= m->snapshot_offset + 1);
}

bool receive_serves(const struct receiver *r, const struct position *p) {
    bool coming = p->state == POSITION_COPY && !r->meta.snapshot_complete &&
                  (p->generation < r->new_generation || same_snapshot(&r->meta, p));

    return coming || receive_holds(r, p);
}

/* The tail has begun: only the history itself can go on. */
static bool plan_tail(struct receiver *r, struct err *err) {
    const struct position *p = &r->position;

    if (receive_is_sync_history(p->replid))
        return err_set(err, ERR_FULL_RESYNC_NEEDED,
                       "the source knows no PSYNC: what was written while the connection was "
                       "away is in a new snapshot only");
    if (!receive_holds(r, p)) {
        /* The spool was lost, or the destination went back further than it reaches:
         * the source's backlog may still have what is missing. */
        r->meta = (struct spool_meta){.generation = p->generation, .snapshot_offset = p->next - 1};
        memcpy(r->meta.replid, p->replid, sizeof(r->meta.replid));
        if (!spool_writer_reset(&r->stream, p->next, err) ||
            !failpoint(FAILPOINT_RECEIVE_SPOOL_LOST, err) ||
            !spool_meta_write(r->spool_fd, &r->meta, err))
            return false;
    }
    receive_publish(r);
    return failpoint(FAILPOINT_RECEIVE_RESUMES, err) &&
           start_stream(r, r->meta.replid, r->stream.end, err);
}

bool receive_plan(struct receiver *r, struct err *err) {
    /* Its stream was lost with the connection, and with it what the snapshot is good for. */
    bool cut_off = r->spec.incremental && receive_is_sync_history(r->meta.replid);

    if (r->position.state == POSITION_TAIL)
        return plan_tail(r, err);
    if (cut_off || !receive_holds(r, &r->position)) {
        /* Before the source is asked for a snapshot that nobody may write. */
        if (!position_may_recopy(&r->position))
            return err_set(err, ERR_FULL_RESYNC_NEEDED, POSITION_NO_RECOPY);
        if (!receive_choose(r, err))
            return false;
        if (r->reading == RECEIVE_SCAN || r->reading == RECEIVE_FILE)
            return true;
        return start_full(r, r->meta.generation == 0 ? "first" : "interrupted", err);
    }
    /* The snapshot is all here; the stream goes on behind what was spooled of it. */
    if (r->stream.end <= r->meta.snapshot_offset &&
        !spool_writer_reset(&r->stream, r->meta.snapshot_offset + 1, err))
        return false;
    receive_publish(r);
    if (!r->spec.incremental)
        return true;
    return start_stream(r, r->meta.replid, r->stream.end, err);
}
