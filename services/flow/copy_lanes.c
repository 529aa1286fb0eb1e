#include <poll.h>

#include "services/common/clock.h"
#include "services/flow/copy_parts.h"

enum { MARK_EVERY_BYTES = 16 * 1024 * 1024, MARK_EVERY_MS = 250 };

bool copy_lanes_settle_first(struct copy *c, struct err *err) {
    struct lane *lane = &c->lanes[0].lane;

    while (lane->state != LANE_READY) {
        struct pollfd pfd;

        if (!lane_pump(lane, err))
            return false;
        pfd = (struct pollfd){.fd = lane_fd(lane), .events = lane_events(lane)};
        if (lane->state != LANE_READY)
            (void)poll(&pfd, 1, COPY_WAIT_MS);
    }
    return true;
}

bool copy_lanes_open_first(struct copy *c, struct redis_client client, struct err *err) {
    return lane_start(&c->lanes[0].lane, client, &c->a->position, false, err) &&
           copy_lanes_settle_first(c, err);
}

bool copy_lanes_open_others(struct copy *c, struct err *err) {
    for (int i = 1; i < APPLIER_LANES; i++) {
        struct redis_client client = REDIS_CLIENT_INIT;

        if (!applier_connect(c->a, &client, err) ||
            !lane_start(&c->lanes[i].lane, client, &c->a->position, false, err))
            return false;
    }
    while (!copy_lanes_ready(c)) {
        if (!copy_lanes_pump(c, err))
            return false;
        if (!copy_lanes_ready(c))
            copy_lanes_wait(c, false, COPY_WAIT_MS);
    }
    return true;
}

bool copy_lanes_pump(struct copy *c, struct err *err) {
    for (int i = 0; i < APPLIER_LANES; i++) {
        if (!lane_pump(&c->lanes[i].lane, err))
            return false;
    }
    return true;
}

bool copy_lanes_ready(const struct copy *c) {
    for (int i = 0; i < APPLIER_LANES; i++) {
        if (c->lanes[i].lane.state != LANE_READY)
            return false;
    }
    return true;
}

int copy_lanes_free(const struct copy *c) {
    for (int i = 0; i < APPLIER_LANES; i++) {
        if (c->lanes[i].lane.state == LANE_READY)
            return i;
    }
    return -1;
}

/* Wait for a reply, or for more of the snapshot when `for_bytes`. */
void copy_lanes_wait(struct copy *c, bool for_bytes, int timeout_ms) {
    struct pollfd fds[APPLIER_LANES + 1];
    int n = 0;

    for (int i = 0; i < APPLIER_LANES; i++)
        fds[n++] = (struct pollfd){.fd = lane_fd(&c->lanes[i].lane),
                                   .events = lane_events(&c->lanes[i].lane)};
    if (for_bytes)
        fds[n++] = (struct pollfd){.fd = c->a->bell, .events = POLLIN};
    (void)poll(fds, (nfds_t)n, timeout_ms);
    if (for_bytes)
        control_bell_clear(c->a->bell, &c->a->control->apply_sleeps);
}

/* Everything before the oldest unit that is not acknowledged. */
struct copy_mark copy_acknowledged(const struct copy *c) {
    struct copy_mark mark = c->begin;
    uint64_t oldest = UINT64_MAX;

    for (int i = 0; i < APPLIER_LANES; i++) {
        if (c->lanes[i].lane.state == LANE_BUSY && c->lanes[i].order < oldest) {
            oldest = c->lanes[i].order;
            mark = c->lanes[i].begin;
        }
    }
    return mark;
}

bool copy_save_mark(struct copy *c, bool always, struct err *err) {
    struct copy_mark mark = copy_acknowledged(c);
    int64_t now = clock_mono_ms();

    CONTROL_SET(c->a, keys_done, mark.keys_done);
    CONTROL_SET(c->a, keys_expired, mark.keys_expired);
    if (!always && mark.at.offset - c->saved.at.offset < MARK_EVERY_BYTES &&
        now - c->saved_at_ms < MARK_EVERY_MS)
        return true;
    c->saved_at_ms = now;
    if (mark.at.offset == c->saved.at.offset && !always)
        return true;
    if (!copy_mark_write(c->a->spool_fd, &mark, err))
        return false;
    c->saved = mark;
    /* Only now may the writer of the spool drop what lies before it. */
    CONTROL_SET(c->a, copy_bytes_done, mark.at.offset);
    return true;
}

struct copy_mark copy_mark_here(const struct copy *c) {
    return (struct copy_mark){
        .generation = c->meta.generation,
        .at = rdb_parser_mark(&c->parser),
        .keys_done = c->keys_done,
        .keys_expired = c->keys_expired,
        .stream_db = c->stream_db,
    };
}

/* Everything that is out is acknowledged. */
bool copy_drain(struct copy *c, struct err *err) {
    while (!copy_lanes_ready(c)) {
        if (!copy_lanes_pump(c, err))
            return false;
        if (!copy_lanes_ready(c))
            copy_lanes_wait(c, false, COPY_WAIT_MS);
    }
    return copy_save_mark(c, true, err);
}
