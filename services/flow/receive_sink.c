#include <inttypes.h>

#include "services/common/clock.h"
#include "services/common/failpoint.h"
#include "services/flow/receiver.h"

enum { ACK_SOON_MS = 100 };

void receive_publish(struct receiver *r) {
    struct control_block *c = r->control;

    /* Who died between noting a new name and telling it has told nobody. */
    atomic_fetch_add_explicit(&c->replid_changes, 1, memory_order_release);
    atomic_store_explicit(&c->snapshot_complete, r->meta.snapshot_complete ? 1u : 0u,
                          memory_order_relaxed);
    atomic_store_explicit(&c->snapshot_bytes, r->snapshot.end, memory_order_release);
    atomic_store_explicit(&c->stream_start, r->stream.start, memory_order_release);
    atomic_store_explicit(&c->stream_end, r->stream.end, memory_order_release);
    atomic_store_explicit(&c->snapshot_generation, r->meta.generation, memory_order_release);
    control_bell_ring(r->apply_bell, &c->apply_sleeps);
}

bool receive_begin(struct receiver *r, const struct repl_position *at, struct err *err) {
    struct control_block *c = r->control;

    r->meta = (struct spool_meta){.generation = r->new_generation, .snapshot_offset = at->next - 1};
    memcpy(r->meta.replid, at->replid, sizeof(r->meta.replid));
    r->consistency = RECEIVE_UNJUDGED;
    r->mark = (struct reading_mark){.generation = r->new_generation,
                                    .is_composed =
                                        r->reading == RECEIVE_SCAN || r->reading == RECEIVE_FILE,
                                    .changes = r->source.changes_since_save,
                                    .last_save_sec = r->source.last_save_sec};
    /* Nothing may be taken for the new snapshot before the logs are empty. */
    atomic_store_explicit(&c->snapshot_generation, 0, memory_order_release);
    /* A place in the history before this one is no end of a drain. */
    atomic_store_explicit(&c->drain_offset, 0, memory_order_release);
    if (!spool_writer_reset(&r->snapshot, 0, err) ||
        !spool_writer_reset(&r->stream, at->next, err) ||
        !failpoint(FAILPOINT_RECEIVE_SNAPSHOT_BEGINS, err) ||
        !spool_meta_write(r->spool_fd, &r->meta, err) ||
        (!r->spec.incremental && !reading_mark_write(r->spool_fd, &r->mark, err)))
        return false;
    receive_publish(r);
    return failpoint(FAILPOINT_RECEIVE_SNAPSHOT_BEGUN, err) && receive_say_source(r, err);
}

/* A snapshot begins: what the logs held belongs to another history or time. */
static bool begin_snapshot(struct receiver *r, const struct repl_position *at, struct err *err) {
    if (r->resuming) {
        if (r->position.state == POSITION_TAIL)
            return err_set(err, ERR_FULL_RESYNC_NEEDED,
                           "the source offers a full sync instead of offset %" PRIu64
                           ": its backlog no longer reaches back, or its history is another",
                           r->stream.end);
        if (!receive_ask_full_sync(r, "history_lost", err))
            return false;
        r->resuming = false;
        receive_number(r);
    }
    atomic_fetch_add_explicit(&r->control->full_syncs, 1, memory_order_relaxed);
    return receive_begin(r, at, err);
}

static bool continue_stream(struct receiver *r, const struct repl_position *at, struct err *err) {
    if (at->next != r->stream.end)
        return err_set(err, ERR_PROTOCOL, "the source continues at another offset than asked for");
    if (!failpoint(FAILPOINT_RECEIVE_CONTINUES, err))
        return false;
    if (strcmp(at->replid, r->meta.replid) == 0)
        return true;
    /* A new name for the same history (a failover): kept before its first byte. */
    spool_meta_rename(&r->meta, at->replid);
    if (!spool_meta_write(r->spool_fd, &r->meta, err) ||
        !failpoint(FAILPOINT_RECEIVE_HISTORY_RENAMED, err))
        return false;
    atomic_fetch_add_explicit(&r->control->replid_changes, 1, memory_order_release);
    return receive_say_source(r, err);
}

static bool on_answered(void *ctx, struct source_link *link, bool full, struct err *err) {
    struct receiver *r = ctx;
    bool beside = link == &r->snapshot_link;

    if (!full) {
        if (beside)
            return err_set(err, ERR_PROTOCOL,
                           "the source continues where a snapshot was asked for");
        r->stream_heard = true;
        return continue_stream(r, &link->psync.position, err);
    }
    if (link == &r->main_link && r->snapshot_link.stage != LINK_CLOSED)
        return err_set(err, ERR_SOURCE_BUSY,
                       "the backlog was overrun before the stream could be attached beside the "
                       "snapshot: a larger repl-backlog-size helps");
    if (!begin_snapshot(r, &link->psync.position, err))
        return false;
    if (beside && link->psync.rdb_only && r->spec.incremental) {
        struct psync_options options = link->options;

        options.position = link->psync.position;
        options.rdb_only = false;

        return receive_open_link(r, &r->main_link, &options, err);
    }
    return true;
}

