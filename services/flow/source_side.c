#include "services/flow/source_side.h"

#include <stdio.h>
#include <stdlib.h>

#include "services/common/clock.h"
#include "services/flow/child.h"
#include "services/flow/stream_units.h"

enum {
    OPEN_MS = 5000,
    CALL_MS = 1000, /* the links are not read meanwhile */
    REOPEN_MS = 2000,
    ASK_AGAIN_MS = 30000,
    BEAT_TTL_MIN_MS = 10000,
    BEAT_SOON_MS = 10000,    /* refused for a reason that passes */
    BEAT_LATER_MS = 300000,  /* … that somebody has to take away */
    SHOW_AGAIN_MS = 3600000, /* a certificate that was renewed is seen on a new connect */
    CLOCK_EVERY_MS = 10000,
    QUIET_SAMPLE_MS = 15000,
    PING_BYTES = sizeof("*1\r\n$4\r\nPING\r\n") - 1,
};

void source_side_init(struct source_side *side, const struct task_spec *spec,
                      struct control_block *control, int socket_fd) {
    *side = (struct source_side){
        .spec = spec,
        .control = control,
        .socket_fd = socket_fd,
        .client = REDIS_CLIENT_INIT,
        .writes = {.count = -1},
    };
}

/* The heartbeat lives in the lowest selected database: any will do, it is dropped. */
static int beat_database(const struct task_spec *spec) {
    for (int db = 0; !spec->map_all && db < TASK_DATABASES_MAX; db++) {
        if (spec->database_map[db] >= 0)
            return db;
    }
    return 0;
}

static bool open_with(struct source_side *side, const struct credentials *cred, int timeout_ms,
                      struct err *err) {
    struct endpoint ep = side->spec->source; /* borrowed, but for the database */
    int64_t until_ms;

    ep.database = beat_database(side->spec);
    if (!redis_client_open(&side->client, &ep, cred, REDIS_SOURCE, timeout_ms, err))
        return err_wrap(err, "connecting to the source %s", side->spec->source.label);
    side->client.timeout_ms = CALL_MS;
    side->auth_joined = side->client.auth_joined;
    until_ms = conn_certificate_until_ms(side->client.conn, &ep);
    side->shown_at_ms = until_ms ? clock_mono_ms() : 0;
    atomic_store_explicit(&side->control->source_certificate_until_ms, (uint64_t)until_ms,
                          memory_order_relaxed);
    return true;
}

static bool take_time(const struct resp_value *reply, int64_t *ret_ms) {
    int64_t seconds, us;

    if (reply->type != RESP_ARRAY || reply->count != 2 ||
        !str_parse_i64(reply->items[0].str, &seconds) || !str_parse_i64(reply->items[1].str, &us) ||
        seconds < 0 || seconds > INT32_MAX * (int64_t)10)
        return false;
    *ret_ms = seconds * 1000 + us / 1000;
    return true;
}

int64_t source_side_clock_ms(const struct source_side *side, int64_t mono_ms, int64_t wall_ms) {
    return side->clock_ms > 0 ? side->clock_ms + (mono_ms - side->clock_at_ms) : wall_ms;
}

/* An account that may not ask has its expiries counted by our clock. */
static bool ask_clock(struct source_side *side, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    int64_t before = clock_mono_ms(), now, source;
    bool ok;

    if (!side->tells_relative_times ||
        (side->clock_at_ms && before - side->clock_at_ms < CLOCK_EVERY_MS))
        return true;
    ok = redis_client_call(&side->client, &arena, &reply, err, "TIME", NULL);
    now = clock_mono_ms();
    if (ok && take_time(reply, &source))
        side->clock_ms = source + (now - before) / 2; /* half of the way back */
    else if (side->clock_ms > 0)
        side->clock_ms += now - side->clock_at_ms;
    side->clock_at_ms = now;
    arena_done(&arena);
    return ok;
}

bool source_side_open(struct source_side *side, struct redis_info *ret_info, struct err *err) {
    struct credentials cred = CREDENTIALS_INIT;
    bool refused;
    bool ok = child_ask_credentials(side->socket_fd, "source", &cred, err) &&
              open_with(side, &cred, OPEN_MS, err) &&
              redis_client_info(&side->client, ret_info, &refused, err);

    credentials_done(&cred);
    /* From 7.0 on every expiry in the stream is absolute, as Valkey's are. */
    side->tells_relative_times = ok && ret_info->redis_compat < 70000;
    return ok && ask_clock(side, err);
}

void source_side_close(struct source_side *side, bool remove_heartbeat) {
    if (remove_heartbeat && side->client.conn && side->spec->heartbeat &&
        !side->heartbeat_refused) {
        struct arena arena = ARENA_INIT;
        struct err ignored = ERR_INIT;
        const struct resp_value *reply;
        char key[160];

        stream_heartbeat_key(side->spec, key, sizeof(key));
        (void)!redis_client_call(&side->client, &arena, &reply, &ignored, "DEL", key, NULL);
        arena_done(&arena);
    }
    redis_client_close(&side->client);
}

