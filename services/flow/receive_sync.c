/* Sources that are read by SYNC. */
#include <stdio.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/flow/receiver.h"

/* A replication id that begins so is none of a server's: those are random. */
#define SYNC_PREFIX "00000000"

bool receive_is_sync_history(const char *replid) {
    return str_starts_with(str_from(replid), STR_LIT(SYNC_PREFIX));
}

void receive_history_name(const struct receiver *r, const struct redis_info *of, char dst[41]) {
    if (!r->mark.is_composed && receive_is_sync_history(r->meta.replid))
        snprintf(dst, 41, of->run_id[0] ? SYNC_PREFIX "%.32s" : "%s", of->run_id);
    else if (r->mark.is_composed || !of->replid[0])
        snprintf(dst, 41, "%s", of->run_id); /* before 4.0 it names the history, too */
    else
        snprintf(dst, 41, "%s", of->replid);
}

/* Nothing is counted there, so we count, from the present time on: two histories of one
 * server never share a place. */
struct repl_position receive_sync_history(const struct receiver *r) {
    struct repl_position at = {.next = (uint64_t)clock_wall_us()};
    char run_id[33] = "00000000000000000000000000000000";

    if (strlen(r->source.run_id) >= 32)
        memcpy(run_id, r->source.run_id, 32);
    snprintf(at.replid, sizeof(at.replid), SYNC_PREFIX "%s", run_id);
    return at;
}

/* ---- where the source is ----------------------------------------------------------------- */

/* The heartbeat of now is on its way: nothing of the stream was read since it was written. */
void receive_marker_sent(struct receiver *r) {
    struct stream_marker *m = &r->marker;

    if (m->len > 0 || m->beats == r->side.beats)
        return;
    m->beats = r->side.beats;
    m->len = strlen(r->side.beat);
    memcpy(m->text, r->side.beat, m->len);
    m->tail_len = 0;
    m->ends_drain = r->drain_asked;
}

/* How many of `bytes` end with the marker; 0 = it is not there. It may have begun in what
 * came before. */
static size_t find(struct stream_marker *m, struct str bytes) {
    char joint[sizeof(m->tail) * 2];
    size_t from_bytes = bytes.len < m->len ? bytes.len : m->len - 1;
    size_t joint_len = m->tail_len + from_bytes, keep;
    const char *at;

    memcpy(joint, m->tail, m->tail_len);
    memcpy(joint + m->tail_len, bytes.ptr, from_bytes);
    at = memmem(joint, joint_len, m->text, m->len);
    if (at)
        return (size_t)(at - joint) + m->len - m->tail_len;
    at = memmem(bytes.ptr, bytes.len, m->text, m->len);
    if (at)
        return (size_t)(at - bytes.ptr) + m->len;
    /* The newest len - 1 bytes of all that came since. */
    if (bytes.len >= m->len - 1) {
        m->tail_len = m->len - 1;
        memcpy(m->tail, bytes.ptr + bytes.len - m->tail_len, m->tail_len);
        return 0;
    }
    keep = joint_len < m->len - 1 ? joint_len : m->len - 1;
    memcpy(m->tail, joint + joint_len - keep, keep);
    m->tail_len = keep;
    return 0;
}

void receive_marker_look(struct receiver *r, struct str bytes) {
    struct stream_marker *m = &r->marker;
    size_t used = m->len > 0 ? find(m, bytes) : 0;
    uint64_t end = r->stream.end - bytes.len + used;

    if (used == 0)
        return;
    m->len = 0;
    atomic_store_explicit(&r->control->source_offset, end, memory_order_relaxed);
    if (m->ends_drain)
        atomic_store_explicit(&r->control->drain_offset, end, memory_order_release);
    control_bell_ring(r->apply_bell, &r->control->apply_sleeps);
}

bool receive_marker_drain(struct receiver *r, struct err *err) {
    if (!r->spec.heartbeat || r->side.heartbeat_refused)
        return err_set(err, ERR_SOURCE_NOPERM,
                       "a source that is read by SYNC says where it is by the heartbeat alone, "
                       "which is off or refused: stop with \"drain\": false");
    if (r->drain_asked)
        return true;
    r->drain_asked = true;
    r->marker.len = 0; /* written before: it says nothing of now */
    r->marker.beats = r->side.beats;
    r->side.next_at_ms = 0;
    return true;
}
