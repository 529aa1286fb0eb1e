/* How long receive sleeps, and what wakes it. */
#include <poll.h>
#include <time.h>

#include "services/common/clock.h"
#include "services/flow/child.h"
#include "services/flow/receiver.h"

enum {
    WAIT_MS = 200,
    CALM_MS = 2000,    /* between two looks at a stream that only bytes and bells can move */
    ACK_LATE_MS = 100, /* for a heartbeat that is just due */
    GATHER_US = 1000,
    GATHER_BEHIND_US = 2000,
    GATHER_WITHIN_US = 700,
    BEHIND_BYTES = 256 * 1024,
};

/* What moves a stream that runs and is applied says so: bytes, messages, the bell for what is
 * wanted; only the ACK has its time. Everything else is looked at every 200 ms. */
static int most_ms(const struct receiver *r, uint32_t want) {
    uint32_t phase = atomic_load_explicit(&r->control->phase, memory_order_relaxed);
    int64_t ack_ms = r->ack_at_ms + ACK_LATE_MS - clock_mono_ms();

    if (want != CONTROL_RUN || phase != CONTROL_INCREMENTAL || !r->stream_heard ||
        r->main_link.stage != LINK_STREAM || r->snapshot_link.stage != LINK_CLOSED)
        return WAIT_MS;
    return r->main_link.options.sync || ack_ms > CALM_MS ? CALM_MS : ack_ms < 0 ? 0 : (int)ack_ms;
}

/* `want` is what the loop has heeded: a newer one is not slept over. */
void receive_wait(struct receiver *r, uint32_t want, bool read_snapshot, int timeout_ms) {
    int most = most_ms(r, want), n = 0;
    bool has_more = false;
    struct pollfd fds[4];

    fds[n++] = (struct pollfd){.fd = r->socket_fd, .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = r->receive_bell, .events = POLLIN};
    if (r->main_link.stage != LINK_CLOSED && r->main_link.stage != LINK_ENDED) {
        fds[n++] = (struct pollfd){.fd = conn_fd(r->main_link.conn),
                                   .events = source_link_events(&r->main_link, true)};
        has_more = conn_has_pending(r->main_link.conn);
    }
    if (r->snapshot_link.stage != LINK_CLOSED && r->snapshot_link.stage != LINK_ENDED) {
        fds[n++] = (struct pollfd){.fd = conn_fd(r->snapshot_link.conn),
                                   .events = source_link_events(&r->snapshot_link, read_snapshot)};
        has_more |= read_snapshot && conn_has_pending(r->snapshot_link.conn);
    }
    control_bell_arm(&r->control->receive_sleeps);
    if (has_more || child_has_aside() || atomic_load(&r->control->want) != want)
        timeout_ms = 0;
    if (poll(fds, (nfds_t)n, timeout_ms < most ? timeout_ms : most) < 0)
        fds[0].revents = fds[2].revents = POLLIN; /* not known: look */
    control_bell_clear(r->receive_bell, &r->control->receive_sleeps);
    /* What came while an answer was waited for has left the socket. */
    r->no_message = fds[0].revents == 0 && !child_has_aside();
    r->nothing_came =
        n == 3 && r->main_link.stage == LINK_STREAM && !has_more && fds[2].revents == 0;
}

/* A stream that comes in drips thousands of times a second costs more in wake-ups than
 * in bytes. When the last look was so short ago, let more gather first: a millisecond
 * under load, nothing on a quiet link; two while apply has enough to do as it is. */
void receive_gather(struct receiver *r) {
    int64_t now_us = clock_mono_us();
    uint64_t applied = atomic_load_explicit(&r->control->applied_offset, memory_order_relaxed);
    bool is_behind = applied > 0 && r->stream.end > applied + BEHIND_BYTES;
    struct timespec pause = {.tv_nsec = (is_behind ? GATHER_BEHIND_US : GATHER_US) * 1000};
    bool got = r->stream.end != r->gathered_end;

    /* Bytes twice in a row: one answer to one heartbeat is no stream. */
    if (got && r->gathered_some && now_us - r->gathered_at_us < GATHER_WITHIN_US &&
        r->stream.end - r->gathered_end < RECEIVER_BUFFER_BYTES)
        (void)nanosleep(&pause, NULL);
    r->gathered_some = got;
    r->gathered_end = r->stream.end;
    r->gathered_at_us = clock_mono_us();
}
