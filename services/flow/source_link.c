#include "services/flow/source_link.h"

#include <string.h>

#include "services/common/clock.h"

enum {
    OUT_MAX = 64 * 1024,
    READS_PER_PUMP = 4, /* then the other link has its turn */
    DIAL_MS = 10000,
    /* A source sends a blank line or a PING every ten seconds at most, apart from
     * the fork and the beginning of a diskless transfer. */
    SILENT_MS = 60000,
    SILENT_FORK_MS = 300000,
    /* Blank lines alone keep a link open that long: a source may write a terabyte to its disk
     * first, and one that says nothing else for ever is not waited for. */
    BLANK_MS = 12 * 3600 * 1000,
};

void source_link_init(struct source_link *link) {
    *link = (struct source_link){.stage = LINK_CLOSED, .out = BUF_INIT(OUT_MAX)};
}

void source_link_close(struct source_link *link) {
    conn_close(link->conn);
    if (link->out.ptr)
        explicit_bzero(link->out.ptr, link->out.cap);
    buf_done(&link->out);
    source_link_init(link);
}

bool source_link_open(struct source_link *link, const struct endpoint *ep,
                      const struct credentials *cred, const struct psync_options *options,
                      struct err *err) {
    struct psync_options login = *options;

    source_link_close(link);
    login.auth = cred->password.len > 0 || ep->username[0] != '\0';
    login.username = str_from(ep->username);
    login.password = secret_str(&cred->password);
    if (!psync_start(&link->psync, &login, &link->out, err) ||
        !conn_start(&link->conn, ep, cred, err))
        return false;
    link->options = *options;
    link->header = SNAPSHOT_HEADER_INIT;
    link->heard_at_ms = link->opened_at_ms = clock_mono_ms();
    link->stage = LINK_DIALING;
    return true;
}

static bool flush(struct source_link *link, struct err *err) {
    while (link->out_at < link->out.len) {
        struct iovec iov = {.iov_base = link->out.ptr + link->out_at,
                            .iov_len = link->out.len - link->out_at};
        size_t n;

        if (!conn_writev(link->conn, &iov, 1, &n, err))
            return err_recode(err, ERR_SOURCE_DOWN, "writing to the source");
        if (n == 0)
            return true;
        link->out_at += n;
    }
    if (link->out.len > 0) {
        explicit_bzero(link->out.ptr, link->out.len); /* it may have held the login */
        buf_clear(&link->out);
        link->out_at = 0;
    }
    return true;
}

bool source_link_ack(struct source_link *link, uint64_t next, struct err *err) {
    return psync_put_ack(&link->out, next - 1, err) && flush(link, err);
}

/* ---- the snapshot's end ------------------------------------------------------------ */

static bool snapshot_whole(struct source_link *link, const struct source_link_sink *sink,
                           struct err *err) {
    if (!sink->snapshot_end(sink->ctx, err))
        return false;
    link->mark_ended = !link->header.has_length;
    link->stage = link->options.rdb_only && link->psync.rdb_only ? LINK_ENDED : LINK_STREAM;
    return true;
}

static bool take_sized(struct source_link *link, const struct source_link_sink *sink, struct str in,
                       size_t *ret_used, struct err *err) {
    size_t n = in.len < link->snapshot_left ? in.len : (size_t)link->snapshot_left;

    link->snapshot_left -= n;
    *ret_used = n;
    return sink->snapshot(sink->ctx, str_first(in, n), err) &&
           (link->snapshot_left > 0 || snapshot_whole(link, sink, err));
}

/* Nothing follows the mark before our ACK, so it can only be the newest 40 bytes:
 * they are held back until more come. */
static bool take_marked(struct source_link *link, const struct source_link_sink *sink,
                        struct str in, size_t *ret_used, struct err *err) {
    size_t total = link->held_len + in.len;
    size_t out = total > SNAPSHOT_MARK_LEN ? total - SNAPSHOT_MARK_LEN : 0;
    size_t from_held = out < link->held_len ? out : link->held_len;
    size_t from_in = out - from_held;

    *ret_used = in.len;
    if (!sink->snapshot(sink->ctx, str_of(link->held, from_held), err) ||
        !sink->snapshot(sink->ctx, str_first(in, from_in), err))
        return false;
    memmove(link->held, link->held + from_held, link->held_len - from_held);
    link->held_len -= from_held;
    memcpy(link->held + link->held_len, in.ptr + from_in, in.len - from_in);
    link->held_len += in.len - from_in;
    if (link->held_len == SNAPSHOT_MARK_LEN &&
        memcmp(link->held, link->header.mark, SNAPSHOT_MARK_LEN) == 0)
        return snapshot_whole(link, sink, err);
    return true;
}