static void note_answer(struct source_side *side, uint64_t took_us) {
    if (took_us < side->quickest_us || side->quickest_us == 0)
        side->quickest_us = took_us;
    atomic_store_explicit(&side->control->source_latency_us, took_us - side->quickest_us,
                          memory_order_relaxed);
}

/* A source that is full, or a replica for the time of a failover, takes it again. */
static void note_beat(struct source_side *side, const struct resp_value *reply, int64_t now_us) {
    bool passes = redis_client_not_now(reply);

    side->heartbeat_refused = reply->type == RESP_ERROR;
    side->beat_again_ms = clock_mono_ms() + (passes ? BEAT_SOON_MS : BEAT_LATER_MS);
    atomic_store_explicit(&side->control->heartbeat_state, side->heartbeat_refused ? 2u : 1u,
                          memory_order_relaxed);
    if (side->heartbeat_refused)
        return;
    side->own_writes++;
    atomic_store_explicit(&side->control->heartbeat_written_at_ms, (uint64_t)(now_us / 1000),
                          memory_order_relaxed);
}

static bool wants_beat(const struct source_side *side) {
    return side->spec->heartbeat && !side->is_quiet &&
           (!side->heartbeat_refused || clock_mono_ms() >= side->beat_again_ms);
}

static bool beat(struct source_side *side, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    uint64_t ttl_ms = (uint64_t)side->spec->heartbeat_interval_ms * 5;
    int64_t now_us = clock_wall_us(), asked_us = clock_mono_us();
    char key[160];
    bool ok;

    if (!wants_beat(side))
        return true;
    stream_heartbeat_key(side->spec, key, sizeof(key));
    if (ttl_ms < BEAT_TTL_MIN_MS)
        ttl_ms = BEAT_TTL_MIN_MS;
    snprintf(side->beat, sizeof(side->beat), "%lld.%03d", (long long)(now_us / 1000),
             (int)(now_us % 1000));
    ok = redis_client_call(&side->client, &arena, &reply, err, "PSETEX", key,
                           arena_printf(&arena, "%llu", (unsigned long long)ttl_ms), side->beat,
                           NULL);
    if (ok) {
        note_answer(side, (uint64_t)(clock_mono_us() - asked_us));
        side->beats++;
        note_beat(side, reply, now_us);
    }
    arena_done(&arena);
    return ok;
}

/* ---- is it written? --------------------------------------------------------------------- */

uint64_t source_writes_between(const struct source_writes *then, const struct source_writes *now,
                               bool *ret_is_known) {
    *ret_is_known =
        then->count >= 0 && now->count >= then->count && now->last_save_sec == then->last_save_sec;
    return *ret_is_known ? (uint64_t)(now->count - then->count) : 0;
}

/* Did others write since the last sample? True also when that is not known. */
static bool note_writes(struct source_side *side, const struct redis_info *info) {
    struct source_writes now = {.count = info->changes_since_save,
                                .last_save_sec = info->last_save_sec};
    bool is_known;
    uint64_t writes = source_writes_between(&side->writes, &now, &is_known);

    if (is_known && writes > (uint64_t)side->own_writes)
        atomic_store_explicit(&side->control->source_written_at_ms, (uint64_t)clock_wall_ms(),
                              memory_order_relaxed);
    side->writes = now;
    is_known &= writes <= (uint64_t)side->own_writes;
    side->own_writes = 0;
    return !is_known;
}

static bool say_pause(struct source_side *side, const char *doing, const char *const words[4],
                      struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok = side->client.conn ||
              err_set(err, ERR_SOURCE_DOWN, "the ordinary connection to the source is down");

    ok = ok && redis_client_call(&side->client, &arena, &reply, err, words[0], words[1], words[2],
                                 words[3], NULL);
    if (ok && !resp_value_is(reply, "OK"))
        ok = redis_client_refused(&side->client, reply, doing, err);
    arena_done(&arena);
    return ok;
}

bool source_side_pause(struct source_side *side, int64_t pause_ms, struct err *err) {
    char ms[24];
    const char *const words[4] = {"CLIENT", "PAUSE", ms, "WRITE"};

    snprintf(ms, sizeof(ms), "%lld", (long long)pause_ms);
    return say_pause(side, "pausing the source's writers", words, err);
}

bool source_side_unpause(struct source_side *side, struct err *err) {
    static const char *const words[4] = {"CLIENT", "UNPAUSE", NULL, NULL};

    return say_pause(side, "letting the source's writers go on", words, err);
}

