/* up_dir.h - the data directory of `keyferry up`: what lies where, and who holds it.
 *
 *   admin.key    the administrator's API key, 0600          master.key  seals passwords
 *   endpoint     URL of the running service                 lock        held while it runs
 *   postgres/    the private PostgreSQL                     spool/  log/
 */
#pragma once

#include <stdbool.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"

enum { UP_PATH_MAX = 512 };

struct up_dir {
    char path[UP_PATH_MAX]; /* absolute, without links */
    char admin_key[UP_PATH_MAX + 16];
    char master_key[UP_PATH_MAX + 16];
    char endpoint[UP_PATH_MAX + 16];
    char spool[UP_PATH_MAX + 16];
    int lock_fd; /* -1 = not held */
};

#define UP_DIR_INIT ((struct up_dir){.lock_fd = -1})

/* Make it when it is not there (0711 when `is_shared`: PostgreSQL's user has to pass
 * through; else 0700), hold its lock, make spool/ and log/.
 * Errors: CONFIG (another keyferry runs in it; names its pid), IO, TOO_BIG. */
MUST_CHECK bool up_dir_open(struct up_dir *dir, const char *path, bool is_shared, struct err *err);

/* Fine on one that never opened. */
void up_dir_close(struct up_dir *dir);

/* What up_account_prepare() did about the administrator's key. */
enum up_account { UP_ACCOUNT_KEY_IN_FILE, UP_ACCOUNT_KEY_ELSEWHERE };

/* See to it that the database has an account and that admin.key opens it. A file that
 * is there is kept and its key entered when the database does not know it. A missing one
 * is made when nobody has a key yet or `is_private` (then whoever owns the directory
 * owns the database); else the key lies with whoever made it.
 * Errors: as the store's, CONFIG (the file holds no key), IO. */
MUST_CHECK bool up_account_prepare(const struct up_dir *dir, const char *database_url,
                                   bool is_private, enum up_account *ret_key, struct err *err);
