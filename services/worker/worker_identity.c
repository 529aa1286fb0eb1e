#include "services/worker/worker_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/str.h"
#include "services/common/clock.h"
#include "services/common/ulid.h"

enum { ORPHANS_MS = 3000, ALIVE_MS = 300, LOOK_AGAIN_US = 20000, FILE_MAX = 128 };

/* The file: "<id> <pid>\n". What does not parse is as if it were empty. */
static void read_file(int fd, char ret_id[WORKER_IDENTITY_ID_SIZE], pid_t *ret_pid) {
    char text[FILE_MAX] = "", id[WORKER_IDENTITY_ID_SIZE] = "";
    ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
    int pid = 0;

    ret_id[0] = '\0';
    *ret_pid = 0;
    if (len <= 0 || sscanf(text, "%39s %d", id, &pid) != 2 || !ulid_is(str_from(id), "worker"))
        return;
    memcpy(ret_id, id, sizeof(id));
    *ret_pid = pid;
}

static bool write_file(int fd, const char *id, struct err *err) {
    char text[FILE_MAX];
    int len = snprintf(text, sizeof(text), "%s %d\n", id, (int)getpid());

    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len || fsync(fd) != 0)
        return err_set(err, ERR_IO, "writing a worker's identity: %s", strerror(errno));
    return true;
}

/* Locked, or not within the patience its owner deserves: a living one a little, for it
 * may be a process that was killed and is not yet waited for. */
static bool lock_file(int fd) {
    int64_t start = clock_mono_ms();

    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        char id[WORKER_IDENTITY_ID_SIZE];
        pid_t owner;
        bool is_alive;

        read_file(fd, id, &owner);
        is_alive = owner <= 0 || kill(owner, 0) == 0 || errno == EPERM;
        if (clock_mono_ms() - start >= (is_alive ? ALIVE_MS : ORPHANS_MS))
            return false;
        usleep(LOOK_AGAIN_US);
    }
    return true;
}

static bool take_slot(const char *base, int slot, struct worker_identity *ret, bool *ret_taken,
                      struct err *err) {
    struct worker_identity got = WORKER_IDENTITY_INIT;
    char path[400];
    pid_t former;
    int fd;

    if (snprintf(path, sizeof(path), "%s/worker-%d.id", base, slot) >= (int)sizeof(path))
        return err_set(err, ERR_CONFIG, "KEYFERRY_SPOOL_DIR is too long");
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set(err, ERR_CONFIG, "KEYFERRY_SPOOL_DIR: cannot write %s: %s", path,
                       strerror(errno));
    if (!lock_file(fd)) {
        close(fd);
        *ret_taken = false;
        return true;
    }
    read_file(fd, got.id, &former);
    if (got.id[0] == '\0')
        ulid_make("worker", got.id);
    if (!write_file(fd, got.id, err)) {
        close(fd);
        return false;
    }
    if (snprintf(got.spool_dir, sizeof(got.spool_dir), "%s/%s", base, got.id) >=
        (int)sizeof(got.spool_dir)) {
        close(fd);
        return err_set(err, ERR_CONFIG, "KEYFERRY_SPOOL_DIR is too long");
    }
    if (mkdir(got.spool_dir, 0700) != 0 && errno != EEXIST) {
        err_set(err, ERR_CONFIG, "cannot make %s: %s", got.spool_dir, strerror(errno));
        close(fd);
        return false;
    }
    got.lock_fd = fd;
    *ret = got;
    *ret_taken = true;
    return true;
}

bool worker_identity_take(const char *spool_dir, struct worker_identity *ret, struct err *err) {
    char base[300];

    if (spool_dir[0] == '\0')
        return err_set(err, ERR_CONFIG,
                       "KEYFERRY_SPOOL_DIR is not set: a worker needs a "
                       "directory for its spools");
    if (mkdir(spool_dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_CONFIG, "KEYFERRY_SPOOL_DIR: cannot make %s: %s", spool_dir,
                       strerror(errno));
    /* Children get the path, and may not share our working directory for ever. */
    char *whole = realpath(spool_dir, NULL);
    bool fits = whole && strlen(whole) < sizeof(base);

    if (fits)
        snprintf(base, sizeof(base), "%s", whole);
    free(whole);
    if (!fits)
        return err_set(err, ERR_CONFIG, "KEYFERRY_SPOOL_DIR: %s cannot be used", spool_dir);
    for (int slot = 0; slot < WORKER_IDENTITY_SLOTS; slot++) {
        bool taken = false;

        if (!take_slot(base, slot, ret, &taken, err))
            return false;
        if (taken)
            return true;
    }
    return err_set(err, ERR_CONFIG, "%d workers use %s already", WORKER_IDENTITY_SLOTS, base);
}

void worker_identity_drop(struct worker_identity *identity) {
    if (identity->lock_fd >= 0)
        close(identity->lock_fd);
    *identity = WORKER_IDENTITY_INIT;
}
