#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/resp/resp_write.h"
#include "services/common/clock.h"
#include "services/precheck/check_shards.h"
#include "services/redis/redis_primary.h"

enum { CONNECT_TRIES = 3, CONNECT_PAUSE_MS = 200 };

int64_t check_time_left(const struct check_end *end) {
    int64_t left = end->deadline_ms - clock_mono_ms();

    return left > 1 ? left : 1;
}

static void pause_ms(int64_t ms) {
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&ts, NULL);
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

bool check_credentials(struct check_run *run, const struct check_end *end, struct credentials *ret,
                       struct err *err) {
    bool ok;

    pthread_mutex_lock(&run->talk->lock);
    ok = run->talk->hooks->credentials(run->talk->hooks->context, end->name, ret, err);
    pthread_mutex_unlock(&run->talk->lock);
    return ok;
}

/* How one attempt to log in went. */
struct attempt {
    enum check_stage reached, failed_at;
    int32_t certificate_days;
    int64_t connect_us, tls_us, login_us;
};

/* Connect without logging in; the attempt follows how far it got. */
static bool dial(const struct check_end *end, const struct credentials *cred, struct conn **ret,
                 struct attempt *a, struct err *err) {
    int64_t deadline = clock_mono_ms() + smaller(end->ep.connect_timeout_ms, check_time_left(end));
    int64_t began = clock_mono_us();
    struct conn *c = NULL;
    bool done = false, ok;

    if (!conn_start(&c, &end->ep, cred, err)) {
        /* A certificate that cannot be read fails before anything is tried. */
        a->failed_at = err->code == ERR_TLS       ? CHECK_STAGE_SECURED
                       : err->code == ERR_RESOLVE ? CHECK_STAGE_RESOLVED
                                                  : CHECK_STAGE_CONNECTED;
        return false;
    }
    a->reached = CHECK_STAGE_RESOLVED;
    while ((ok = conn_handshake(c, &done, err)) && !done) {
        struct pollfd waiting = {.fd = conn_fd(c), .events = conn_events(c, false, false)};
        int64_t left = deadline - clock_mono_ms();

        if (left <= 0) {
            ok = err_set(err, ERR_TIMEOUT, "no answer from %s in %u ms", end->ep.label,
                         end->ep.connect_timeout_ms);
            break;
        }
        (void)poll(&waiting, 1, (int)smaller(left, INT_MAX));
        if (a->connect_us == REDIS_INFO_UNKNOWN && conn_stage_of(c) > CONN_CONNECTING)
            a->connect_us = clock_mono_us() - began;
    }
    if (conn_stage_of(c) > CONN_CONNECTING)
        a->reached = CHECK_STAGE_CONNECTED;
    if (!ok) {
        a->failed_at =
            a->reached == CHECK_STAGE_CONNECTED ? CHECK_STAGE_SECURED : CHECK_STAGE_CONNECTED;
        conn_close(c);
        return false;
    }
    a->reached = CHECK_STAGE_SECURED;
    if (a->connect_us == REDIS_INFO_UNKNOWN)
        a->connect_us = clock_mono_us() - began;
    if (end->ep.tls)
        a->tls_us = clock_mono_us() - began - a->connect_us;
    *ret = c;
    return true;
}

