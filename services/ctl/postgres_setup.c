#include "services/ctl/postgres_setup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/ctl/files.h"
#include "services/ctl/subprocess.h"

/* "/.s.PGSQL.5432.lock" is the longest name PostgreSQL puts there, but only the
 * socket's own is bound; both stay below sockaddr_un's size. */
#define SOCKET_NAME "/.s.PGSQL.5432"

enum { INITDB_TIMEOUT_MS = 120000 };

const char *const postgres_setup_environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                                  "LC_ALL=C.UTF-8", "TZ=UTC", NULL};

static bool cluster_exists(const struct private_postgres *pg, struct stat *ret_st) {
    char path[PRIVATE_POSTGRES_PATH_MAX + 16];

    snprintf(path, sizeof(path), "%s/PG_VERSION", pg->data_dir);
    return stat(path, ret_st) == 0;
}

static bool owner_of_cluster(struct private_postgres *pg, const struct stat *st, struct err *err) {
    uid_t me = geteuid();

    pg->uid = st->st_uid;
    pg->gid = st->st_gid;
    pg->become_user = me == 0;
    if (me != 0 && st->st_uid != me)
        return err_set(err, ERR_CONFIG,
                       "%s belongs to user id %u: start keyferry as that user or as root",
                       pg->data_dir, (unsigned)st->st_uid);
    if (st->st_uid == 0)
        return err_set(err, ERR_CONFIG, "%s belongs to root, and PostgreSQL does not run as root",
                       pg->data_dir);
    return true;
}

bool postgres_setup_user(struct private_postgres *pg, struct err *err) {
    static const char *const candidates[] = {"postgres", "nobody"};
    struct stat st;

    if (cluster_exists(pg, &st))
        return owner_of_cluster(pg, &st, err);
    pg->uid = geteuid();
    pg->gid = getegid();
    pg->become_user = pg->uid == 0;
    for (size_t i = 0; pg->become_user && i < LENGTH_OF(candidates); i++) {
        const struct passwd *user = getpwnam(candidates[i]);

        if (user && user->pw_uid != 0) {
            pg->uid = user->pw_uid;
            pg->gid = user->pw_gid;
            return true;
        }
    }
    if (pg->become_user)
        return err_set(err, ERR_CONFIG,
                       "PostgreSQL does not run as root, and there is no user postgres or nobody");
    return true;
}

static bool has_programs(const char *bin_dir) {
    char path[PRIVATE_POSTGRES_PATH_MAX + 16];

    snprintf(path, sizeof(path), "%s/postgres", bin_dir);
    if (access(path, X_OK) != 0)
        return false;
    snprintf(path, sizeof(path), "%s/initdb", bin_dir);
    return access(path, X_OK) == 0;
}

/* Debian puts each major version in a folder of its number. */
static void search_binaries(const char *major, char *ret_dir, size_t dir_size) {
    long best = -1;
    glob_t found;

    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *number = found.gl_pathv[i] + strlen("/usr/lib/postgresql/");
        long version = strtol(number, NULL, 10);

        if (*major && version != strtol(major, NULL, 10))
            continue;
        if (version > best && has_programs(found.gl_pathv[i])) {
            best = version;
            snprintf(ret_dir, dir_size, "%s", found.gl_pathv[i]);
        }
    }
    globfree(&found);
}

bool postgres_setup_binaries(struct private_postgres *pg, const char *wanted, struct err *err) {
    char path[PRIVATE_POSTGRES_PATH_MAX + 16], major[16] = "";
    struct err ignored = ERR_INIT;
    size_t len;

    if (wanted) {
        if (!has_programs(wanted))
            return err_set(err, ERR_CONFIG,
                           "KEYFERRY_POSTGRES_BIN_DIR=%s holds no postgres and initdb", wanted);
        return files_path(pg->bin_dir, sizeof(pg->bin_dir), err, "%s", wanted);
    }
    snprintf(path, sizeof(path), "%s/PG_VERSION", pg->data_dir);
    if (files_read(path, major, sizeof(major), &len, &ignored))
        major[strcspn(major, "\n")] = '\0';
    search_binaries(major, pg->bin_dir, sizeof(pg->bin_dir));
    if (!pg->bin_dir[0] && !*major && has_programs("/usr/bin"))
        snprintf(pg->bin_dir, sizeof(pg->bin_dir), "/usr/bin");
    if (pg->bin_dir[0])
        return true;
    if (*major)
        return err_set(err, ERR_CONFIG, "%s needs PostgreSQL %s: install postgresql-%s",
                       pg->data_dir, major, major);
    return err_set(err, ERR_CONFIG,
                   "no PostgreSQL found: install postgresql, or set KEYFERRY_DATABASE_URL");
}

/* Where the socket goes when DIR is too deep: one name per data directory and
 * user, in /tmp, where nobody else can have made it before us unnoticed. */
