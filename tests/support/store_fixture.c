#include "tests/support/store_fixture.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/common/ulid.h"
#include "services/job/job_control.h"
#include "sql/store_account.h"
#include "sql/store_key.h"
#include "sql/store_migrate.h"

static char database[64], url[1024], value[4096];
static struct store *store;
static pid_t store_pid;

/* One statement on the server itself. */
static bool run_on(const char *where, const char *text) {
    PGconn *conn = PQconnectdb(where);
    PGresult *result = PQexec(conn, text);
    ExecStatusType status = PQresultStatus(result);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;

    if (!ok)
        fprintf(stderr, "%s: %s\n", text, PQerrorMessage(conn));
    if (ok && status == PGRES_TUPLES_OK)
        snprintf(value, sizeof(value), "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(conn);
    return ok;
}

/* The server's URL with another database, in the key=value form. */
static bool make_url(const char *server) {
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(server, &message);
    size_t at = 0;

    if (!options) {
        fprintf(stderr, "KF_TEST_DATABASE_URL: %s\n", message);
        PQfreemem(message);
        return false;
    }
    for (PQconninfoOption *o = options; o->keyword; o++) {
        if (o->val && strcmp(o->keyword, "dbname") != 0)
            at += (size_t)snprintf(url + at, sizeof(url) - at, "%s='%s' ", o->keyword, o->val);
    }
    snprintf(url + at, sizeof(url) - at, "dbname=%s", database);
    PQconninfoFree(options);
    return true;
}

bool store_fixture_begin(bool migrated) {
    const char *server = getenv("KF_TEST_DATABASE_URL");
    struct err err = ERR_INIT;
    char text[128];

    if (!server || !*server) {
        fprintf(stderr,
                "KF_TEST_DATABASE_URL is not set; run this under tests/support/with_postgres\n");
        return false;
    }
    snprintf(database, sizeof(database), "kf_test_%d", (int)getpid());
    snprintf(text, sizeof(text), "CREATE DATABASE %s", database);
    if (!make_url(server) || !run_on(server, text))
        return false;
    if (migrated && !store_migrate(url, NULL, &err)) {
        err_format(&err, value, sizeof(value));
        fprintf(stderr, "%s\n", value);
        return false;
    }
    return true;
}

void store_fixture_end(void) {
    char text[128];

    store_close(store);
    store = NULL;
    snprintf(text, sizeof(text), "DROP DATABASE IF EXISTS %s WITH (FORCE)", database);
    run_on(getenv("KF_TEST_DATABASE_URL"), text);
}

const char *store_fixture_url(void) {
    return url;
}

struct store *store_fixture(void) {
    struct err err = ERR_INIT;

    /* The connection of a parent is not ours to use or to close. */
    if (store && store_pid == getpid())
        return store;
    if (!store_open(url, "test", &store, &err)) {
        err_format(&err, value, sizeof(value));
        fprintf(stderr, "%s\n", value);
        abort();
    }
    store_pid = getpid();
    return store;
}

void store_fixture_sql(const char *text) {
    CU_ASSERT_TRUE_FATAL(run_on(url, text));
}

const char *store_fixture_value(const char *text) {
    value[0] = '\0';
    CU_ASSERT_TRUE_FATAL(run_on(url, text));
    return value;
}

static int race(int count, bool (*body)(int number), bool opens) {
    int gate[2], won = 0, status;
    char byte;

    fflush(NULL);
    if (pipe(gate) != 0)
        abort();
    for (int i = 0; i < count; i++) {
        if (fork() == 0) {
            close(gate[1]);
            if (opens)
                store_fixture();
            (void)!read(gate[0], &byte, 1); /* until everybody is there */
            _exit(body(i) ? 0 : 1);
        }
    }
    usleep(200000);
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < count; i++) {
        if (wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
            won++;
    }
    return won;
}

int store_fixture_race(int count, bool (*body)(int number)) {
    return race(count, body, true);
}

int store_fixture_race_bare(int count, bool (*body)(int number)) {
    return race(count, body, false);
}

void store_fixture_account(char ret_id[STORE_ID_SIZE]) {
    struct err err = ERR_INIT;
    char id[ULID_ID_SIZE];

    ulid_make("acct", id);
    CU_ASSERT_TRUE_FATAL(store_account_put(store_fixture(), id, "test", NULL, &err));
    snprintf(ret_id, STORE_ID_SIZE, "%s", id);
}

void store_fixture_spec(int port, int databases, struct job_spec *ret_spec) {
    struct err err = ERR_INIT;
    json_t *body = json_pack("{s:{s:s}, s:{s:s}}", "source", "url", "redis://:hush@127.0.0.1:7001",
                             "destination", "url", "redis://127.0.0.1:1");
    json_t *list = json_array();
    char to[64];

    snprintf(to, sizeof(to), "redis://127.0.0.1:%d", port);
    json_object_set_new(json_object_get(body, "destination"), "url", json_string(to));
    for (int i = 0; i < databases; i++)
        json_array_append_new(list, json_pack("{s:i}", "source", i));
    if (databases)
        json_object_set_new(body, "objects", json_pack("{s:O}", "databases", list));
    json_decref(list);
    CU_ASSERT_TRUE_FATAL(job_spec_read(body, ret_spec, &err));
    json_decref(body);
}

static const struct keyring ring = {.keys = {{.id = 1, .key = "0123456789abcdef0123456789abcde"}},
                                    .count = 1};

void store_fixture_job(const char *account, int port, char ret_id[STORE_ID_SIZE]) {
    struct err err = ERR_INIT;
    struct job_spec spec;

    store_fixture_spec(port, 0, &spec);
    CU_ASSERT_TRUE_FATAL(
        job_control_create(store_fixture(), &ring, account, "key:test", &spec, ret_id, &err));
    job_spec_done(&spec);
}

void store_fixture_job_in(const char *account, const char *state, char ret_id[STORE_ID_SIZE]) {
    static int port = 20000;
    char text[256];

    store_fixture_job(account, port++, ret_id);
    snprintf(text, sizeof(text),
             "UPDATE job SET state = '%s' WHERE id = '%s'; INSERT INTO task VALUES ('%s', 0)",
             state, ret_id, ret_id);
    store_fixture_sql(text);
}
