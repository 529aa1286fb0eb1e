#include <curl/curl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "services/alert/alerter.h"
#include "services/alert/webhook_message.h"
#include "services/common/backoff.h"
#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/common/metric.h"
#include "services/secret/seal.h"
#include "sql/store_txn.h"

enum { FLIGHTS_MAX = 64, EACH_MAX = 4, ANSWER_KEEP = 1024, ANSWER_MAX = 65536 };

/* One attempt. */
struct flight {
    bool is_used, is_refused; /* refused: the address may not be dialled */
    struct alerter *alerter;
    struct store_delivery delivery;
    CURL *easy;
    struct curl_slist *headers;
    int64_t began_ms;
    char answer[ANSWER_KEEP + 1];
    size_t answer_len, answer_total;
};

struct alerter_sender {
    struct alerter *a;
    CURLM *multi;
    struct flight flights[FLIGHTS_MAX];
    int in_flight;
};

/* ---- what curl asks ---------------------------------------------------------------------- */

/* The address that was resolved is the one that is checked and dialled. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address) {
    struct flight *f = arg;

    (void)purpose;
    if (!egress_permits(f->alerter->egress, &address->addr)) {
        f->is_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* The first KiB is kept; a receiver that goes on talking is cut off. */
static size_t take_answer(char *bytes, size_t size, size_t count, void *arg) {
    struct flight *f = arg;
    size_t len = size * count, room = ANSWER_KEEP - f->answer_len;

    if (room > len)
        room = len;
    memcpy(f->answer + f->answer_len, bytes, room);
    f->answer_len += room;
    f->answer_total += len;
    return f->answer_total > ANSWER_MAX ? 0 : len;
}

/* ---- beginning --------------------------------------------------------------------------- */

static bool has_word(const char *list, const char *word) {
    struct str rest = str_from(list), one;

    while (str_cut(&rest, ' ', &one)) {
        if (one.len > 0 && str_equal_nocase(one, str_from(word)))
            return true;
    }
    return false;
}

/* https, or a host that the operator trusts without. The rule may have changed since the
 * endpoint was made. */
static bool check_url(const struct alerter *a, const char *url, struct err *err) {
    CURLU *parsed = curl_url();
    char *scheme = NULL, *host = NULL;
    bool ok = parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK;

    if (!ok)
        err_set(err, ERR_VALIDATION, "the URL cannot be read");
    else if (strcmp(scheme, "https") != 0 &&
             (strcmp(scheme, "http") != 0 || !has_word(a->config->webhook_http_hosts, host)))
        ok = err_set(err, ERR_FORBIDDEN, "the URL must begin with https:// for this host");
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parsed);
    return ok;
}

static bool add_header(struct flight *f, const char *name, const char *value, struct err *err) {
    size_t size = strlen(name) + strlen(value) + 3;
    char *line = malloc(size);
    struct curl_slist *longer;

    if (!line)
        return err_set(err, ERR_MEMORY, "no memory for a header");
    snprintf(line, size, "%s: %s", name, value);
    longer = curl_slist_append(f->headers, line);
    memset(line, 0, size);
    free(line);
    if (!longer)
        return err_set(err, ERR_MEMORY, "no memory for a header");
    f->headers = longer;
    return true;
}

static bool add_own_headers(struct flight *f, const json_t *headers, struct err *err) {
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)headers, name, value) {
        if (json_is_string(value) && !add_header(f, name, json_string_value(value), err))
            return false;
    }
    return true;
}

static bool add_signature(struct flight *f, const json_t *secrets, struct err *err) {
    struct buf signature = BUF_INIT(1024);
    int64_t now_s = clock_wall_ms() / 1000;
    char timestamp[24];
    const json_t *secret;
    size_t i;
    bool ok = true;

    snprintf(timestamp, sizeof(timestamp), "%" PRId64, now_s);
    json_array_foreach((json_t *)(uintptr_t)secrets, i, secret) {
        ok = ok && webhook_message_sign(json_string_value(secret), f->delivery.id, now_s,
                                        str_from(f->delivery.body), &signature, err);
    }
    ok = ok && buf_append(&signature, str_of("", 1), err) &&
         add_header(f, "webhook-id", f->delivery.id, err) &&
         add_header(f, "webhook-timestamp", timestamp, err) &&
         add_header(f, "webhook-signature", signature.ptr, err);
    buf_done(&signature);
    return ok;
}

