/* private_postgres.h - a PostgreSQL of our own below the data directory.
 *
 * It listens on a unix socket only and knows no password: peer authentication
 * maps the user that started us, the user the server runs as, and root to the
 * database user `keyferry`. PostgreSQL refuses to run as root; then it runs as
 * `postgres`, or `nobody` where that user does not exist, and the data stays with
 * whoever owned it first. When we die, however we die, the kernel asks it for a
 * fast shutdown.
 *
 * Below DIR/postgres: data (the cluster), run (the socket), hba.conf, ident.conf.
 * The cluster is made in data.new and renamed, so a killed initdb leaves nothing
 * that could be taken for a database.
 *
 * Source: PostgreSQL 15, initdb(1), postgres(1), "Peer Authentication"; the
 * 107 bytes of a socket path are sockaddr_un's.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "services/ctl/output_log.h"

enum { PRIVATE_POSTGRES_PATH_MAX = 512 };

struct private_postgres {
    char data_dir[PRIVATE_POSTGRES_PATH_MAX];
    char socket_dir[PRIVATE_POSTGRES_PATH_MAX];
    char bin_dir[PRIVATE_POSTGRES_PATH_MAX];
    struct output_log log; /* of initdb and the server */
    off_t log_start;       /* where it stood when the server was launched last */
    char config_dir[PRIVATE_POSTGRES_PATH_MAX];
    char url[2 * PRIVATE_POSTGRES_PATH_MAX]; /* postgresql://…; holds no secret */
    bool become_user;
    uid_t uid;
    gid_t gid;
    pid_t pid; /* 0 = not running */
};

#define PRIVATE_POSTGRES_INIT ((struct private_postgres){.log = OUTPUT_LOG_INIT, .pid = 0})

/* Find the programs, choose the user, make directories and, the first time, the
 * cluster (about a second). `dir` is absolute; DIR/log exists. The directory
 * KEYFERRY_POSTGRES_BIN_DIR names, when not NULL, is where the programs are.
 * Errors: CONFIG (no PostgreSQL, wrong version, directory out of reach of its
 * user) with what to do about it, IO. */
MUST_CHECK bool private_postgres_prepare(struct private_postgres *pg, const char *dir,
                                         const char *bin_dir, struct err *err);

/* Start the server; it is not ready yet. Errors: IO. */
MUST_CHECK bool private_postgres_launch(struct private_postgres *pg, struct err *err);

/* Does the server we launched (not one that is still going down) answer? */
bool private_postgres_ready(const struct private_postgres *pg);

/* Make the database `keyferry` when it is not there. Errors: STORE. */
MUST_CHECK bool private_postgres_create_database(const struct private_postgres *pg,
                                                 struct err *err);

/* Fast shutdown, harder when it takes over 10 s; waits, reaps, closes the log.
 * Fine when it is not running. */
void private_postgres_stop(struct private_postgres *pg);

/* The last line of its log, since the launch, that says why it did not start; ""
 * when there is none. */
void private_postgres_last_words(const struct private_postgres *pg, char *dst, size_t dst_size);