static bool short_socket_dir(struct private_postgres *pg, struct err *err) {
    uint64_t hash = 14695981039346656037ULL;
    struct stat st;

    for (const char *c = pg->data_dir; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211ULL;
    if (!files_path(pg->socket_dir, sizeof(pg->socket_dir), err, POSTGRES_SETUP_SHORT "%u-%016llx",
                    (unsigned)pg->uid, (unsigned long long)hash) ||
        !files_make_dir(pg->socket_dir, 0700, NULL, err))
        return false;
    if (pg->become_user && lchown(pg->socket_dir, pg->uid, pg->gid) != 0)
        return err_set(err, ERR_IO, "chown of %s: %s", pg->socket_dir, strerror(errno));
    if (lstat(pg->socket_dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != pg->uid ||
        (st.st_mode & 077))
        return err_set(err, ERR_CONFIG, "%s was made by somebody else: remove it", pg->socket_dir);
    return true;
}

static bool owned_dir(const struct private_postgres *pg, const char *path, struct err *err) {
    if (!files_make_dir(path, 0700, NULL, err))
        return false;
    if (pg->become_user && lchown(path, pg->uid, pg->gid) != 0)
        return err_set(err, ERR_IO, "chown of %s: %s", path, strerror(errno));
    return true;
}

static bool make_url(struct private_postgres *pg, struct err *err) {
    size_t at =
        (size_t)snprintf(pg->url, sizeof(pg->url), "postgresql:///keyferry?user=keyferry&host=");

    for (const unsigned char *c = (const unsigned char *)pg->socket_dir; *c; c++) {
        bool plain = isalnum(*c) || strchr("-._", *c);

        if (at + 4 >= sizeof(pg->url))
            return err_set(err, ERR_TOO_BIG, "the path %s is too long", pg->socket_dir);
        at += (size_t)snprintf(pg->url + at, sizeof(pg->url) - at, plain ? "%c" : "%%%02X", *c);
    }
    return true;
}

bool postgres_setup_directories(struct private_postgres *pg, struct err *err) {
    char closed[PRIVATE_POSTGRES_PATH_MAX];
    const struct sockaddr_un *address = NULL;

    if (!files_make_dir(pg->config_dir, pg->become_user ? 0711 : 0700, NULL, err))
        return false;
    if (pg->become_user &&
        !files_reachable(pg->config_dir, pg->uid, pg->gid, closed, sizeof(closed)))
        return err_set(err, ERR_CONFIG,
                       "PostgreSQL does not run as root, and its user may not enter %s: choose a "
                       "--data-dir elsewhere, such as /var/lib/keyferry",
                       closed);
    if (!files_path(pg->socket_dir, sizeof(pg->socket_dir), err, "%s/run", pg->config_dir))
        return false;
    if (strlen(pg->socket_dir) + sizeof(SOCKET_NAME) > sizeof(address->sun_path))
        return short_socket_dir(pg, err) && make_url(pg, err);
    return owned_dir(pg, pg->socket_dir, err) && make_url(pg, err);
}

static bool write_access_files(const struct private_postgres *pg, struct err *err) {
    static const char hba[] = "# Written at each start of keyferry up.\n"
                              "local all keyferry peer map=keyferry\n";
    const struct passwd *runs_as = getpwuid(pg->uid);
    char path[PRIVATE_POSTGRES_PATH_MAX + 32], ident[256];

    /* Quoted: a system name may hold blanks or capitals. Without a name for the
     * uid (a container's arbitrary user) peer authentication cannot work. */
    if (!runs_as)
        return err_set(err, ERR_CONFIG,
                       "user id %u has no name in /etc/passwd, which PostgreSQL's peer login needs",
                       (unsigned)pg->uid);
    snprintf(ident, sizeof(ident), "keyferry \"root\" keyferry\nkeyferry \"%s\" keyferry\n",
             runs_as->pw_name);
    return files_path(path, sizeof(path), err, "%s/hba.conf", pg->config_dir) &&
           files_write(path, str_from(hba), 0644, err) &&
           files_path(path, sizeof(path), err, "%s/ident.conf", pg->config_dir) &&
           files_write(path, str_from(ident), 0644, err);
}

static bool run_initdb(const struct private_postgres *pg, const char *target, struct err *err) {
    char program[PRIVATE_POSTGRES_PATH_MAX + 16], why[64];
    const char *const argv[] = {program,
                                "-D",
                                target,
                                "-U",
                                "keyferry",
                                "--encoding=UTF8",
                                "--locale=C.UTF-8",
                                "--data-checksums",
                                "--auth-local=peer",
                                "--auth-host=reject",
                                NULL};
    struct subprocess_spec spec = {.argv = argv,
                                   .envp = postgres_setup_environment,
                                   .become_user = pg->become_user,
                                   .uid = pg->uid,
                                   .gid = pg->gid,
                                   .death_signal = SIGTERM,
                                   .output_fd = pg->log.fd};
    int status = 0;
    pid_t pid;

    snprintf(program, sizeof(program), "%s/initdb", pg->bin_dir);
    if (!subprocess_start(&spec, &pid, err))
        return false;
    if (!subprocess_wait(pid, INITDB_TIMEOUT_MS, &status)) {
        (void)kill(pid, SIGKILL);
        (void)subprocess_wait(pid, 1000, &status);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    subprocess_describe(status, why, sizeof(why));
    return err_set(err, ERR_CONFIG, "initdb failed (%s): see %s", why, pg->log.path);
}

bool postgres_setup_cluster(struct private_postgres *pg, struct err *err) {
    char fresh[PRIVATE_POSTGRES_PATH_MAX + 8];
    struct stat st;

    if (!write_access_files(pg, err))
        return false;
    if (cluster_exists(pg, &st))
        return true;
    snprintf(fresh, sizeof(fresh), "%s.new", pg->data_dir);
    if (!files_remove_tree(fresh, err) || !owned_dir(pg, fresh, err) || !run_initdb(pg, fresh, err))
        return false;
    if (rename(fresh, pg->data_dir) != 0)
        return err_set(err, ERR_IO, "renaming %s: %s", fresh, strerror(errno));
    return true;
}