/* ---- bytes ---------------------------------------------------------------------------- */

static bool take_handshake(struct source_link *link, const struct source_link_sink *sink,
                           struct str in, size_t *ret_used, struct err *err) {
    enum psync_wants wants;

    if (!psync_feed(&link->psync, in, ret_used, &link->out, &wants, err))
        return false;
    if (wants == PSYNC_WANTS_REPLY)
        return flush(link, err);
    link->stage = wants == PSYNC_WANTS_SNAPSHOT ? LINK_HEADER : LINK_STREAM;
    return sink->answered(sink->ctx, link, wants == PSYNC_WANTS_SNAPSHOT, err);
}

static bool take(struct source_link *link, const struct source_link_sink *sink, struct str in,
                 struct err *err) {
    while (in.len > 0 && link->stage != LINK_ENDED) {
        size_t used = 0;
        bool ok = true;
        bool whole = false;

        switch (link->stage) {
        case LINK_HANDSHAKE:
            ok = take_handshake(link, sink, in, &used, err);
            break;
        case LINK_HEADER:
            ok = snapshot_header_feed(&link->header, in, &used, &whole, err);
            if (ok && whole) {
                link->snapshot_left = link->header.length;
                link->stage = LINK_SNAPSHOT;
                ok = sink->header(sink->ctx, link, err);
            }
            break;
        case LINK_SNAPSHOT:
            ok = link->header.has_length ? take_sized(link, sink, in, &used, err)
                                         : take_marked(link, sink, in, &used, err);
            break;
        case LINK_STREAM:
            used = in.len;
            ok = sink->stream(sink->ctx, in, err);
            break;
        case LINK_CLOSED:
        case LINK_DIALING:
        case LINK_ENDED:
            return err_set(err, ERR_INTERNAL, "bytes on a link that is not open");
        }
        if (!ok)
            return false;
        in = str_skip(in, used);
    }
    return true;
}

static bool check_silence(const struct source_link *link, struct err *err) {
    int64_t silent_ms = clock_mono_ms() - link->heard_at_ms;
    int64_t max_ms = link->stage == LINK_DIALING                                   ? DIAL_MS
                     : link->stage == LINK_STREAM || link->stage == LINK_HANDSHAKE ? SILENT_MS
                                                                                   : SILENT_FORK_MS;

    if ((link->stage == LINK_HANDSHAKE || link->stage == LINK_HEADER) &&
        clock_mono_ms() - link->opened_at_ms > BLANK_MS)
        return err_set(err, ERR_TIMEOUT, "the source sent nothing but blank lines for %d hours",
                       BLANK_MS / 3600000);
    return silent_ms <= max_ms ||
           err_set(err, ERR_TIMEOUT, "the source was silent for %d s", (int)(silent_ms / 1000));
}

bool source_link_pump(struct source_link *link, const struct source_link_sink *sink, char *buffer,
                      size_t buffer_size, bool read, struct err *err) {
    if (link->stage == LINK_CLOSED || link->stage == LINK_ENDED)
        return true;
    if (link->stage == LINK_DIALING) {
        bool ready;

        if (!conn_handshake(link->conn, &ready, err))
            return false;
        if (!ready)
            return check_silence(link, err);
        link->stage = LINK_HANDSHAKE;
    }
    if (!flush(link, err))
        return false;
    for (int i = 0; read && i < READS_PER_PUMP && link->stage != LINK_ENDED; i++) {
        size_t n;

        if (!conn_read(link->conn, buffer, buffer_size, &n, err))
            return err_recode(err, ERR_SOURCE_DOWN, "reading from the source");
        if (n == 0)
            break;
        link->heard_at_ms = clock_mono_ms();
        if (!take(link, sink, str_of(buffer, n), err))
            return false;
        if (n < buffer_size / 2 && !conn_has_pending(link->conn))
            break;
    }
    if (!read)
        link->heard_at_ms = clock_mono_ms(); /* silence is ours */
    return check_silence(link, err);
}

short source_link_events(const struct source_link *link, bool read) {
    if (link->stage == LINK_DIALING)
        return conn_events(link->conn, false, false);
    return conn_events(link->conn, read, link->out_at < link->out.len);
}
