#include "services/ctl/up_children.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/common/log.h"
#include "services/ctl/files.h"
#include "services/ctl/subprocess.h"

enum {
    STABLE_MS = 20000,       /* who lived this long starts again at once */
    STOP_WORKERS_MS = 15000, /* a unit in flight is finished, children are stopped */
    STOP_API_MS = 5000,
    KILL_MS = 5000,
};

bool up_children_add(struct up_children *all, const char *dir, const char *name,
                     const char *program, struct err *err) {
    struct up_child *child = &all->child[all->count];

    *child = (struct up_child){.log = OUTPUT_LOG_INIT,
                               .backoff = {.initial_ms = 100, .max_ms = 10000, .jitter = 0.2}};
    if (access(program, X_OK) != 0)
        return err_set(err, ERR_CONFIG, "%s is not there: it belongs beside keyferry", program);
    if (!files_path(child->name, sizeof(child->name), err, "%s", name) ||
        !files_path(child->program, sizeof(child->program), err, "%s", program) ||
        !output_log_open(&child->log, dir, name, err))
        return false;
    all->count++;
    return true;
}

static void later(struct up_child *child, int64_t now_ms) {
    child->pid = 0;
    child->next_start_ms = now_ms + backoff_next(&child->backoff, backoff_random());
}

void up_children_tick(struct up_children *all, int64_t now_ms) {
    for (int i = 0; i < all->count; i++) {
        struct up_child *child = &all->child[i];
        const char *const argv[] = {child->program, all->config_file ? "--config" : NULL,
                                    all->config_file, NULL};
        struct subprocess_spec spec = {.argv = argv,
                                       .envp = (const char *const *)all->environment,
                                       .death_signal = SIGTERM,
                                       .output_fd = child->log.fd};
        struct err err = ERR_INIT;

        if (child->pid != 0 || now_ms < child->next_start_ms)
            continue;
        child->log_start = lseek(child->log.fd, 0, SEEK_END);
        child->started_ms = now_ms;
        if (!subprocess_start(&spec, &child->pid, &err)) {
            log_event(LOG_LEVEL_ERROR, "up.not-started", LOG_TEXT("process", child->name),
                      LOG_ERR(&err));
            later(child, now_ms);
        }
    }
}

bool up_children_ended(struct up_children *all, pid_t pid, int status, int64_t now_ms) {
    for (int i = 0; i < all->count; i++) {
        struct up_child *child = &all->child[i];
        char how[64];

        if (child->pid != pid)
            continue;
        if (now_ms - child->started_ms >= STABLE_MS)
            backoff_clear(&child->backoff);
        later(child, now_ms);
        subprocess_describe(status, how, sizeof(how));
        log_event(LOG_LEVEL_WARN, "up.process-ended", LOG_TEXT("process", child->name),
                  LOG_INT("pid", pid), LOG_TEXT("how", how),
                  LOG_INT("again_in_ms", child->next_start_ms - now_ms));
        return true;
    }
    return false;
}

/* Together, so that N workers take the time of one. */
static void stop_range(struct up_children *all, int first, int end, int timeout_ms) {
    int status;

    for (int i = first; i < end; i++) {
        if (all->child[i].pid > 0)
            (void)kill(all->child[i].pid, SIGTERM);
    }
    for (int i = first; i < end; i++) {
        struct up_child *child = &all->child[i];

        if (child->pid > 0 && !subprocess_wait(child->pid, timeout_ms, &status)) {
            log_event(LOG_LEVEL_WARN, "up.process-killed", LOG_TEXT("process", child->name));
            (void)kill(child->pid, SIGKILL);
            (void)subprocess_wait(child->pid, KILL_MS, &status);
            timeout_ms = 1000; /* the others had their time, too */
        }
        child->pid = 0;
        output_log_close(&child->log);
    }
}

void up_children_stop(struct up_children *all) {
    stop_range(all, 1, all->count, STOP_WORKERS_MS);
    if (all->count > 0)
        stop_range(all, 0, 1, STOP_API_MS);
}

void up_children_trim_logs(struct up_children *all) {
    for (int i = 0; i < all->count; i++)
        output_log_trim(&all->child[i].log);
}
