#include "services/flow/receive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "services/common/clock.h"
#include "services/common/failpoint.h"
#include "services/flow/child.h"
#include "services/flow/receiver.h"

enum {
    SPEC_MS = 60000,
    START_MS = 120000,
    ACK_MS = 1000,
    ACK_SOON_MS = 100, /* until a source that waits for it streams */
    TRIM_MS = 500,
    SILENT_MS = 5000,
    SNAPSHOT_KEEP_MS = 10 * 60 * 1000,
    WAIT_MS = 200,
};

/* ---- the spool's room --------------------------------------------------------------- */

static uint64_t spooled(const struct receiver *r) {
    return spool_writer_bytes(&r->snapshot) + spool_writer_bytes(&r->stream);
}

/* The snapshot that apply counts may be one that we have thrown away. */
static uint64_t copied_bytes(const struct receiver *r) {
    if (r->meta.generation == 0 || atomic_load_explicit(&r->control->copy_generation,
                                                        memory_order_acquire) != r->meta.generation)
        return 0;
    return atomic_load_explicit(&r->control->copy_bytes_done, memory_order_relaxed);
}

/* From where on the applied stream is kept: a quarter of the quota in any case, and what the
 * destination may still forget up to the half of it, while there is room. */
static uint64_t keep_from(const struct receiver *r, uint64_t applied) {
    uint64_t durable = atomic_load_explicit(&r->control->durable_offset, memory_order_relaxed);
    uint64_t quota = r->spec.spool_quota_bytes, least = quota / 4, most = quota / 2;
    uint64_t from = applied > least ? applied - least : 0;

    if (durable >= from || spooled(r) > quota / 4 * 3 || r->spec.faults & TASK_FAULT_SPOOL_FORGETS)
        return from;
    return applied > most && applied - most > durable ? applied - most : durable;
}

static bool too_small(const struct receiver *r, const char *what, struct err *err) {
    err_set(err, ERR_SPOOL_TOO_SMALL, "the spool's quota of %" PRIu64 " bytes has no room for %s",
            r->spec.spool_quota_bytes, what);
    return err_wrap(err, "KEYFERRY_SPOOL_QUOTA_BYTES must be four times as much as the largest of "
                         "these, and 256 MiB at least");
}

/* A snapshot that is not read on because there is no room, and apply, which alone makes some,
 * waits for the rest of what it has. */
static bool check_snapshot(const struct receiver *r, uint64_t copy_waits_at, struct err *err) {
    bool waits = r->snapshot_link.stage == LINK_SNAPSHOT ||
                 (r->reading == RECEIVE_FILE && !r->meta.snapshot_complete);

    /* Behind the last byte: what is in the log and not shown yet may be the rest. */
    return !waits || receive_has_room(r) || copy_waits_at == 0 ||
           copy_waits_at != r->snapshot.end || too_small(r, "a value of the snapshot", err);
}

bool receive_may_wait(const struct receiver *r, struct err *err) {
    uint64_t waits_at = atomic_load_explicit(&r->control->tail_waits_at, memory_order_acquire);

    return waits_at == 0 || waits_at != r->stream.end ||
           too_small(r, "a transaction or value of the stream", err);
}

/* Drop what is applied. Some of the applied stream is kept: a destination that
 * falls back to an older state of itself goes on from there. */
static bool trim(struct receiver *r, struct err *err) {
    int64_t now = clock_mono_ms();
    /* Before what is done: then that is what it had done when it began to wait. */
    uint64_t copy_waits_at = atomic_load_explicit(&r->control->copy_waits_at, memory_order_acquire);
    uint64_t applied = atomic_load_explicit(&r->control->applied_offset, memory_order_relaxed);
    uint64_t from;
    bool short_of_room = spooled(r) > r->spec.spool_quota_bytes / 2;

    if (now < r->trim_at_ms)
        return true;
    r->trim_at_ms = now + TRIM_MS;
    /* Applied is not yet durable there. What is kept longest is the snapshot of a copy
     * that has just ended: without it a destination that forgets the end of the copy
     * would need another full sync. */
    if (r->tail_since_ms == 0 && applied > 0)
        r->tail_since_ms = now;
    if (r->tail_since_ms > 0 && r->snapshot.end > 0 &&
        (now - r->tail_since_ms > SNAPSHOT_KEEP_MS || short_of_room)) {
        failpoint_pass(FAILPOINT_RECEIVE_DROP_SNAPSHOT);
        if (!spool_writer_reset(&r->snapshot, 0, err))
            return false;
    } else if (short_of_room) {
        spool_writer_trim(&r->snapshot, copied_bytes(r));
    }
    from = keep_from(r, applied);
    if (from > r->stream.start) {
        failpoint_pass(FAILPOINT_RECEIVE_TRIM);
        spool_writer_trim(&r->stream, from);
        atomic_store_explicit(&r->control->stream_start, r->stream.start, memory_order_release);
    }
    atomic_store_explicit(&r->control->spool_bytes, spooled(r), memory_order_relaxed);
    return check_snapshot(r, copy_waits_at, err);
}

