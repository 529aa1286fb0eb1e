#include "services/ctl/up.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/common/clock.h"
#include "services/common/config.h"
#include "services/common/log.h"
#include "services/common/process.h"
#include "services/ctl/ctl_exit.h"
#include "services/ctl/files.h"
#include "services/ctl/private_postgres.h"
#include "services/ctl/subprocess.h"
#include "services/ctl/up_address.h"
#include "services/ctl/up_children.h"
#include "services/ctl/up_dir.h"
#include "services/secret/seal.h"
#include "sql/store_migrate.h"

#define METRICS_USUAL "127.0.0.1:9090" /* the default of config_keys.def */

extern char **environ;

enum {
    WORKERS_MAX = UP_CHILDREN_MAX - 2, /* the API and the alerter */
    TICK_MS = 100,
    POSTGRES_READY_MS = 60000, /* the old one may still shut down, or recover */
    POSTGRES_AGAIN_MS = 250,
    API_READY_MS = 30000,
    PREDECESSOR_MS = 10000,
    API_TRIES = 4,
    TRIM_INTERVAL_MS = 10000,
};

struct up {
    struct up_dir dir;
    struct config config;
    struct private_postgres postgres;
    struct up_children children;
    bool is_private;
    const char *database_url;
    int workers;
    int signal_fd;
    bool stop;
    int64_t postgres_again_ms;
    struct backoff postgres_backoff;
};

/* Collect whatever ended: our children, and orphans of theirs, which come to us. */
static void reap(struct up *up) {
    int64_t now_ms = clock_mono_ms();
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        char how[64];

        if (up_children_ended(&up->children, pid, status, now_ms) || pid != up->postgres.pid)
            continue;
        up->postgres.pid = 0;
        up->postgres_again_ms =
            now_ms + (int64_t)backoff_next(&up->postgres_backoff, backoff_random());
        subprocess_describe(status, how, sizeof(how));
        log_event(LOG_LEVEL_WARN, "up.process-ended", LOG_TEXT("process", "postgres"),
                  LOG_INT("pid", pid), LOG_TEXT("how", how));
    }
}

/* Let TICK_MS pass, or less when a signal comes. False once a stop was asked for. */
static bool tick(struct up *up) {
    struct pollfd pfd = {.fd = up->signal_fd, .events = POLLIN};
    enum process_signal signal_taken;

    (void)poll(&pfd, 1, TICK_MS);
    while ((signal_taken = process_signal_take()) != PROCESS_NONE)
        up->stop = up->stop || signal_taken == PROCESS_STOP;
    return !up->stop;
}

/* A server that was killed, or its unreaped rest, holds postmaster.pid for a moment:
 * launching again until it is gone is all that helps. */
static bool start_postgres(struct up *up, struct err *err) {
    int64_t deadline_ms = clock_mono_ms() + POSTGRES_READY_MS;
    char words[400];

    if (!private_postgres_prepare(
            &up->postgres, up->dir.path,
            up->config.postgres_bin_dir[0] ? up->config.postgres_bin_dir : NULL, err))
        return false;
    while (!private_postgres_ready(&up->postgres)) {
        int status;

        if (up->postgres.pid > 0 && subprocess_wait(up->postgres.pid, 0, &status)) {
            up->postgres.pid = 0;
            up->postgres_again_ms = clock_mono_ms() + POSTGRES_AGAIN_MS;
        }
        if (clock_mono_ms() > deadline_ms) {
            private_postgres_last_words(&up->postgres, words, sizeof(words));
            return err_set(err, ERR_STORE, "the private PostgreSQL does not start; %s: %s",
                           up->postgres.log.path, words);
        }
        if (up->postgres.pid == 0 && clock_mono_ms() >= up->postgres_again_ms &&
            !private_postgres_launch(&up->postgres, err))
            return false;
        if (!tick(up))
            return true;
    }
    up->database_url = up->postgres.url;
    return private_postgres_create_database(&up->postgres, err);
}

