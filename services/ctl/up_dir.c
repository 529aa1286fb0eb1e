#include "services/ctl/up_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "services/common/ulid.h"
#include "services/ctl/files.h"
#include "services/secret/api_key.h"
#include "sql/store_account.h"
#include "sql/store_key.h"

/* The lock is the kernel's, so that a kill leaves none behind; the pid in the file
 * is only for the sentence. Children do not inherit it (close-on-exec). */
static bool take_lock(struct up_dir *dir, struct err *err) {
    char path[UP_PATH_MAX + 16], text[32] = "";
    int len;

    snprintf(path, sizeof(path), "%s/lock", dir->path);
    dir->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (dir->lock_fd < 0)
        return err_set(err, ERR_IO, "opening %s: %s", path, strerror(errno));
    if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (read(dir->lock_fd, text, sizeof(text) - 1) < 0)
            text[0] = '\0';
        close(dir->lock_fd);
        dir->lock_fd = -1; /* whose it is decides who may clean up */
        return err_set(err, ERR_CONFIG, "another keyferry (process %ld) runs in %s",
                       strtol(text, NULL, 10), dir->path);
    }
    len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(dir->lock_fd, 0) != 0 || pwrite(dir->lock_fd, text, (size_t)len, 0) != len)
        return err_set(err, ERR_IO, "writing %s: %s", path, strerror(errno));
    return true;
}

bool up_dir_open(struct up_dir *dir, const char *path, bool is_shared, struct err *err) {
    char *real, log[UP_PATH_MAX + 16];
    bool ok;

    *dir = UP_DIR_INIT;
    if (!files_make_dir(path, is_shared ? 0711 : 0700, NULL, err))
        return false;
    real = realpath(path, NULL);
    if (!real)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    ok = files_path(dir->path, sizeof(dir->path), err, "%s", real);
    free(real);
    if (!ok)
        return false;
    snprintf(dir->admin_key, sizeof(dir->admin_key), "%s/admin.key", dir->path);
    snprintf(dir->master_key, sizeof(dir->master_key), "%s/master.key", dir->path);
    snprintf(dir->endpoint, sizeof(dir->endpoint), "%s/endpoint", dir->path);
    snprintf(dir->spool, sizeof(dir->spool), "%s/spool", dir->path);
    snprintf(log, sizeof(log), "%s/log", dir->path);
    return take_lock(dir, err) && files_make_dir(dir->spool, 0700, NULL, err) &&
           files_make_dir(log, 0700, NULL, err);
}

void up_dir_close(struct up_dir *dir) {
    if (dir->lock_fd >= 0)
        close(dir->lock_fd);
    *dir = UP_DIR_INIT;
}

static bool account_of(struct store *store, char ret_id[STORE_ID_SIZE], struct err *err) {
    char id[ULID_ID_SIZE];

    if (!store_account_first(store, ret_id, err))
        return false;
    if (ret_id[0])
        return true;
    ulid_make("acct", id);
    if (!store_account_put(store, id, "default", NULL, err))
        return false;
    snprintf(ret_id, STORE_ID_SIZE, "%s", id);
    return true;
}

static bool enter_key(struct store *store, struct str key, struct err *err) {
    char prefix[API_KEY_PREFIX_LEN + 1], account[STORE_ID_SIZE], id[ULID_ID_SIZE];
    unsigned char hash[API_KEY_HASH_SIZE];
    struct err why = ERR_INIT;
    struct store_key known;

    if (!api_key_prefix(key, prefix))
        return err_set(err, ERR_CONFIG, "it holds no API key");
    if (store_key_find(store, prefix, &known, &why))
        return true;
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    api_key_hash(key, hash);
    ulid_make("ak", id);
    return account_of(store, account, err) &&
           store_key_insert(store,
                            &(struct store_key_new){.id = id,
                                                    .account = account,
                                                    .name = "administrator",
                                                    .prefix = prefix,
                                                    .hash = hash,
                                                    .scopes = "admin"},
                            err);
}

/* The file first, the row second: a crash between them leaves a key that the next
 * start enters, and never a row whose key nobody has. */
static bool make_key(const struct up_dir *dir, struct store *store, struct err *err) {
    char prefix[API_KEY_PREFIX_LEN + 1], line[API_KEY_LEN + 2];
    struct secret key = SECRET_INIT;
    bool ok = api_key_make(&key, prefix, err);

    if (ok) {
        snprintf(line, sizeof(line), STR_FMT "\n", STR_ARG(secret_str(&key)));
        ok = files_write(dir->admin_key, str_from(line), 0600, err) &&
             enter_key(store, secret_str(&key), err);
        explicit_bzero(line, sizeof(line));
    }
    secret_done(&key);
    return ok;
}

static bool key_of_file(const struct up_dir *dir, struct store *store, bool make,
                        enum up_account *ret_key, struct err *err) {
    struct err why = ERR_INIT;
    char line[256];
    size_t len;
    bool ok;

    *ret_key = UP_ACCOUNT_KEY_IN_FILE;
    if (files_read(dir->admin_key, line, sizeof(line), &len, &why)) {
        ok = enter_key(store, str_trim(str_of(line, len)), err);
        explicit_bzero(line, sizeof(line));
        return ok || err_wrap(err, "%s", dir->admin_key);
    }
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    if (make)
        return make_key(dir, store, err);
    *ret_key = UP_ACCOUNT_KEY_ELSEWHERE;
    return true;
}

bool up_account_prepare(const struct up_dir *dir, const char *database_url, bool is_private,
                        enum up_account *ret_key, struct err *err) {
    struct store *store = NULL;
    int64_t usable = 0;
    bool ok;

    ok = store_open(database_url, "keyferry up", &store, err) &&
         store_key_count(store, &usable, err) &&
         key_of_file(dir, store, is_private || usable == 0, ret_key, err);
    store_close(store);
    return ok;
}