bool receive_has_room(const struct receiver *r) {
    return spooled(r) < r->spec.spool_quota_bytes / 4 * 3;
}

static bool check_quota(const struct receiver *r, struct err *err) {
    /* During the copy nothing makes room: what comes in is needed after it. */
    if (spooled(r) >= r->spec.spool_quota_bytes && r->position.state == POSITION_COPY &&
        !r->meta.snapshot_complete)
        return err_set(err, ERR_SPOOL_TOO_SMALL,
                       "the spool's quota of %" PRIu64
                       " bytes does not hold the snapshot and what is written meanwhile",
                       r->spec.spool_quota_bytes);
    return spooled(r) < r->spec.spool_quota_bytes ||
           err_set(err, ERR_SPOOL_FULL,
                   "the spool holds %" PRIu64 " bytes, its quota; the stream is taken up again "
                   "when the destination has caught up",
                   spooled(r));
}

/* ---- the loop -------------------------------------------------------------------------- */

/* An ACK a second; sooner while a source waits for one before it streams. One that is read
 * by SYNC waits for none, and an old one would answer it into the stream. */
static bool acknowledge(struct receiver *r, struct err *err) {
    int64_t now = clock_mono_ms(), due_ms = r->ack_at_ms;

    /* Awake for the heartbeat anyway: one of the two moves to the other. */
    if (r->stream_heard && now >= r->side.next_at_ms)
        due_ms -= ACK_MS / 2;
    if (now < due_ms || r->main_link.stage != LINK_STREAM || r->main_link.options.sync)
        return true;
    r->ack_at_ms = now + (r->stream_heard ? ACK_MS : ACK_SOON_MS);
    return failpoint(FAILPOINT_RECEIVE_ACK, err) &&
           source_link_ack(&r->main_link, r->stream.end, err);
}

/* Another claim of apply: it may need what the spool no longer, or not yet, holds. */
static bool read_messages(struct receiver *r, struct err *err) {
    for (;;) {
        json_t *message = NULL;
        struct position position;
        struct spool_meta on_disk;
        const char *type;
        bool held;

        if (!child_receive(r->socket_fd, 0, &message, err))
            return false;
        if (!message)
            return true;
        type = json_string_value(json_object_get(message, "type"));
        if (type && strcmp(type, "credentials") == 0)
            source_side_credentials(&r->side, message);
        if (!type || strcmp(type, "start") != 0) {
            json_decref(message); /* an answer that came late, or news for others */
            continue;
        }
        if (!position_from_json(json_object_get(message, "position"), &position, err)) {
            json_decref(message);
            return err_wrap(err, "reading a message of the supervisor");
        }
        json_decref(message);
        /* Apply takes the meta file away from a spool that it found damaged. */
        if (!spool_meta_read(r->spool_fd, &on_disk, err))
            return false;
        if (r->meta.generation != 0 && on_disk.generation != r->meta.generation)
            return err_set(err, ERR_SPOOL_MOVED, "the spool was found damaged");
        failpoint_pass(FAILPOINT_RECEIVE_START_AGAIN);
        held = receive_serves(r, &position);
        if (position.state == POSITION_COPY)
            r->tail_since_ms = 0;
        if (!held)
            return err_set(err, ERR_SPOOL_MOVED,
                           "the position went where the spool does not reach");
        r->position = position;
    }
}

bool receive_over(const struct receiver *r) {
    uint32_t want = atomic_load_explicit(&r->control->want, memory_order_relaxed);
    uint32_t phase = atomic_load_explicit(&r->control->phase, memory_order_relaxed);

    return want == CONTROL_PAUSE || want == CONTROL_STOP_NOW ||
           (want == CONTROL_STOP_DRAIN && phase >= CONTROL_SETTLING) || phase == CONTROL_DONE ||
           (want == CONTROL_CUTOVER && r->cutover.step == CUTOVER_WRITERS_FREE);
}

