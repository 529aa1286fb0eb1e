#include "services/worker/gauges.h"

#include <stdio.h>
#include <string.h>

#define READ(field) atomic_load_explicit(&block->field, memory_order_relaxed)
#define SEED(field, value)                                                                         \
    atomic_store_explicit(&block->field, (value) > 0 ? (uint64_t)(value) : 0, memory_order_relaxed)

enum { RATE_WINDOW_MS = 3000, ASKED_WITHIN_MS = 2000 };

static int64_t to_i64(uint64_t value) {
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* A moving average; a counter that went back (a copy that began again) is no rate. */
static void average(double *rate, uint64_t *last, uint64_t now, int64_t elapsed_ms) {
    double share = (double)elapsed_ms / (double)(RATE_WINDOW_MS + elapsed_ms);
    double current = now > *last ? (double)(now - *last) * 1000.0 / (double)elapsed_ms : 0.0;

    *rate += (current - *rate) * share;
    if (*rate < 0.01)
        *rate = 0;
    *last = now;
}

/* The same of a copy, whose end is reckoned by it: the first that is known stands for all before
 * it, or the time left would be many times too long for some seconds. */
static void average_copy(double *rate, uint64_t *last, uint64_t now, int64_t elapsed_ms,
                         bool is_copying) {
    if (is_copying && *rate <= 0 && now > *last)
        *rate = (double)(now - *last) * 1000.0 / (double)elapsed_ms;
    average(rate, last, now, elapsed_ms);
}

/* The same for a place in a history: before the first one is known there is no rate. */
static void average_offset(double *rate, uint64_t *last, uint64_t now, int64_t elapsed_ms) {
    if (*last == 0)
        *last = now;
    average(rate, last, now, elapsed_ms);
}

/* Where the source's history ends, as far as anybody here knows. */
static uint64_t history_end(const struct control_block *block) {
    uint64_t source = READ(source_offset), spooled = READ(stream_end);

    return source > spooled ? source : spooled;
}

static void sample_rates(struct gauges *g, const struct control_block *block, int64_t mono_ms) {
    uint64_t bytes = READ(copy_bytes_done) + READ(bytes_applied);
    bool is_copying = READ(phase) == CONTROL_FULL;
    int64_t elapsed = mono_ms - g->sampled_ms;

    if (g->sampled_ms != 0 && elapsed <= 0)
        return;
    if (g->sampled_ms == 0) {
        g->keys = READ(keys_done);
        g->commands = READ(commands_applied);
        g->bytes = bytes;
        g->received = READ(received_bytes);
        g->applied = READ(applied_offset);
        g->source = history_end(block);
        g->applied_moved_ms = g->link_seen_ms = g->heard_ms = mono_ms;
    } else {
        if (g->received != READ(received_bytes))
            g->heard_ms = mono_ms;
        if (g->applied != READ(applied_offset))
            g->applied_moved_ms = mono_ms;
        average_copy(&g->keys_rate, &g->keys, READ(keys_done), elapsed, is_copying);
        average(&g->commands_rate, &g->commands, READ(commands_applied), elapsed);
        average_copy(&g->bytes_rate, &g->bytes, bytes, elapsed, is_copying);
        average(&g->received_rate, &g->received, READ(received_bytes), elapsed);
        g->applied = READ(applied_offset);
        average_offset(&g->source_rate, &g->source, history_end(block), elapsed);
    }
    g->sampled_ms = mono_ms;
}

/* A mark is what the source has said, or sent where it says nothing. While it does neither, what is
 * applied is as old as its last word. */
static int64_t offset_lag(struct gauges *g, const struct control_block *block, int64_t interval_ms,
                          int64_t mono_ms) {
    uint64_t end = history_end(block), asked = READ(source_asked_at_ms);
    int64_t age, silence;

    if (end > 0 && READ(link) == CONTROL_LINK_STREAM && (asked == 0 || asked != g->asked))
        lag_clock_note(&g->clock, end, mono_ms);
    g->asked = asked;
    age = lag_clock_age(&g->clock, READ(applied_offset), mono_ms);
    silence = lag_clock_silence(&g->clock, mono_ms);
    return age == 0 && silence > 2 * interval_ms + ASKED_WITHIN_MS ? silence : age;
}

static const char *phase_name(uint32_t phase) {
    switch (phase) {
    case CONTROL_SNAPSHOT_WAIT:
        return "snapshot_wait";
    case CONTROL_FULL:
        return "full";
    case CONTROL_INCREMENTAL:
        return "incremental";
    case CONTROL_SETTLING:
        return "settling";
    case CONTROL_DONE:
        return "done";
    default:
        return NULL; /* claiming: what was known stands */
    }
}

/* `silence_ms`: a living source says something at least so often. */
static const char *sync_state(struct gauges *g, uint32_t phase, uint32_t link, int64_t lag,
                              int64_t silence_ms, int64_t mono_ms) {
    int64_t near = (int64_t)(g->received_rate / 2);

    if (near < GAUGES_CAUGHT_UP_BYTES)
        near = GAUGES_CAUGHT_UP_BYTES;
    if (phase != CONTROL_INCREMENTAL)
        return "";
    if (link == CONTROL_LINK_STREAM)
        g->link_seen_ms = mono_ms;
    if (lag == 0)
        g->applied_moved_ms = mono_ms;
    if (mono_ms - g->link_seen_ms >= GAUGES_LINK_DOWN_MS || mono_ms - g->heard_ms >= silence_ms ||
        mono_ms - g->applied_moved_ms >= GAUGES_STALLED_MS) {
        g->caught_up = false;
        return "stalled";
    }
    /* Four times as far to lose the word as to earn it, or it would flicker. */
    if (link == CONTROL_LINK_STREAM && lag <= near)
        g->caught_up = true;
    else if (lag > 4 * near)
        g->caught_up = false;
    return g->caught_up ? "caught_up" : "catching_up";
}

/* A living source says something at least so often. */
static int64_t silence_ms(const struct store_progress *p) {
    int64_t beats_ms = 3 * p->heartbeat_interval_ms;

    if (p->heartbeat_state != 1)
        return GAUGES_IDLE_MS;
    return beats_ms > GAUGES_SILENT_MS ? beats_ms : GAUGES_SILENT_MS;
}

static int64_t earlier_of(uint64_t a, uint64_t b) {
    return to_i64(a == 0 || (b > 0 && b < a) ? b : a);
}

static void set_text(char *dst, size_t size, const char *text) {
    snprintf(dst, size, "%s", text);
}

/* Cut off, the source's backlog is what lets us go on where we were. */
static int64_t backlog_seconds(const struct gauges *g, const struct store_progress *p) {
    double left;

    if (p->link != CONTROL_LINK_DOWN || strcmp(p->phase, "incremental") != 0 ||
        p->backlog_bytes <= 0 || p->source_offset <= 0 || g->source_rate <= 0)
        return -1;
    left = (double)(p->backlog_bytes - (p->source_offset - p->stream_end)) / g->source_rate -
           (double)(g->sampled_ms - g->link_seen_ms) / 1000.0;
    return left < 0 ? 0 : left > 365.0 * 86400 ? -1 : (int64_t)left;
}

/* Begun anew it has moved: what it does next is not known yet. */
static void note_moved(struct gauges *g, const struct control_block *block, bool is_first,
                       struct store_progress *p) {
    uint64_t moved = READ(keys_done) + READ(copy_bytes_done) + READ(applied_offset) +
                     READ(settle_keys_done) + READ(snapshot_bytes);
    bool has_work = strcmp(p->phase, "incremental") != 0 || p->lag_bytes > 0 ||
                    strcmp(p->sync_state, "stalled") == 0;

    if (is_first || moved != g->moved || !has_work)
        p->moved_at_ms = p->sampled_at_ms;
    g->moved = moved;
}

void gauges_sample(struct gauges *g, const struct control_block *block, int64_t mono_ms,
                   int64_t wall_ms, struct store_progress *p) {
    uint32_t phase = READ(phase), link = READ(link);
    uint64_t end = history_end(block);
    bool is_first = g->sampled_ms == 0;

    /* Cut off, its own offset does not move for us; what it last wrote a second is kept. */
    if (link == CONTROL_LINK_DOWN && g->sampled_ms != 0) {
        double kept = g->source_rate;

        sample_rates(g, block, mono_ms);
        g->source_rate = kept;
    } else {
        sample_rates(g, block, mono_ms);
    }
    if (phase_name(phase))
        set_text(p->phase, sizeof(p->phase), phase_name(phase));
    p->link = link;
    p->applied_offset = to_i64(READ(applied_offset));
    p->stream_end = to_i64(READ(stream_end));
    p->source_offset = to_i64(READ(source_offset));
    p->lag_bytes = end > READ(applied_offset) ? to_i64(end - READ(applied_offset)) : 0;
    p->generation = to_i64(READ(snapshot_generation));
    p->keys_done = to_i64(READ(keys_done));
    p->keys_total = to_i64(READ(source_keys));
    p->copy_database = to_i64(READ(copy_database));
    p->keys_expired = to_i64(READ(keys_expired));
    p->keys_filtered = to_i64(READ(keys_filtered));
    p->keys_conflict = to_i64(READ(keys_conflict));
    p->field_expiries_dropped = to_i64(READ(field_expiries_dropped));
    p->bytes_done = to_i64(READ(copy_bytes_done));
    p->bytes_total = to_i64(READ(snapshot_bytes_total));
    p->commands_applied = to_i64(READ(commands_applied));
    p->bytes_applied = to_i64(READ(bytes_applied));
    p->commands_skipped = to_i64(READ(commands_skipped));
    p->commands_rejected = to_i64(READ(commands_rejected));
    p->units_applied = to_i64(READ(units_applied));
    p->heartbeat_state = READ(heartbeat_state);
    if (READ(source_written_at_ms) > 0)
        p->source_written_at_ms = to_i64(READ(source_written_at_ms));
    p->latency_us = to_i64(READ(latency_us));
    if (READ(heartbeat_written_at_ms) > 0)
        p->heartbeat_written_at_ms = to_i64(READ(heartbeat_written_at_ms));
    p->offset_lag_ms = offset_lag(g, block, p->heartbeat_interval_ms, mono_ms);
    p->certificate_until_ms =
        earlier_of(READ(source_certificate_until_ms), READ(destination_certificate_until_ms));
    if (READ(destination_memory_bytes) > 0) {
        p->destination_memory_bytes = to_i64(READ(destination_memory_bytes));
        growth_note(&g->memory, p->destination_memory_bytes, mono_ms);
        p->destination_memory_growth = growth_per_second(&g->memory);
        p->destination_memory_max_bytes = to_i64(READ(destination_memory_max_bytes));
    }
    p->destination_evicted_keys = to_i64(READ(destination_evicted_keys));
    p->source_latency_us = to_i64(READ(source_latency_us));
    p->destination_latency_us = to_i64(READ(destination_latency_us));
    p->source_waited_us = to_i64(READ(source_waited_us));
    p->full_waited_us = to_i64(READ(full_waited_us));
    p->tail_waited_us = to_i64(READ(tail_waited_us));
    p->latency_at_ms = to_i64(READ(latency_at_ms));
    p->spool_bytes = to_i64(READ(spool_bytes));
    p->backlog_bytes = to_i64(READ(backlog_bytes));
    p->reconnects = to_i64(READ(reconnects));
    p->full_syncs = to_i64(READ(full_syncs));
    p->settle_keys_done = to_i64(READ(settle_keys_done));
    p->settled = READ(settled) != 0;
    p->keys_per_second = (int64_t)(g->keys_rate + 0.5);
    p->commands_per_second = (int64_t)(g->commands_rate + 0.5);
    p->bytes_per_second = (int64_t)(g->bytes_rate + 0.5);
    p->source_bytes_per_second = (int64_t)(g->source_rate + 0.5);
    set_text(p->sync_state, sizeof(p->sync_state),
             sync_state(g, phase, link, p->lag_bytes, silence_ms(p), mono_ms));
    p->backlog_seconds = backlog_seconds(g, p);
    p->sampled_at_ms = wall_ms;
    note_moved(g, block, is_first, p);
}

void gauges_seed(struct control_block *block, const struct store_progress *p) {
    SEED(snapshot_generation, p->generation);
    SEED(snapshot_bytes_total, p->bytes_total);
    SEED(source_keys, p->keys_total);
    SEED(keys_done, p->keys_done);
    SEED(copy_database, p->copy_database);
    SEED(copy_bytes_done, p->bytes_done);
    SEED(keys_expired, p->keys_expired);
    SEED(keys_filtered, p->keys_filtered);
    SEED(keys_conflict, p->keys_conflict);
    SEED(field_expiries_dropped, p->field_expiries_dropped);
    SEED(commands_applied, p->commands_applied);
    SEED(bytes_applied, p->bytes_applied);
    SEED(commands_skipped, p->commands_skipped);
    SEED(commands_rejected, p->commands_rejected);
    SEED(units_applied, p->units_applied);
    SEED(reconnects, p->reconnects);
    SEED(full_syncs, p->full_syncs);
    SEED(latency_us, p->latency_us);
    SEED(destination_evicted_keys, p->destination_evicted_keys);
    SEED(source_waited_us, p->source_waited_us);
    SEED(full_waited_us, p->full_waited_us);
    SEED(tail_waited_us, p->tail_waited_us);
    SEED(latency_at_ms, p->latency_at_ms);
}
