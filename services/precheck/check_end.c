#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/resp/resp_write.h"
#include "services/common/clock.h"
#include "services/precheck/check_run.h"

enum { CONNECT_TRIES = 3, CONNECT_PAUSE_MS = 200 };

int64_t check_time_left(const struct check_run *run) {
    int64_t left = run->check_deadline_ms - clock_mono_ms();

    return left > 1 ? left : 1;
}

static void pause_ms(int64_t ms) {
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&ts, NULL);
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Connect without logging in; *stage follows how far it got. */
static bool dial(struct check_run *run, const struct check_end *end, const struct credentials *cred,
                 struct conn **ret, enum check_stage *stage, enum check_stage *failed_at,
                 struct err *err) {
    int64_t deadline = clock_mono_ms() + smaller(end->ep.connect_timeout_ms, check_time_left(run));
    struct conn *c = NULL;
    bool done = false, ok;

    if (!conn_start(&c, &end->ep, cred, err)) {
        /* A certificate that cannot be read fails before anything is tried. */
        *failed_at = err->code == ERR_TLS       ? CHECK_STAGE_SECURED
                     : err->code == ERR_RESOLVE ? CHECK_STAGE_RESOLVED
                                                : CHECK_STAGE_CONNECTED;
        return false;
    }
    *stage = CHECK_STAGE_RESOLVED;
    while ((ok = conn_handshake(c, &done, err)) && !done) {
        struct pollfd waiting = {.fd = conn_fd(c), .events = conn_events(c, false, false)};
        int64_t left = deadline - clock_mono_ms();

        if (left <= 0) {
            ok = err_set(err, ERR_TIMEOUT, "no answer from %s in %u ms", end->ep.label,
                         end->ep.connect_timeout_ms);
            break;
        }
        (void)poll(&waiting, 1, (int)smaller(left, INT_MAX));
    }
    if (conn_stage_of(c) > CONN_CONNECTING)
        *stage = CHECK_STAGE_CONNECTED;
    if (!ok) {
        *failed_at = *stage == CHECK_STAGE_CONNECTED ? CHECK_STAGE_SECURED : CHECK_STAGE_CONNECTED;
        conn_close(c);
        return false;
    }
    *stage = CHECK_STAGE_SECURED;
    *ret = c;
    return true;
}

/* Connect and log in; `stage` and `failed_at` say how far it got. */
static bool log_in(struct check_run *run, const struct check_end *end, struct redis_client *client,
                   enum check_stage *stage, enum check_stage *failed_at, int32_t *certificate_days,
                   struct err *err) {
    struct credentials cred = CREDENTIALS_INIT;
    struct conn *c = NULL;
    bool ok;

    *stage = CHECK_STAGE_NONE;
    *failed_at = CHECK_STAGE_LOGGED_IN;
    if (!run->hooks->credentials(run->hooks->context, end->name, &cred, err))
        return false;
    ok = dial(run, end, &cred, &c, stage, failed_at, err);
    if (ok) {
        *certificate_days = conn_certificate_days(c);
        *failed_at = CHECK_STAGE_LOGGED_IN;
        ok = redis_client_login(client, c, &end->ep, &cred, end->side,
                                smaller(end->ep.connect_timeout_ms, check_time_left(run)), err);
    }
    credentials_done(&cred);
    if (ok) {
        *stage = CHECK_STAGE_LOGGED_IN;
        *failed_at = CHECK_STAGE_NONE;
    } else if (*failed_at == CHECK_STAGE_LOGGED_IN && end->ep.tls && err->code == ERR_TLS) {
        /* TLS 1.3: the server's refusal of our certificate arrives with its first answer. */
        *stage = CHECK_STAGE_CONNECTED;
        *failed_at = CHECK_STAGE_SECURED;
    }
    return ok;
}