/* A drain ends where the source is now: asked once. */
static bool sample_drain(struct receiver *r, struct err *err) {
    uint64_t end;

    if (atomic_load_explicit(&r->control->want, memory_order_relaxed) != CONTROL_STOP_DRAIN ||
        atomic_load_explicit(&r->control->drain_offset, memory_order_relaxed) != 0)
        return true;
    /* Only an offset of the history we follow is a goal; the other end of a broken link
     * may have become another server. */
    if (r->main_link.stage != LINK_STREAM)
        return true;
    if (r->main_link.options.sync)
        return receive_marker_drain(r, err) || err_wrap(err, "finding where a drain must end");
    if (!source_side_sample(&r->side, r->meta.replid, &end, err))
        return err_wrap(err, "asking the source where a drain must end");
    failpoint_pass(FAILPOINT_RECEIVE_DRAIN_SAMPLED);
    atomic_store_explicit(&r->control->drain_offset, end, memory_order_release);
    control_bell_ring(r->apply_bell, &r->control->apply_sleeps);
    return true;
}

bool receive_turn(struct receiver *r, struct err *err) {
    return trim(r, err) && read_messages(r, err);
}

void receive_sleep(const struct receiver *r, int64_t at_most_ms) {
    struct pollfd fd = {.fd = r->socket_fd, .events = POLLIN};

    (void)poll(&fd, 1, at_most_ms < WAIT_MS ? (int)at_most_ms : WAIT_MS);
}

static void note_link(struct receiver *r) {
    /* A copy alone that has everything needs no link: nothing is wrong with it. */
    bool has_all = !r->spec.incremental && r->meta.snapshot_complete;
    uint32_t link = has_all                                   ? CONTROL_LINK_SNAPSHOT
                    : r->main_link.stage == LINK_STREAM       ? CONTROL_LINK_STREAM
                    : r->snapshot_link.stage == LINK_SNAPSHOT ? CONTROL_LINK_SNAPSHOT
                    : r->main_link.stage == LINK_SNAPSHOT     ? CONTROL_LINK_SNAPSHOT
                                                              : CONTROL_LINK_DOWN;

    atomic_store_explicit(&r->control->link, link, memory_order_relaxed);
}

/* One that was asked for the snapshot alone and does not know how: the stream comes behind it,
 * over the same link. */
static void join_links(struct receiver *r) {
    struct source_link *link = &r->snapshot_link;

    if (link->stage < LINK_HEADER || link->stage == LINK_ENDED || link->psync.rdb_only ||
        r->main_link.stage != LINK_CLOSED)
        return;
    r->main_link = *link;
    source_link_init(link);
}

/* A link that poll has just found silent is not read; whether it is silent for too long is
 * told by reading it. */
static bool pump(struct receiver *r, const struct source_link_sink *sink, bool read_snapshot,
                 struct err *err) {
    if (r->nothing_came && clock_mono_ms() - r->main_link.heard_at_ms < SILENT_MS)
        return true;
    return source_link_pump(&r->main_link, sink, r->buffer, RECEIVER_BUFFER_BYTES, true, err) &&
           source_link_pump(&r->snapshot_link, sink, r->buffer, RECEIVER_BUFFER_BYTES,
                            read_snapshot, err);
}

static bool loop(struct receiver *r, struct err *err) {
    struct source_link_sink sink = receive_sink(r);

    for (;;) {
        uint32_t want = atomic_load(&r->control->want);
        bool read_snapshot = receive_has_room(r);
        int tick_ms;

        if (receive_over(r))
            return true;
        if (!pump(r, &sink, read_snapshot, err))
            return false;
        failpoint_pass(FAILPOINT_RECEIVE_TURN);
        join_links(r);
        if (r->snapshot_link.stage == LINK_ENDED)
            source_link_close(&r->snapshot_link);
        note_link(r);
        if (!acknowledge(r, err) || !trim(r, err) || (!r->no_message && !read_messages(r, err)) ||
            !check_quota(r, err) || !sample_drain(r, err) || !receive_judge(r, err))
            return false;
        receive_gather(r);
        tick_ms = endpoint_is_file(&r->spec.source) ? WAIT_MS : source_side_tick(&r->side);
        tick_ms = receive_cutover_tick(r, tick_ms);
        if (r->main_link.options.sync)
            receive_marker_sent(r);
        receive_wait(r, want, read_snapshot,
                     r->main_link.stage == LINK_STREAM && !r->stream_heard ? ACK_SOON_MS : tick_ms);
    }
}

/* ---- beginning ---------------------------------------------------------------------------- */

static bool expect(struct receiver *r, int timeout_ms, json_t **ret_message, struct err *err) {
    return child_receive(r->socket_fd, timeout_ms, ret_message, err) &&
           (*ret_message || err_set(err, ERR_TIMEOUT, "the supervisor said nothing"));
}

static bool read_spec(struct receiver *r, struct err *err) {
    json_t *message = NULL;
    bool ok = expect(r, SPEC_MS, &message, err) && task_spec_parse(message, &r->spec, err);

    json_decref(message);
    return ok;
}

static bool read_start(struct receiver *r, struct err *err) {
    json_t *message = NULL;
    bool ok = expect(r, START_MS, &message, err) &&
              position_from_json(json_object_get(message, "position"), &r->position, err);

    json_decref(message);
    return ok;
}

