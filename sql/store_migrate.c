#include "sql/store_migrate.h"

#include <stdlib.h>
#include <string.h>

#include "sql/embedded.h"
#include "sql/store_private.h"

/* Any number, as long as it is always this one. */
#define MIGRATION_LOCK "7318349394477056"

/* Above the statement_timeout of ten minutes that a migration has. */
enum { MIGRATION_MS = 11 * 60 * 1000 };

static PGresult *run_params(PGconn *conn, const char *text, int count, const char *const *values) {
    return store_await(conn, PQsendQueryParams(conn, text, count, NULL, values, NULL, NULL, 0),
                       STORE_ANSWER_MS);
}

/* "0001_control" -> "1". */
static bool number_of(const char *name, uint64_t *ret_number) {
    struct str rest = str_from(name), head;

    return str_cut(&rest, '_', &head) && str_parse_u64(head, ret_number);
}

/* What is known of the i-th migration: applied with the same text, or not at all. */
static bool look_up(PGconn *conn, const struct sql_text *migration, const char *number,
                    bool *ret_applied, struct err *err) {
    const char *const values[] = {number, migration->text, migration->name};
    PGresult *result = run_params(
        conn,
        "SELECT sha256 = encode(sha256(convert_to($2::text, 'UTF8')), 'hex'), name = $3::text"
        "  FROM schema_migrations WHERE version = $1::int",
        3, values);
    bool same = true;

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return store_failed(conn, result, "reading schema_migrations", err);
    *ret_applied = PQntuples(result) == 1;
    if (*ret_applied)
        same = PQgetvalue(result, 0, 0)[0] == 't' && PQgetvalue(result, 0, 1)[0] == 't';
    PQclear(result);
    return same || err_set(err, ERR_STORE_SCHEMA,
                           "migration %s was applied with another content than this program has",
                           migration->name);
}

static bool apply_one(PGconn *conn, const struct sql_text *migration, const char *number,
                      struct err *err) {
    const char *const values[] = {number, migration->name, migration->text};
    PGresult *result;

    if (!store_run(conn, "BEGIN", MIGRATION_MS, "beginning", err) ||
        !store_run(conn, migration->text, MIGRATION_MS, migration->name, err))
        return false;
    if (PQtransactionStatus(conn) != PQTRANS_INTRANS)
        return err_set(err, ERR_STORE_SCHEMA, "migration %s ends its own transaction",
                       migration->name);
    result = run_params(conn,
                        "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1::int, $2,"
                        " encode(sha256(convert_to($3::text, 'UTF8')), 'hex'))",
                        3, values);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        return store_failed(conn, result, "noting a migration", err);
    PQclear(result);
    return store_run(conn, "COMMIT", MIGRATION_MS, "committing a migration", err);
}

static bool check_newest(PGconn *conn, struct err *err) {
    char text[24];
    const char *const values[] = {text};
    uint64_t newest = 0;
    PGresult *result;
    bool is_newer;

    if (sql_migration_count && !number_of(sql_migrations[sql_migration_count - 1].name, &newest))
        return err_set(err, ERR_STORE_SCHEMA, "the last migration has no number");
    snprintf(text, sizeof(text), "%llu", (unsigned long long)newest);
    result = run_params(conn, "SELECT 1 FROM schema_migrations WHERE version > $1::int LIMIT 1", 1,
                        values);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return store_failed(conn, result, "reading schema_migrations", err);
    is_newer = PQntuples(result) > 0;
    PQclear(result);
    return !is_newer || err_set(err, ERR_STORE_SCHEMA,
                                "the control database is newer than this program: start the newer "
                                "one");
}

static bool apply_all(PGconn *conn, int *ret_applied, struct err *err) {
    uint64_t before = 0;

    if (!store_run(conn,
                   "SET statement_timeout = '10min'; SET lock_timeout = '60s';"
                   "SELECT pg_advisory_lock(" MIGRATION_LOCK ");"
                   "CREATE TABLE IF NOT EXISTS schema_migrations ("
                   "    version int PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,"
                   "    applied_at timestamptz NOT NULL DEFAULT now());"
                   "COMMENT ON TABLE schema_migrations IS 'Which migrations were applied';"
                   "COMMENT ON COLUMN schema_migrations.version IS 'Number of the file';"
                   "COMMENT ON COLUMN schema_migrations.name IS 'Name of the file';"
                   "COMMENT ON COLUMN schema_migrations.sha256 IS 'Of its content';"
                   "COMMENT ON COLUMN schema_migrations.applied_at IS 'When'",
                   MIGRATION_MS, "taking the lock of migrations", err) ||
        !check_newest(conn, err))
        return false;
    for (int i = 0; i < sql_migration_count; i++) {
        const struct sql_text *migration = &sql_migrations[i];
        uint64_t number = 0;
        bool applied = false;
        char text[24];

        if (!number_of(migration->name, &number) || number <= before)
            return err_set(err, ERR_STORE_SCHEMA, "the migration after number %llu is %s",
                           (unsigned long long)before, migration->name);
        before = number;
        snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
        if (!look_up(conn, migration, text, &applied, err) ||
            (!applied && !apply_one(conn, migration, text, err)))
            return false;
        *ret_applied += !applied;
    }
    return true;
}

bool store_migrate(const char *url, int *ret_applied, struct err *err) {
    PGconn *conn = store_connect(url, "keyferry-migrate", err);
    int applied = 0;
    bool ok;

    if (!conn)
        return false;
    ok = apply_all(conn, &applied, err);
    PQfinish(conn); /* gives the lock back, and rolls back what was not committed */
    if (ok && ret_applied)
        *ret_applied = applied;
    return ok || err_wrap(err, "bringing the schema up to date");
}