/* Secrets are opened for the time of an attempt. */
static bool add_headers(struct flight *f, struct err *err) {
    struct secret plain = SECRET_INIT;
    char row[STORE_ID_SIZE + 24];
    json_t *all = NULL;
    bool ok;

    snprintf(row, sizeof(row), "webhook_endpoint:%s", f->delivery.endpoint);
    ok = add_header(f, "Content-Type", "application/json", err) && add_header(f, "Expect", "", err);
    if (ok && f->delivery.sealed.len > 0) {
        ok = seal_open(&f->alerter->keys.ring, str_from(row), buf_str(&f->delivery.sealed), &plain,
                       err);
        all = ok ? json_loadb(plain.ptr, plain.len, 0, NULL) : NULL;
        ok = ok && (all || err_set(err, ERR_INTERNAL, "the sealed secrets are not JSON"));
    }
    ok = ok && add_own_headers(f, json_object_get(all, "headers"), err) &&
         (strcmp(f->delivery.kind, "standard") != 0 ||
          add_signature(f, json_object_get(all, "secrets"), err));
    json_decref(all);
    secret_done(&plain);
    return ok;
}

static bool begin(struct alerter_sender *s, struct flight *f, struct err *err) {
    CURL *easy;

    if (!check_url(s->a, f->delivery.url, err) || !add_headers(f, err))
        return false;
    easy = f->easy = curl_easy_init();
    if (!easy)
        return err_set(err, ERR_MEMORY, "no memory for a request");
    curl_easy_setopt(easy, CURLOPT_URL, f->delivery.url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L); /* each one is checked */
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)f->delivery.timeout_ms);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "keyferry/" KF_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, f->headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(f->delivery.body));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, f->delivery.body);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, f);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, f);
    return curl_multi_add_handle(s->multi, easy) == CURLM_OK ||
           err_set(err, ERR_INTERNAL, "the request could not be begun");
}

static void end(struct alerter_sender *s, struct flight *f) {
    if (f->easy) {
        curl_multi_remove_handle(s->multi, f->easy);
        curl_easy_cleanup(f->easy);
    }
    curl_slist_free_all(f->headers);
    store_delivery_done(&f->delivery);
    *f = (struct flight){.is_used = false};
    s->in_flight--;
    metric_set(METRIC_DELIVERIES_IN_FLIGHT, s->in_flight);
}

/* ---- writing down ------------------------------------------------------------------------ */

struct outcome {
    struct store_attempt attempt;
    const char *endpoint;
    bool disable;
};

static bool note_outcome(struct store *store, void *arg, struct err *err) {
    const struct outcome *o = arg;

    return store_webhook_note(store, &o->attempt, err) &&
           (!o->disable ||
            store_webhook_disable(store, o->endpoint, "the receiver answered 410 Gone", err));
}

static bool conclude(struct alerter_sender *s, struct flight *f,
                     const struct webhook_answer *answer, const char *error, struct err *err) {
    char text[ANSWER_KEEP * 4 + 1];
    int attempt = f->delivery.attempts + 1;
    int64_t in_ms = 0;
    enum webhook_verdict verdict = webhook_schedule_next(
        &s->a->schedule, answer, attempt, f->delivery.attempts_max, backoff_random(), &in_ms);
    struct outcome outcome = {
        .attempt = {.delivery = f->delivery.id,
                    .error = error,
                    .answer = answer->status ? text : NULL,
                    .state = verdict == WEBHOOK_DELIVERED ? "delivered"
                             : verdict == WEBHOOK_AGAIN   ? "pending"
                                                          : "failed",
                    .number = attempt,
                    .duration_ms = (int)(clock_mono_ms() - f->began_ms),
                    .status = answer->status,
                    .next_in_ms = in_ms},
        .endpoint = f->delivery.endpoint,
        .disable = verdict == WEBHOOK_DISABLE,
    };
    bool ok;

    str_escape(str_of(f->answer, f->answer_len), text, sizeof(text));
    ok = store_txn(s->a->store, note_outcome, &outcome, err);
    metric_add(verdict == WEBHOOK_DELIVERED ? METRIC_DELIVERED
               : verdict == WEBHOOK_AGAIN   ? METRIC_DELIVERED_AGAIN
                                            : METRIC_DELIVERED_NEVER,
               1);
    log_event(verdict == WEBHOOK_DELIVERED ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, "webhook.attempt",
              LOG_TEXT("delivery", f->delivery.id), LOG_TEXT("endpoint", f->delivery.endpoint),
              LOG_TEXT("outcome", outcome.attempt.state), LOG_INT("status", answer->status),
              LOG_TEXT("error", error ? error : ""));
    end(s, f);
    return ok;
}