/* Without the right to INFO, HELLO still tells product and version, ROLE the role. */
static bool describe_without_info(struct check_run *run, struct check_end *end, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    struct redis_info *info = &end->info;
    bool ok = check_ask(run, end, &arena, &reply, err, "HELLO");

    for (size_t i = 0; ok && reply->type == RESP_ARRAY && i + 1 < reply->count; i += 2) {
        const struct resp_value *value = &reply->items[i + 1];

        if (value->type != RESP_BULK && value->type != RESP_SIMPLE)
            continue;
        if (resp_value_is(&reply->items[i], "server"))
            info->product = resp_value_is(value, "valkey")  ? REDIS_PRODUCT_VALKEY
                            : resp_value_is(value, "redis") ? REDIS_PRODUCT_REDIS
                                                            : REDIS_PRODUCT_UNKNOWN;
        if (resp_value_is(&reply->items[i], "version")) {
            info->version_number = redis_version_parse(value->str);
            str_escape(str_first(value->str, sizeof(info->version) - 1), info->version,
                       sizeof(info->version));
        }
        if (resp_value_is(&reply->items[i], "mode"))
            info->cluster_enabled = resp_value_is(value, "cluster");
    }
    ok = ok && check_ask(run, end, &arena, &reply, err, "ROLE");
    if (ok && reply->type == RESP_ARRAY && reply->count > 0)
        str_escape(reply->items[0].str, info->role, sizeof(info->role));
    arena_done(&arena);
    return ok;
}

static bool describe(struct check_run *run, struct check_end *end, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    uint64_t databases;
    bool ok;

    end->client.timeout_ms = check_time_left(run);
    if (!redis_client_info(&end->client, &end->info, &end->info_refused, err))
        return false;
    if (end->info_refused && !describe_without_info(run, end, err))
        return false;
    ok = check_ask(run, end, &arena, &reply, err, "CONFIG", "GET", "databases");
    if (ok && reply->type == RESP_ARRAY && reply->count == 2 &&
        str_parse_u64(reply->items[1].str, &databases) && databases <= INT32_MAX)
        end->configured_databases = (int64_t)databases;
    end->is_sentinel = strcmp(end->info.role, "sentinel") == 0;
    arena_done(&arena);
    return ok;
}

void check_end_open(struct check_run *run, struct check_end *end) {
    redis_info_init(&end->info);
    end->configured_databases = REDIS_INFO_UNKNOWN;
    end->rtt_us = REDIS_INFO_UNKNOWN;
    end->certificate_days = INT32_MAX;
    for (int try = 1;; try++) {
        enum check_stage stage, failed_at;
        struct err failure = ERR_INIT;
        bool ok =
            log_in(run, end, &end->client, &stage, &failed_at, &end->certificate_days, &failure);

        end->reached = stage;
        end->failed_at = failed_at;
        end->failure = failure;
        if (ok)
            break;
        /* A link that lost one packet is no unreachable server. */
        if (failed_at != CHECK_STAGE_CONNECTED || try == CONNECT_TRIES ||
            check_time_left(run) <= CONNECT_PAUSE_MS)
            return;
        pause_ms(CONNECT_PAUSE_MS);
    }
    if (!describe(run, end, &end->failure)) {
        end->reached = CHECK_STAGE_SECURED;
        end->failed_at = CHECK_STAGE_LOGGED_IN;
        redis_client_close(&end->client);
    }
}

bool check_end_dial(struct check_run *run, const struct check_end *end, struct redis_client *ret,
                    struct err *err) {
    enum check_stage stage, failed_at;
    int32_t days;

    if (!log_in(run, end, ret, &stage, &failed_at, &days, err))
        return false;
    ret->timeout_ms = check_time_left(run);
    return true;
}

static bool reopen(struct check_run *run, struct check_end *end, struct err *err) {
    enum check_stage stage, failed_at;
    int32_t days;

    return end->client.conn || log_in(run, end, &end->client, &stage, &failed_at, &days, err);
}

bool check_pipeline(struct check_run *run, struct check_end *end, struct str commands, size_t count,
                    struct arena *arena, const struct resp_value **ret_replies, struct err *err) {
    if (!reopen(run, end, err))
        return false;
    end->client.timeout_ms = check_time_left(run);
    if (redis_client_pipeline(&end->client, commands, count, arena, ret_replies, err))
        return true;
    redis_client_close(&end->client);
    return false;
}

