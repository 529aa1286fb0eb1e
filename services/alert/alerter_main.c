/* keyferry-alerter - looks at the alert rules, delivers what is to be told.
 *
 *     keyferry-alerter [--config FILE]
 *
 * Settings: services/common/config_keys.def. Several may run. Runs until SIGTERM or SIGINT.
 * Exit: 0 asked to stop, 1 it cannot go on, 2 wrong usage or setting.
 */
#include <stdio.h>
#include <string.h>

#include "services/alert/alerter.h"
#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/common/metric_server.h"
#include "services/common/process.h"

extern char **environ;

enum { LOOK_MS = 1000, CLAIM_MS = 500 };

static bool asked_to_stop(void) {
    enum process_signal got;

    while ((got = process_signal_take()) != PROCESS_NONE) {
        if (got == PROCESS_STOP)
            return true;
    }
    return false;
}

/* A control database that is away is waited for: nothing here is lost by it. */
static void say(const char *what, struct err *err, bool *said) {
    if (err->code == ERR_NONE) {
        *said = false;
        return;
    }
    if (!*said)
        log_event(LOG_LEVEL_WARN, what, LOG_ERR(err));
    *said = true;
    err_clear(err);
}

static void look(struct alerter *a, struct err *err) {
    int64_t begun_us = clock_mono_us(), took_us;
    bool ok = alerter_watch(a, err);

    took_us = clock_mono_us() - begun_us;
    metric_set(METRIC_STORE_UP, ok);
    metric_set(METRIC_ALERTER_IS_ACTING, ok && a->is_acting);
    if (!ok) {
        metric_add(METRIC_ALERTER_LOOK_FAILURES, 1);
    } else if (a->is_acting) {
        metric_add(METRIC_ALERTER_LOOKS, 1);
        metric_add(METRIC_ALERTER_LOOK_TIME, took_us);
        metric_set(METRIC_ALERTER_LAST_LOOK, took_us);
    }
}

static void serve(struct alerter *a, struct alerter_sender *sender, int signal_fd,
                  struct metric_server *metrics) {
    const int wake_fds[ALERTER_WAKES] = {signal_fd, metric_server_fd(metrics)};
    int64_t look_ms = 0, claim_ms = 0;
    bool said_look = false, said_send = false;

    while (!asked_to_stop()) {
        int64_t now = clock_mono_ms();
        struct err err = ERR_INIT;

        if (now >= look_ms) {
            look_ms = now + LOOK_MS;
            claim_ms = 0; /* what was just written goes out at once */
            if (!keyring_file_look(&a->keys, NULL, &err)) {
                log_event(LOG_LEVEL_ERROR, "alerter.master-keys-unchanged", LOG_ERR(&err));
                err_clear(&err);
            }
            look(a, &err);
            say("alerter.cannot-look", &err, &said_look);
        }
        if (now >= claim_ms) {
            claim_ms = now + CLAIM_MS;
            (void)!alerter_sender_claim(sender, &err);
            say("alerter.cannot-claim", &err, &said_send);
        }
        now = clock_mono_ms();
        if (!alerter_sender_run(sender, claim_ms > now ? (int)(claim_ms - now) : 0, wake_fds, &err))
            say("alerter.cannot-note", &err, &said_send);
        metric_server_serve(metrics);
    }
}

static bool run(const struct config *config, struct err *err) {
    struct alerter a = {.config = config};
    struct alerter_sender *sender = NULL;
    struct metric_server *metrics = NULL;
    int signal_fd;
    bool ok =
        (config->database_url[0] || err_set(err, ERR_CONFIG, "KEYFERRY_DATABASE_URL is not set")) &&
        webhook_schedule_parse(str_from(config->webhook_retries), &a.schedule, err) &&
        egress_of_process(&a.egress, err) && process_signals_open(&signal_fd, err) &&
        keyring_file_open(&a.keys, config->master_key_file, err);

    ulid_make("alerter", a.id);
    ok = ok && store_open(config->database_url, "keyferry-alerter", &a.store, err) &&
         alerter_sender_new(&a, &sender, err) &&
         metric_server_open(config->alerter_metrics_listen, METRIC_OF_ALERTER, &metrics, err);
    if (ok) {
        log_event(LOG_LEVEL_INFO, "alerter.ready", LOG_TEXT("retries", config->webhook_retries));
        serve(&a, sender, signal_fd, metrics);
        alerter_leave(&a);
    }
    metric_server_close(metrics);
    alerter_sender_free(sender);
    store_close(a.store);
    keyring_file_done(&a.keys);
    return ok;
}

int main(int argc, char **argv) {
    struct config config;
    struct err err = ERR_INIT;
    const char *file = NULL;
    bool ok;

    process_harden();
    if (argc == 3 && strcmp(argv[1], "--config") == 0) {
        file = argv[2];
    } else if (argc != 1) {
        fprintf(stderr, "usage: keyferry-alerter [--config FILE]\n");
        return 2;
    }
    config_init(&config);
    ok = config_load(&config, file, environ, &err);
    if (ok) {
        log_init_text(config.log_format, config.log_level);
        ok = run(&config, &err);
    }
    if (!ok)
        log_event(LOG_LEVEL_ERROR, "alerter.failed", LOG_ERR(&err));
    config_done(&config);
    return ok ? 0 : err.code == ERR_CONFIG ? 2 : 1;
}