static bool conclude_curl(struct alerter_sender *s, struct flight *f, CURLcode code,
                          struct err *err) {
    struct webhook_answer answer = {.status = 0};
    const char *error = NULL;
    curl_off_t retry_after = 0;
    long status = 0;

    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(f->easy, CURLINFO_RETRY_AFTER, &retry_after);
    if (f->is_refused)
        error = "the address may not be dialled";
    else if (code != CURLE_OK)
        error = curl_easy_strerror(code);
    else
        answer.status = (int)status;
    answer.retry_after_s = (int64_t)retry_after;
    return conclude(s, f, &answer, error, err);
}

/* ---- the sender -------------------------------------------------------------------------- */

bool alerter_sender_new(struct alerter *a, struct alerter_sender **ret, struct err *err) {
    struct alerter_sender *s = calloc(1, sizeof(*s));

    if (!s || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(s->multi = curl_multi_init())) {
        free(s);
        return err_set(err, ERR_INTERNAL, "the HTTP client does not start");
    }
    s->a = a;
    *ret = s;
    return true;
}

void alerter_sender_free(struct alerter_sender *s) {
    if (!s)
        return;
    for (int i = 0; i < FLIGHTS_MAX; i++) {
        if (s->flights[i].is_used)
            end(s, &s->flights[i]);
    }
    curl_multi_cleanup(s->multi);
    free(s);
}

static struct flight *free_flight(struct alerter_sender *s) {
    for (int i = 0; i < FLIGHTS_MAX; i++) {
        if (!s->flights[i].is_used)
            return &s->flights[i];
    }
    return NULL;
}

bool alerter_sender_claim(struct alerter_sender *s, struct err *err) {
    struct store_delivery due[FLIGHTS_MAX];
    int count = 0;
    bool ok = true;

    if (s->in_flight == FLIGHTS_MAX)
        return true;
    if (!store_webhook_claim(s->a->store, FLIGHTS_MAX - s->in_flight, EACH_MAX, due, &count, err))
        return false;
    for (int i = 0; i < count; i++) {
        struct flight *f = free_flight(s);
        struct err why = ERR_INIT;

        *f = (struct flight){
            .is_used = true, .alerter = s->a, .delivery = due[i], .began_ms = clock_mono_ms()};
        s->in_flight++;
        metric_set(METRIC_DELIVERIES_IN_FLIGHT, s->in_flight);
        if (begin(s, f, &why))
            continue;
        ok = conclude(s, f, &(struct webhook_answer){.status = 0}, why.frame[0], ok ? err : &why) &&
             ok;
    }
    return ok;
}

bool alerter_sender_run(struct alerter_sender *s, int timeout_ms, const int wake_fds[ALERTER_WAKES],
                        struct err *err) {
    struct curl_waitfd wakes[ALERTER_WAKES];
    unsigned count = 0;
    int running, left;
    const CURLMsg *message;
    bool ok = true;

    for (int i = 0; i < ALERTER_WAKES; i++) {
        if (wake_fds[i] >= 0)
            wakes[count++] = (struct curl_waitfd){.fd = wake_fds[i], .events = CURL_WAIT_POLLIN};
    }
    (void)curl_multi_perform(s->multi, &running);
    (void)curl_multi_poll(s->multi, wakes, count, timeout_ms, NULL);
    (void)curl_multi_perform(s->multi, &running);
    while ((message = curl_multi_info_read(s->multi, &left))) {
        struct err later = ERR_INIT;
        CURLcode code = message->data.result;
        char *flight = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &flight);
        ok = conclude_curl(s, (struct flight *)(void *)flight, code, ok ? err : &later) && ok;
    }
    return ok;
}