/* Connect and log in; the attempt says how far it got. */
static bool log_in(struct check_run *run, const struct check_end *end, struct redis_client *client,
                   struct attempt *a, struct err *err) {
    struct credentials cred = CREDENTIALS_INIT;
    struct conn *c = NULL;
    int64_t began;
    bool ok;

    *a = (struct attempt){.reached = CHECK_STAGE_NONE,
                          .failed_at = CHECK_STAGE_LOGGED_IN,
                          .certificate_days = INT32_MAX,
                          .connect_us = REDIS_INFO_UNKNOWN,
                          .tls_us = REDIS_INFO_UNKNOWN,
                          .login_us = REDIS_INFO_UNKNOWN};
    if (!check_credentials(run, end, &cred, err))
        return false;
    ok = dial(end, &cred, &c, a, err);
    if (ok) {
        a->certificate_days = conn_certificate_days(c);
        a->failed_at = CHECK_STAGE_LOGGED_IN;
        began = clock_mono_us();
        ok = redis_client_login(client, c, &end->ep, &cred, end->side,
                                smaller(end->ep.connect_timeout_ms, check_time_left(end)), err);
        a->login_us = ok ? clock_mono_us() - began : REDIS_INFO_UNKNOWN;
    }
    credentials_done(&cred);
    if (ok) {
        a->reached = CHECK_STAGE_LOGGED_IN;
        a->failed_at = CHECK_STAGE_NONE;
    } else if (a->failed_at == CHECK_STAGE_LOGGED_IN && end->ep.tls && err->code == ERR_TLS) {
        /* TLS 1.3: the server's refusal of our certificate arrives with its first answer. */
        a->reached = CHECK_STAGE_CONNECTED;
        a->failed_at = CHECK_STAGE_SECURED;
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

    end->client.timeout_ms = check_time_left(end);
    end->opened_ms = clock_mono_ms();
    if (!redis_client_info(&end->client, &end->info, &end->info_refused, err))
        return false;
    if (end->info_refused && !describe_without_info(run, end, err))
        return false;
    ok = check_ask(run, end, &arena, &reply, err, "CONFIG", "GET", "databases");
    if (ok && reply->type == RESP_ARRAY && reply->count == 2 &&
        str_parse_u64(reply->items[1].str, &databases) && databases <= INT32_MAX)
        end->configured_databases = (int64_t)databases;
    /* Before 3.0 there were no clusters to be part of. */
    if (end->info.cluster_enabled == REDIS_INFO_UNKNOWN && end->info.version_number > 0 &&
        end->info.version_number < 30000)
        end->info.cluster_enabled = 0;
    end->is_sentinel = strcmp(end->info.role, "sentinel") == 0;
    arena_done(&arena);
    return ok;
}

/* Of several addresses the one that is the primary now; the checks are of that server. */
static bool find_primary(struct check_run *run, struct check_end *end, struct err *err) {
    struct credentials cred = CREDENTIALS_INIT;
    struct endpoint found;
    bool ok;

    if (!endpoint_is_group(&end->ep))
        return true;
    ok = check_credentials(run, end, &cred, err) &&
         redis_primary_find(&end->ep, &cred, end->side, check_time_left(end) / 2, &found, err);
    credentials_done(&cred);
    if (ok) {
        end->ep = found; /* with the PEMs and the map, which it took along */
        snprintf(end->label, sizeof(end->label), "%s", found.label);
    }
    return ok;
}

void check_end_open(struct check_run *run, struct check_end *end) {
    if (endpoint_is_cluster(&end->ep))
        check_cluster_open(run, end);
    else
        check_end_open_server(run, end);
}

void check_end_open_server(struct check_run *run, struct check_end *end) {
    redis_info_init(&end->info);
    end->configured_databases = REDIS_INFO_UNKNOWN;
    end->rtt_us = REDIS_INFO_UNKNOWN;
    end->certificate_days = INT32_MAX;
    end->connect_us = end->tls_us = end->login_us = REDIS_INFO_UNKNOWN;
    end->client_certificate_days = conn_client_certificate_days(&end->ep);
    if (!find_primary(run, end, &end->failure)) {
        end->failed_at = CHECK_STAGE_CONNECTED;
        return;
    }
    for (int try = 1;; try++) {
        struct attempt a;
        struct err failure = ERR_INIT;
        bool ok = log_in(run, end, &end->client, &a, &failure);

        end->reached = a.reached;
        end->failed_at = a.failed_at;
        end->failure = failure;
        end->certificate_days = a.certificate_days;
        end->connect_us = a.connect_us;
        end->tls_us = a.tls_us;
        end->login_us = a.login_us;
        if (ok)
            break;
        /* A link that lost one packet is no unreachable server. */
        if (a.failed_at != CHECK_STAGE_CONNECTED || try == CONNECT_TRIES ||
            check_time_left(end) <= CONNECT_PAUSE_MS)
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
    struct attempt a;

    if (!log_in(run, end, ret, &a, err))
        return false;
    ret->timeout_ms = check_time_left(end);
    return true;
}

static bool reopen(struct check_run *run, struct check_end *end, struct err *err) {
    struct attempt a;

    return end->client.conn || log_in(run, end, &end->client, &a, err);
}

bool check_pipeline(struct check_run *run, struct check_end *end, struct str commands, size_t count,
                    struct arena *arena, const struct resp_value **ret_replies, struct err *err) {
    if (!reopen(run, end, err))
        return false;
    end->client.timeout_ms = check_time_left(end);
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

bool check_config(struct check_run *run, struct check_end *end, const char *name, char *dst,
                  size_t dst_size, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok = check_ask(run, end, &arena, &reply, err, "CONFIG", "GET", name);

    dst[0] = '\0';
    if (ok && reply->type == RESP_ARRAY && reply->count == 2 && reply->items[1].type == RESP_BULK)
        str_escape(str_first(reply->items[1].str, dst_size - 1), dst, dst_size);
    arena_done(&arena);
    return ok;
}

void check_end_close(struct check_end *end) {
    check_cluster_close(end);
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
        str_escape(resp_error_shown(reply->str), dst, 160);
        break;
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
