/* worker_main.c - `keyferry-worker`: the supervisor, and with `--child DUTY` one child.
 *
 * A child is started by a supervisor only; its descriptors and messages are those of
 * services/flow/child.h.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/common/config.h"
#include "services/common/log.h"
#include "services/common/process.h"
#include "services/flow/apply.h"
#include "services/flow/child.h"
#include "services/flow/receive.h"
#include "services/precheck/check.h"
#include "services/precheck/look.h"
#include "services/worker/worker_loop.h"

extern char **environ;

static const struct {
    const char *name;
    int (*main)(int socket_fd);
} duties[] = {
    {"apply", apply_main},
    {"receive", receive_main},
    {"check", check_child_main},
    {"look", look_child_main},
};

static int usage(void) {
    fprintf(stderr, "usage: keyferry-worker [--config FILE]\n"
                    "Settings are read from the environment (KEYFERRY_...) and from FILE.\n");
    return 2;
}

static int child_main(const char *duty, const char *label) {
    int type = 0;
    socklen_t size = sizeof(type);

    if (getsockopt(CHILD_FD_SOCKET, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
        type != SOCK_SEQPACKET)
        return usage(); /* nobody's child */
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    /* The fixed numbers are ours alone: nothing we might start inherits them. */
    for (int fd = CHILD_FD_SOCKET; fd < CHILD_FD_COUNT; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    log_context("duty", duty);
    log_context("job", label);
    for (size_t i = 0; i < LENGTH_OF(duties); i++) {
        if (strcmp(duties[i].name, duty) == 0)
            return duties[i].main(CHILD_FD_SOCKET);
    }
    return usage();
}

static bool supervise(const struct config *config, struct err *err) {
    struct worker_identity identity = WORKER_IDENTITY_INIT;
    struct keyring_file keys = KEYRING_FILE_INIT;
    int signal_fd;
    bool ok = process_signals_open(&signal_fd, err) &&
              keyring_file_open(&keys, config->master_key_file, err) &&
              worker_identity_take(config->spool_dir, &identity, err) &&
              worker_loop_run(config, &keys, &identity, signal_fd, err);

    worker_identity_drop(&identity);
    keyring_file_done(&keys);
    return ok;
}

int main(int argc, char **argv) {
    struct config config;
    struct err err = ERR_INIT;
    const char *file = NULL;
    bool ok;

    process_harden();
    config_init(&config);
    if (argc == 3 && strcmp(argv[1], "--config") == 0)
        file = argv[2];
    else if (argc != 1 && !(argc == 4 && strcmp(argv[1], "--child") == 0))
        return usage();
    ok = config_load(&config, file, environ, &err);
    if (ok) {
        log_init_text(config.log_format, config.log_level);
        if (argc == 4) {
            int status = child_main(argv[2], argv[3]);

            config_done(&config);
            return status;
        }
        ok = supervise(&config, &err);
    }
    if (!ok)
        log_event(LOG_LEVEL_ERROR, "worker.failed", LOG_ERR(&err));
    config_done(&config);
    return ok ? 0 : 1;
}