bool check_command(struct check_run *run, struct check_end *end, const char *const *words,
                   struct arena *arena, const struct resp_value **ret, struct err *err) {
    struct buf out = BUF_INIT(64 * 1024);
    size_t count = 0;
    bool ok;

    while (words[count])
        count++;
    ok = resp_put_array(&out, count, err);
    for (size_t i = 0; ok && i < count; i++)
        ok = resp_put_bulk(&out, str_from(words[i]), err);
    ok = ok && check_pipeline(run, end, buf_str(&out), 1, arena, ret, err);
    buf_done(&out);
    return ok;
}

void check_end_close(struct check_end *end) {
    redis_client_close(&end->client);
    endpoint_done(&end->ep);
}

bool check_reply_is(const struct resp_value *reply, enum resp_error class) {
    return reply->type == RESP_ERROR && resp_error_class(reply->str) == class;
}

bool check_is_refused(const struct resp_value *reply) {
    return check_reply_is(reply, RESP_ERROR_NOPERM) ||
           check_reply_is(reply, RESP_ERROR_UNKNOWN_COMMAND);
}

const char *check_show(const struct resp_value *reply, char dst[160]) {
    switch (reply->type) {
    case RESP_ERROR:
    case RESP_SIMPLE:
    case RESP_BULK:
        str_escape(reply->str, dst, 160);
        break;
    case RESP_INTEGER:
        snprintf(dst, 160, "%lld", (long long)reply->integer);
        break;
    default:
        snprintf(dst, 160, "something unexpected");
    }
    return dst;
}

const char *check_user(const struct check_end *end) {
    return end->ep.username[0] ? end->ep.username : "default";
}

bool check_sample_writes(struct check_run *run, struct err *err) {
    struct redis_info now;
    int64_t elapsed, before = run->source.info.repl_offset;
    bool refused;

    if (run->sampled)
        return true;
    run->bytes_per_second = run->writes_per_second = REDIS_INFO_UNKNOWN;
    run->sampled = true;
    if (run->source.info_refused)
        return true;
    elapsed = clock_mono_ms() - run->sample_begin_ms;
    if (elapsed < CHECK_WRITE_SAMPLE_MS)
        pause_ms(smaller(CHECK_WRITE_SAMPLE_MS - elapsed, check_time_left(run)));
    run->source.client.timeout_ms = check_time_left(run);
    if (!run->source.client.conn)
        return err_set(err, ERR_CLOSED, "the connection to the source was lost");
    if (!redis_client_info(&run->source.client, &now, &refused, err)) {
        redis_client_close(&run->source.client);
        return false;
    }
    elapsed = clock_mono_ms() - run->sample_begin_ms;
    /* Without a replica and a backlog nothing is written to the stream and the offset stands
     * (or counts single bytes); what clients sent is then the most the stream could have
     * been. */
    if (now.backlog_active != 1) {
        before = run->source.info.net_input_bytes;
        now.repl_offset = now.net_input_bytes;
    }
    if (before >= 0 && now.repl_offset >= before)
        run->bytes_per_second = (now.repl_offset - before) * 1000 / elapsed;
    if (now.changes_since_save >= run->source.info.changes_since_save &&
        run->source.info.changes_since_save >= 0)
        run->writes_per_second =
            ((now.changes_since_save - run->source.info.changes_since_save) * 1000 + elapsed - 1) /
            elapsed;
    return true;
}

size_t check_target_databases(const struct check_run *run, int ret_numbers[CHECK_DATABASES_MAX]) {
    const struct redis_info *info = &run->source.info;
    bool wanted[CHECK_DATABASES_MAX] = {false};
    size_t count = 0;

    for (int i = 0; !run->map_all && i < CHECK_DATABASES_MAX; i++)
        if (run->database_map[i] >= 0)
            wanted[run->database_map[i]] = true;
    for (uint32_t i = 0; run->map_all && i < info->database_count; i++)
        if (info->databases[i].number < CHECK_DATABASES_MAX)
            wanted[info->databases[i].number] = true;
    for (int i = 0; i < CHECK_DATABASES_MAX; i++)
        if (wanted[i])
            ret_numbers[count++] = i;
    if (count == 0)
        ret_numbers[count++] = 0;
    return count;
}