static bool set_environment(struct up *up, struct err *err) {
    struct err why = ERR_INIT;

    if (setenv("KEYFERRY_DATABASE_URL", up->database_url, 1) != 0 ||
        setenv("KEYFERRY_LISTEN", up->config.listen, 1) != 0 ||
        setenv("KEYFERRY_MASTER_KEY_FILE",
               *up->config.master_key_file ? up->config.master_key_file : up->dir.master_key,
               1) != 0 ||
        setenv("KEYFERRY_SPOOL_DIR", *up->config.spool_dir ? up->config.spool_dir : up->dir.spool,
               1) != 0)
        return err_set(err, ERR_MEMORY, "the environment of the processes");
    /* A service for oneself: what it may reach here, its user may reach too. */
    if (!*up->config.egress_allow)
        (void)setenv("KEYFERRY_EGRESS_ALLOW", "unix loopback", 1);
    if (!*up->config.webhook_http_hosts)
        (void)setenv("KEYFERRY_WEBHOOK_HTTP_HOSTS", "localhost 127.0.0.1 [::1]", 1);
    /* Where nobody asked for an address of the metrics, another process that has the
     * usual one is no reason not to start. */
    if (strcmp(up->config.metrics_listen, METRICS_USUAL) == 0 &&
        !up_address_free(METRICS_USUAL, &why)) {
        log_event(LOG_LEVEL_WARN, "up.no-metrics", LOG_ERR(&why));
        (void)setenv("KEYFERRY_METRICS_LISTEN", "off", 1);
    }
    up->children.environment = environ;
    return true;
}

static bool add_children(struct up *up, struct err *err) {
    char self[400], program[512], name[24];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (len <= 0)
        return err_set(err, ERR_IO, "/proc/self/exe: %s", strerror(errno));
    self[len] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(program, sizeof(program), "%s/keyferry-api", self);
    if (!up_children_add(&up->children, up->dir.path, "api", program, err))
        return false;
    snprintf(program, sizeof(program), "%s/keyferry-alerter", self);
    if (!up_children_add(&up->children, up->dir.path, "alerter", program, err))
        return false;
    snprintf(program, sizeof(program), "%s/keyferry-worker", self);
    for (int i = 1; i <= up->workers; i++) {
        snprintf(name, sizeof(name), "worker-%d", i);
        if (!up_children_add(&up->children, up->dir.path, name, program, err))
            return false;
    }
    return true;
}

static size_t drop_bytes(char *bytes, size_t size, size_t count, void *unused) {
    (void)bytes;
    (void)unused;
    return size * count;
}

static bool api_answers(CURL *curl, const char *url) {
    long status = 0;

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 2000L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_bytes);
    return curl_easy_perform(curl) == CURLE_OK &&
           curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status == 200;
}

static bool wait_for_api(struct up *up, const char *base_url, struct err *err) {
    int64_t deadline_ms = clock_mono_ms() + API_READY_MS;
    const struct up_child *api = &up->children.child[0];
    CURL *curl = curl_easy_init();
    char url[300], words[400];
    bool answers = false;

    if (!curl)
        return err_set(err, ERR_MEMORY, "libcurl does not start");
    snprintf(url, sizeof(url), "%s/readyz", base_url);
    /* An API that ends again and again says why in its log; waiting longer is no help. */
    while (!answers && clock_mono_ms() < deadline_ms && api->backoff.attempt < API_TRIES) {
        answers = api_answers(curl, url);
        if (!answers && !tick(up))
            break;
        reap(up);
        up_children_tick(&up->children, clock_mono_ms());
    }
    curl_easy_cleanup(curl);
    if (answers || up->stop)
        return true;
    output_log_last(&api->log, api->log_start, NULL, words, sizeof(words));
    return err_set(err, ERR_INTERNAL, "the API does not come up; %s: %s", api->log.path, words);
}

/* A predecessor that was killed leaves its endpoint file, and an API that takes a
 * moment to notice and to let go of the address. */
static bool address_free(struct up *up, struct err *err) {
    int64_t deadline_ms = clock_mono_ms() + PREDECESSOR_MS;

    for (;;) {
        struct err why = ERR_INIT;

        if (up_address_free(up->config.listen, &why))
            return true;
        if (access(up->dir.endpoint, F_OK) != 0 || clock_mono_ms() > deadline_ms || !tick(up)) {
            *err = why;
            return false;
        }
    }
}