void receive_catch_up(struct receiver *r) {
    struct position *p = &r->position;
    uint64_t copied = copied_bytes(r);

    if (p->state != POSITION_COPY || p->generation > r->meta.generation || copied == 0 ||
        (p->generation == r->meta.generation && copied <= p->next))
        return;
    p->generation = r->meta.generation;
    p->snapshot_offset = r->meta.snapshot_offset;
    memcpy(p->replid, r->meta.replid, sizeof(p->replid));
    p->next = copied;
}

static bool open_spool(struct receiver *r, struct err *err) {
    if (mkdir(r->spec.spool_dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "making the spool directory: %s", strerror(errno));
    r->spool_fd = open(r->spec.spool_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->spool_fd < 0)
        return err_set(err, ERR_IO, "opening the spool directory: %s", strerror(errno));
    return spool_meta_read(r->spool_fd, &r->meta, err) &&
           reading_mark_read(r->spool_fd, &r->mark, err) &&
           spool_writer_open(&r->snapshot, r->spool_fd, "snapshot", err) &&
           spool_writer_open(&r->stream, r->spool_fd, "stream", err);
}

/* Who the source is, and how many keys there are to be copied. A file tells it when it
 * is read. */
static bool meet_source(struct receiver *r, struct err *err) {
    uint64_t keys = 0;

    redis_info_init(&r->source);
    source_side_init(&r->side, &r->spec, r->control, r->socket_fd);
    if (endpoint_is_file(&r->spec.source))
        return true;
    if (!source_side_open(&r->side, &r->source, err))
        return false;
    for (uint32_t i = 0; i < r->source.database_count; i++) {
        int db = r->source.databases[i].number;

        if (db >= 0 && db < TASK_DATABASES_MAX &&
            (r->spec.map_all || r->spec.database_map[db] >= 0) && r->source.databases[i].keys > 0)
            keys += (uint64_t)r->source.databases[i].keys;
    }
    /* What a glob, a type or a prefix selects is not known before all was looked at. */
    if (r->spec.scan.match[0] || r->spec.scan.type_count > 0 || r->spec.objects.prefixes)
        keys = 0;
    if (r->position.state == POSITION_COPY)
        atomic_store_explicit(&r->control->source_keys, keys, memory_order_relaxed);
    return receive_say_source(r, err);
}

static bool run(struct receiver *r, struct err *err) {
    if (!read_spec(r, err) || !control_map(CHILD_FD_CONTROL, &r->control, err) ||
        !open_spool(r, err) || !read_start(r, err) || !meet_source(r, err))
        return false;
    receive_catch_up(r);
    if (!failpoint(FAILPOINT_RECEIVE_MET_SOURCE, err) || !receive_plan(r, err) ||
        !failpoint(FAILPOINT_RECEIVE_PLANNED, err))
        return false;
    switch (r->reading) {
    case RECEIVE_SCAN:
        return receive_scan(r, err) && loop(r, err);
    case RECEIVE_FILE:
        return receive_file(r, err) && loop(r, err);
    case RECEIVE_PSYNC:
    case RECEIVE_SYNC:
        break;
    }
    return loop(r, err);
}

int receive_main(int socket_fd) {
    struct receiver *r = calloc(1, sizeof(*r));
    struct err err = ERR_INIT;
    bool ok;

    if (!r)
        return 1;
    r->socket_fd = socket_fd;
    r->spool_fd = -1;
    r->apply_bell = CHILD_FD_APPLY_BELL;
    r->receive_bell = CHILD_FD_RECEIVE_BELL;
    r->snapshot = r->stream = SPOOL_WRITER_INIT;
    r->buffer = malloc(RECEIVER_BUFFER_BYTES);
    source_link_init(&r->main_link);
    source_link_init(&r->snapshot_link);
    ok = r->buffer ? run(r, &err) : err_set(&err, ERR_MEMORY, "no memory for a read buffer");
    if (r->control) {
        atomic_store_explicit(&r->control->link, CONTROL_LINK_DOWN, memory_order_relaxed);
        receive_cutover_end(r);
        source_side_close(&r->side, atomic_load(&r->control->want) >= CONTROL_STOP_DRAIN);
    }
    if (!ok)
        child_send_error(socket_fd, &err);
    source_link_close(&r->main_link);
    source_link_close(&r->snapshot_link);
    spool_writer_close(&r->snapshot);
    spool_writer_close(&r->stream);
    if (r->spool_fd >= 0)
        close(r->spool_fd);
    task_spec_done(&r->spec);
    control_unmap(r->control);
    free(r->buffer);
    free(r);
    return ok ? 0 : 1;
}
