#include "services/ctl/private_postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/ctl/files.h"
#include "services/ctl/postgres_setup.h"
#include "services/ctl/subprocess.h"

enum { STOP_FAST_MS = 10000, STOP_NOW_MS = 5000 };

bool private_postgres_prepare(struct private_postgres *pg, const char *dir, const char *bin_dir,
                              struct err *err) {
    *pg = PRIVATE_POSTGRES_INIT;
    return files_path(pg->config_dir, sizeof(pg->config_dir), err, "%s/postgres", dir) &&
           files_path(pg->data_dir, sizeof(pg->data_dir), err, "%s/postgres/data", dir) &&
           output_log_open(&pg->log, dir, "postgres", err) && postgres_setup_user(pg, err) &&
           postgres_setup_binaries(pg, bin_dir, err) && postgres_setup_directories(pg, err) &&
           postgres_setup_cluster(pg, err);
}

bool private_postgres_launch(struct private_postgres *pg, struct err *err) {
    char program[PRIVATE_POSTGRES_PATH_MAX + 16], socket_dir[PRIVATE_POSTGRES_PATH_MAX + 32];
    char hba[PRIVATE_POSTGRES_PATH_MAX + 32], ident[PRIVATE_POSTGRES_PATH_MAX + 32];
    const char *const argv[] = {
        program,
        "-D",
        pg->data_dir,
        "-c",
        "listen_addresses=",
        "-c",
        socket_dir,
        "-c",
        hba,
        "-c",
        ident,
        "-c",
        "max_connections=100",
        "-c",
        "log_checkpoints=off",
        "-c",
        "log_timezone=UTC",
        NULL,
    };
    struct subprocess_spec spec = {.argv = argv,
                                   .envp = postgres_setup_environment,
                                   .become_user = pg->become_user,
                                   .uid = pg->uid,
                                   .gid = pg->gid,
                                   .death_signal = SIGINT,
                                   .output_fd = pg->log.fd};

    snprintf(program, sizeof(program), "%s/postgres", pg->bin_dir);
    snprintf(socket_dir, sizeof(socket_dir), "unix_socket_directories=%s", pg->socket_dir);
    snprintf(hba, sizeof(hba), "hba_file=%s/hba.conf", pg->config_dir);
    snprintf(ident, sizeof(ident), "ident_file=%s/ident.conf", pg->config_dir);
    pg->log_start = lseek(pg->log.fd, 0, SEEK_END);
    return subprocess_start(&spec, &pg->pid, err);
}

/* Whose postmaster.pid is there? A server that is still shutting down also
 * answers, and must not be taken for the new one. */
static bool pid_file_is_ours(const struct private_postgres *pg) {
    char path[PRIVATE_POSTGRES_PATH_MAX + 32], text[512];
    struct err err = ERR_INIT;
    size_t len;

    snprintf(path, sizeof(path), "%s/postmaster.pid", pg->data_dir);
    return files_read(path, text, sizeof(text), &len, &err) &&
           strtol(text, NULL, 10) == (long)pg->pid;
}

static void conninfo(const struct private_postgres *pg, const char *database, char *dst,
                     size_t dst_size) {
    snprintf(dst, dst_size, "host='%s' user=keyferry dbname=%s connect_timeout=5", pg->socket_dir,
             database);
}

bool private_postgres_ready(const struct private_postgres *pg) {
    char info[PRIVATE_POSTGRES_PATH_MAX + 64];

    conninfo(pg, "postgres", info, sizeof(info));
    return pg->pid > 0 && pid_file_is_ours(pg) && PQping(info) == PQPING_OK;
}

bool private_postgres_create_database(const struct private_postgres *pg, struct err *err) {
    char info[PRIVATE_POSTGRES_PATH_MAX + 64];
    PGconn *conn;
    PGresult *found = NULL, *made = NULL;
    bool ok;

    conninfo(pg, "postgres", info, sizeof(info));
    conn = PQconnectdb(info);
    ok = PQstatus(conn) == CONNECTION_OK;
    if (ok) {
        found = PQexec(conn, "SELECT 1 FROM pg_database WHERE datname = 'keyferry'");
        ok = PQresultStatus(found) == PGRES_TUPLES_OK;
    }
    if (ok && PQntuples(found) == 0) {
        made = PQexec(conn, "CREATE DATABASE keyferry");
        ok = PQresultStatus(made) == PGRES_COMMAND_OK;
    }
    if (!ok)
        (void)err_set(err, ERR_STORE, "making the database keyferry: %s", PQerrorMessage(conn));
    PQclear(found);
    PQclear(made);
    PQfinish(conn);
    return ok;
}

void private_postgres_stop(struct private_postgres *pg) {
    int status;

    if (pg->pid <= 0) {
        output_log_close(&pg->log);
        return;
    }
    (void)kill(pg->pid, SIGINT);
    if (!subprocess_wait(pg->pid, STOP_FAST_MS, &status)) {
        (void)kill(pg->pid, SIGQUIT);
        if (!subprocess_wait(pg->pid, STOP_NOW_MS, &status)) {
            (void)kill(pg->pid, SIGKILL);
            (void)subprocess_wait(pg->pid, STOP_NOW_MS, &status);
        }
    }
    pg->pid = 0;
    output_log_close(&pg->log);
    if (strncmp(pg->socket_dir, POSTGRES_SETUP_SHORT, strlen(POSTGRES_SETUP_SHORT)) == 0)
        (void)rmdir(pg->socket_dir);
}

void private_postgres_last_words(const struct private_postgres *pg, char *dst, size_t dst_size) {
    output_log_last(&pg->log, pg->log_start, "FATAL:", dst, dst_size);
}