static bool on_header(void *ctx, struct source_link *link, struct err *err) {
    struct receiver *r = ctx;

    (void)err;
    atomic_store_explicit(&r->control->snapshot_bytes_total,
                          link->header.has_length ? link->header.length : 0, memory_order_relaxed);
    atomic_store_explicit(&r->control->link, CONTROL_LINK_SNAPSHOT, memory_order_relaxed);
    return true;
}

static bool on_snapshot(void *ctx, struct str bytes, struct err *err) {
    struct receiver *r = ctx;

    if (bytes.len == 0)
        return true;
    if (!spool_writer_append(&r->snapshot, bytes, (uint64_t)clock_wall_ms(), err) ||
        !failpoint(FAILPOINT_RECEIVE_SNAPSHOT_SPOOLED, err))
        return false;
    atomic_store_explicit(&r->control->snapshot_bytes, r->snapshot.end, memory_order_release);
    atomic_fetch_add_explicit(&r->control->received_bytes, bytes.len, memory_order_relaxed);
    control_bell_ring(r->apply_bell, &r->control->apply_sleeps);
    return true;
}

bool receive_end(struct receiver *r, struct err *err) {
    if (!failpoint(FAILPOINT_RECEIVE_SNAPSHOT_COMPLETE, err))
        return false;
    r->meta.snapshot_complete = true;
    r->meta.snapshot_bytes = r->snapshot.end;
    /* The verdict is out before apply can find that everything is done. */
    if (!spool_meta_write(r->spool_fd, &r->meta, err) ||
        !failpoint(FAILPOINT_RECEIVE_SNAPSHOT_NOTED, err) || !receive_judge(r, err))
        return false;
    atomic_store_explicit(&r->control->snapshot_bytes, r->snapshot.end, memory_order_release);
    atomic_store_explicit(&r->control->snapshot_bytes_total, r->snapshot.end, memory_order_relaxed);
    atomic_store_explicit(&r->control->snapshot_complete, 1u, memory_order_release);
    control_bell_ring(r->apply_bell, &r->control->apply_sleeps);
    r->ack_at_ms = clock_mono_ms() + ACK_SOON_MS;
    return true;
}

static bool on_snapshot_end(void *ctx, struct err *err) {
    return receive_end(ctx, err);
}

/* An empty log begins at a position or behind a snapshot, and a position is always one. */
static bool ends_at_boundary(const struct receiver *r) {
    return r->stream.end == r->stream.start ||
           (r->position.state == POSITION_TAIL && r->stream.end == r->position.next);
}

static bool on_stream(void *ctx, struct str bytes, struct err *err) {
    struct receiver *r = ctx;

    /* A boundary of commands begins with an array or a keep-alive: anything else
     * means that an offset was wrong, which would corrupt silently. Where the spool
     * ends within a command (we were killed between two reads) the rest of it comes. */
    if (ends_at_boundary(r) && bytes.ptr[0] != '*' && bytes.ptr[0] != '\n')
        return err_set(err, ERR_PROTOCOL, "the stream does not begin with a command");
    r->stream_heard = true;
    if (!failpoint(FAILPOINT_RECEIVE_STREAM_HEARD, err) ||
        !spool_writer_append(
            &r->stream, bytes,
            (uint64_t)source_side_clock_ms(&r->side, clock_mono_ms(), clock_wall_ms()), err) ||
        !failpoint(FAILPOINT_RECEIVE_STREAM_SPOOLED, err))
        return false;
    atomic_store_explicit(&r->control->stream_end, r->stream.end, memory_order_release);
    if (r->main_link.options.sync)
        receive_marker_look(r, bytes);
    atomic_fetch_add_explicit(&r->control->received_bytes, bytes.len, memory_order_relaxed);
    control_bell_ring(r->apply_bell, &r->control->apply_sleeps);
    failpoint_pass(FAILPOINT_RECEIVE_STREAM_SHOWN);
    return true;
}

struct source_link_sink receive_sink(struct receiver *r) {
    return (struct source_link_sink){
        .answered = on_answered,
        .header = on_header,
        .snapshot = on_snapshot,
        .snapshot_end = on_snapshot_end,
        .stream = on_stream,
        .ctx = r,
    };
}