static bool start(struct up *up, struct err *err) {
    enum up_account key = UP_ACCOUNT_KEY_IN_FILE;
    char base_url[280], line[300];
    bool made;

    if (!address_free(up, err) ||
        !up_address_url(up->config.listen, base_url, sizeof(base_url), err) ||
        (!*up->config.master_key_file && !keyring_create(up->dir.master_key, &made, err)))
        return false;
    if (up->is_private && !start_postgres(up, err))
        return false;
    if (up->stop)
        return true;
    if (!store_migrate(up->database_url, NULL, err) ||
        !up_account_prepare(&up->dir, up->database_url, up->is_private, &key, err) ||
        !set_environment(up, err) || !add_children(up, err))
        return false;
    up_children_tick(&up->children, clock_mono_ms());
    snprintf(line, sizeof(line), "%s\n", base_url);
    if (!wait_for_api(up, base_url, err) || up->stop)
        return up->stop;
    if (!files_write(up->dir.endpoint, str_from(line), 0644, err))
        return false;
    if (key == UP_ACCOUNT_KEY_IN_FILE)
        printf("keyferry is ready at %s, the key is in %s\n", base_url, up->dir.admin_key);
    else
        printf("keyferry is ready at %s\n", base_url);
    fflush(stdout);
    return true;
}

static void watch(struct up *up) {
    int64_t trim_ms = 0;

    while (tick(up)) {
        int64_t now_ms = clock_mono_ms();
        struct err err = ERR_INIT;

        reap(up);
        if (up->is_private && up->postgres.pid == 0 && now_ms >= up->postgres_again_ms &&
            !private_postgres_launch(&up->postgres, &err)) {
            log_event(LOG_LEVEL_ERROR, "up.not-started", LOG_TEXT("process", "postgres"),
                      LOG_ERR(&err));
            up->postgres_again_ms =
                now_ms + (int64_t)backoff_next(&up->postgres_backoff, backoff_random());
        }
        up_children_tick(&up->children, now_ms);
        if (now_ms >= trim_ms) {
            up_children_trim_logs(&up->children);
            output_log_trim(&up->postgres.log);
            trim_ms = now_ms + TRIM_INTERVAL_MS;
        }
    }
}

static bool read_settings(struct up *up, const struct ctl_args *args, struct err *err) {
    const char *listen = ctl_args_value(args, CTL_LISTEN);
    const char *workers = ctl_args_value(args, CTL_WORKERS);
    uint64_t count = 1;

    up->children.config_file = ctl_args_value(args, CTL_CONFIG);
    if (!config_load(&up->config, up->children.config_file, environ, err) ||
        (listen && !config_set(&up->config, "KEYFERRY_LISTEN", listen, err)))
        return false;
    if (workers && (!str_parse_u64(str_from(workers), &count) || count < 1 || count > WORKERS_MAX))
        return err_set(err, ERR_USAGE, "--workers is a number from 1 to %d", WORKERS_MAX);
    up->workers = (int)count;
    up->is_private = !*up->config.database_url;
    up->database_url = up->config.database_url;
    log_init_text(up->config.log_format, up->config.log_level);
    return true;
}

int up_run(const struct ctl_args *args) {
    struct up up = {.dir = UP_DIR_INIT,
                    .postgres = PRIVATE_POSTGRES_INIT,
                    .postgres_backoff = {.initial_ms = 100, .max_ms = 10000, .jitter = 0.2}};
    const char *path = ctl_args_value(args, CTL_DATA_DIR);
    struct err err = ERR_INIT;
    int code = CTL_EXIT_REACHED;
    bool ok;

    config_init(&up.config);
    /* The rest of a killed worker or PostgreSQL comes to us and is reaped at once. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    ok = read_settings(&up, args, &err) &&
         up_dir_open(&up.dir, path ? path : "keyferry-data", up.is_private && geteuid() == 0,
                     &err) &&
         process_signals_open(&up.signal_fd, &err) && start(&up, &err);
    if (ok)
        watch(&up);
    else
        code = ctl_exit_with(&err);
    if (up.dir.lock_fd >= 0)
        (void)unlink(up.dir.endpoint);
    up_children_stop(&up.children);
    private_postgres_stop(&up.postgres);
    up_dir_close(&up.dir);
    config_done(&up.config);
    return code;
}