bool source_side_sample(struct source_side *side, const char *replid, uint64_t *ret_end,
                        struct err *err) {
    struct redis_info *info = calloc(1, sizeof(*info));
    bool refused = false;
    bool ok;

    if (!info)
        return err_set(err, ERR_MEMORY, "no memory for INFO");
    redis_info_init(info);
    ok = (side->client.conn ||
          err_set(err, ERR_SOURCE_DOWN, "the ordinary connection to the source is down")) &&
         redis_client_info(&side->client, info, &refused, err);
    if (ok && (refused || info->repl_offset < 0))
        ok = err_set(err, ERR_SOURCE_NOPERM,
                     "the account may not read INFO replication: the end of the stream is unknown");
    /* Sources before 4.0 do not say the name of their history. */
    if (ok && replid && info->replid[0] && strcmp(info->replid, replid) != 0)
        ok = err_set(err, ERR_SOURCE_DOWN,
                     "the source is in another history (%s) than the link (%s)", info->replid,
                     replid);
    if (ok) {
        *ret_end = (uint64_t)info->repl_offset + 1;
        side->is_written = note_writes(side, info);
        atomic_store_explicit(&side->control->source_offset, *ret_end, memory_order_relaxed);
        atomic_store_explicit(&side->control->source_asked_at_ms, (uint64_t)clock_wall_ms(),
                              memory_order_relaxed);
        atomic_store_explicit(&side->control->backlog_bytes,
                              info->backlog_size > 0 ? (uint64_t)info->backlog_size : 0,
                              memory_order_relaxed);
    } else {
        redis_client_close(&side->client);
    }
    free(info);
    return ok;
}

/* The question goes out and nobody waits: the links must be read. */
static void ask_again(struct source_side *side, int64_t now) {
    json_t *question = json_pack("{s:s, s:s}", "type", "credentials", "end", "source");
    struct err ignored = ERR_INIT;

    if (child_send_within(side->socket_fd, question, 0, &ignored))
        side->asked_at_ms = now;
    json_decref(question);
}

/* The certificates of this connection were seen so long ago that others may be shown by now. Not
 * while the end of the stream is waited for: who asks for it must find the connection. */
static bool is_shown_too_long(const struct source_side *side, int64_t now) {
    return side->shown_at_ms && now - side->shown_at_ms > SHOW_AGAIN_MS && !side->is_quiet;
}

void source_side_credentials(struct source_side *side, const json_t *answer) {
    const json_t *object = json_object_get(answer, "credentials");
    struct credentials cred = CREDENTIALS_INIT;
    struct err ignored = ERR_INIT;

    side->asked_at_ms = 0;
    if ((side->client.conn && !is_shown_too_long(side, clock_mono_ms())) || !object ||
        !credentials_from_json(object, &cred, &ignored))
        return;
    redis_client_close(&side->client);
    if (!open_with(side, &cred, CALL_MS, &ignored))
        redis_client_close(&side->client);
    credentials_done(&cred);
}

static bool is_beating(const struct source_side *side) {
    return side->spec->heartbeat && !side->heartbeat_refused && !side->is_quiet;
}

/* Nothing came since the last tick but the heartbeat, and perhaps a PING, which no write is as
 * short as: byte for byte as much as when the source last said that nobody else writes. Then it
 * need not be asked, which costs it more than the heartbeat does. */
static bool is_as_quiet(struct source_side *side, int64_t now, uint64_t *ret_grown) {
    uint64_t end = atomic_load_explicit(&side->control->stream_end, memory_order_relaxed);

    *ret_grown = end - side->stream_end;
    side->stream_end = end;
    if (side->quiet_bytes == 0 || !is_beating(side) ||
        (*ret_grown != side->quiet_bytes && *ret_grown != side->quiet_bytes + PING_BYTES) ||
        now - side->sampled_at_ms >= QUIET_SAMPLE_MS)
        return false;
    atomic_store_explicit(&side->control->source_offset, end, memory_order_relaxed);
    return true;
}

static bool look(struct source_side *side, int64_t now, struct err *err) {
    uint64_t end, grown;

    if (side->no_offsets || is_as_quiet(side, now, &grown))
        return true;
    side->sampled_at_ms = now;
    if (!source_side_sample(side, NULL, &end, err))
        return false;
    side->quiet_bytes = side->is_written ? 0 : grown;
    return true;
}

int source_side_tick(struct source_side *side) {
    int64_t now = clock_mono_ms(), left_ms;
    struct err err = ERR_INIT;

    if (now < side->next_at_ms)
        return (int)(side->next_at_ms - now);
    side->next_at_ms = now + side->spec->heartbeat_interval_ms;
    if ((!side->client.conn || is_shown_too_long(side, now)) &&
        (side->asked_at_ms == 0 || now - side->asked_at_ms > ASK_AGAIN_MS))
        ask_again(side, now);
    if (side->client.conn &&
        (!beat(side, &err) || !ask_clock(side, &err) || !look(side, now, &err))) {
        redis_client_close(&side->client);
        side->next_at_ms = now + REOPEN_MS;
    }
    /* Its answers may have taken longer than there was until the next: poll() would never end. */
    left_ms = side->next_at_ms - clock_mono_ms();
    return left_ms > 0 ? (int)left_ms : 0;
}
