/* Every secret at rest, under another master key. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/hex.h"
#include "services/secret/reseal.h"
#include "services/secret/seal.h"
#include "tests/support/cunit_run.h"
#include "tests/support/store_fixture.h"

static struct keyring ring_of(uint32_t first, uint32_t last) {
    struct keyring ring = KEYRING_INIT;

    for (uint32_t id = first; id <= last; id++) {
        ring.keys[ring.count].id = id;
        memset(ring.keys[ring.count++].key, (int)('a' + id), 32);
    }
    return ring;
}

/* A bytea literal of "hush" sealed for that row. */
static void sealed_literal(const struct keyring *ring, const char *identity, char dst[256]) {
    struct buf blob = BUF_INIT(256);
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(seal_close(ring, str_from(identity), STR_LIT("hush"), &blob, &err));
    snprintf(dst, 256, "'\\x");
    hex_encode(buf_str(&blob), dst + 3);
    strcat(dst, "'::bytea");
    buf_done(&blob);
}

static void sql(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void sql(const char *fmt, ...) {
    char text[4096];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    store_fixture_sql(text);
}

static char account[STORE_ID_SIZE], job[STORE_ID_SIZE];

/* One row of each kind. */
static void make_rows(const struct keyring *ring) {
    char job_sealed[256], own[256], identity[128];

    store_fixture_sql("DELETE FROM precheck; DELETE FROM instance; DELETE FROM webhook_endpoint;"
                      "DELETE FROM job_event; DELETE FROM job");
    store_fixture_account(account);
    store_fixture_job(account, 4000, job);
    snprintf(identity, sizeof(identity), "job:%s", job);
    sealed_literal(ring, identity, job_sealed);
    sql("UPDATE job SET sealed = %s WHERE id = '%s'", job_sealed, job);
    sealed_literal(ring, "precheck:pck_1", own);
    sql("INSERT INTO precheck (id, account, state, probe, ignore_warnings, spec, sealed, "
        "spec_digest, actor)"
        " VALUES ('pck_1', '%s', 'queued', 'full', false, '{}', %s, 'd', 'a')",
        account, own);
    sealed_literal(ring, "instance:inst_1", own);
    sql("INSERT INTO instance (id, account, name, details, endpoint, address, sealed, work_sealed)"
        " VALUES ('inst_1', '%s', 'n', '{}', '{}', 'a:1', %s, %s)",
        account, own, own);
    sealed_literal(ring, "webhook_endpoint:whe_1", own);
    sql("INSERT INTO webhook_endpoint (id, account, name, url, kind, event_types, timeout_ms,"
        " enabled, sealed) VALUES ('whe_1', '%s', 'n', 'u', 'standard', '{}', 1000, true, %s)",
        account, own);
    snprintf(identity, sizeof(identity), "rejected:%s:0:3:77", job);
    sealed_literal(ring, identity, own);
    sql("INSERT INTO rejected_command (job, task, generation, source_offset, command,"
        " source_database, reason, sealed) VALUES ('%s', 0, 3, 77, 'eval', 0, 'lua_policy', %s)",
        job, own);
}

/* How many are under that key and open to what they held. */
static size_t count_under(uint32_t id, const struct keyring *ring) {
    const struct store_secret_place first = {.kind = ""};
    struct store_secret found[32];
    struct err err = ERR_INIT;
    size_t count = 0, good = 0;

    CU_ASSERT_TRUE_FATAL(
        store_secret_under(store_fixture(), &id, 1, &first, 32, found, &count, &err));
    for (size_t i = 0; i < count; i++) {
        struct secret plain = SECRET_INIT;

        if (seal_open(ring, str_from(found[i].identity), buf_str(&found[i].sealed), &plain, &err) &&
            str_equal(secret_str(&plain), STR_LIT("hush")))
            good++;
        err_clear(&err);
        secret_done(&plain);
        buf_done(&found[i].sealed);
    }
    return good;
}

static void reseal_all(struct reseal *pass, const struct keyring *ring) {
    struct err err = ERR_INIT;
    bool over = false;

    while (!over)
        CU_ASSERT_TRUE_FATAL(reseal_some(pass, store_fixture(), ring, 1000, &over, &err));
}

static void every_kind_of_secret_goes_under_the_new_key(void) {
    struct keyring old = ring_of(1, 1), both = ring_of(1, 2), new = ring_of(2, 2);
    struct reseal pass = RESEAL_BEGIN;
    char version[32];

    make_rows(&old);
    snprintf(version, sizeof(version), "%s", store_fixture_value("SELECT version FROM job"));
    CU_ASSERT_EQUAL(count_under(1, &old), 6);
    reseal_all(&pass, &both);
    CU_ASSERT_EQUAL(pass.done, 6);
    CU_ASSERT_EQUAL(pass.unreadable, 0);
    CU_ASSERT_EQUAL(count_under(2, &new), 6);
    CU_ASSERT_EQUAL(count_under(1, &both), 0);
    /* What it says is the same: who holds an ETag is not sent away. */
    CU_ASSERT_STRING_EQUAL(store_fixture_value("SELECT version FROM job"), version);
    pass = RESEAL_BEGIN;
    reseal_all(&pass, &both);
    CU_ASSERT_EQUAL(pass.done, 0);
}

/* Whoever adds a column of sealed bytes adds it to the view, or this fails. */
static void no_column_is_left_out(void) {
    CU_ASSERT_STRING_EQUAL(
        store_fixture_value("SELECT string_agg(c.table_name || '.' || c.column_name, ' '"
                            "  ORDER BY c.table_name, c.column_name)"
                            "  FROM information_schema.columns c"
                            "  JOIN pg_class t ON t.relname = c.table_name AND t.relkind = 'r'"
                            " WHERE c.table_schema = 'public' AND c.data_type = 'bytea'"),
        "api_key.hash instance.sealed instance.work_sealed job.sealed precheck.sealed "
        "rejected_command.sealed webhook_endpoint.sealed");
}

static void what_cannot_be_opened_is_passed_over_and_stays(void) {
    struct keyring old = ring_of(1, 1), both = ring_of(1, 2), other = ring_of(7, 7);
    struct reseal pass = RESEAL_BEGIN;
    char foreign[256];

    make_rows(&old);
    sql("UPDATE instance SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)");
    sealed_literal(&other, "webhook_endpoint:whe_1", foreign);
    sql("UPDATE webhook_endpoint SET sealed = %s", foreign);
    reseal_all(&pass, &both);
    CU_ASSERT_EQUAL(pass.done, 4);
    CU_ASSERT_EQUAL(pass.unreadable, 1); /* of the key 7 we have nothing, and do not ask */
    CU_ASSERT_EQUAL(count_under(7, &other), 1);
    CU_ASSERT_STRING_EQUAL(store_fixture_value("SELECT kf_sealed_key(sealed) FROM instance"), "1");
}

static void a_secret_that_was_changed_meanwhile_is_not_overwritten(void) {
    struct keyring old = ring_of(1, 1);
    const struct store_secret_place first = {.kind = ""};
    uint32_t one = 1;
    struct store_secret found[32];
    struct err err = ERR_INIT;
    bool written = true;
    size_t count = 0;

    make_rows(&old);
    CU_ASSERT_TRUE_FATAL(
        store_secret_under(store_fixture(), &one, 1, &first, 32, found, &count, &err));
    CU_ASSERT_EQUAL_FATAL(count, 6);
    sql("UPDATE instance SET sealed = sealed || '\\x00'");
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_TRUE(
            store_secret_replace(store_fixture(), &found[i], STR_LIT("12345678"), &written, &err));
        CU_ASSERT_EQUAL(written, strcmp(found[i].place.kind, "instance") != 0);
        buf_done(&found[i].sealed);
    }
    CU_ASSERT_STRING_EQUAL(store_fixture_value("SELECT length(sealed) > 8 FROM instance"), "t");
    CU_ASSERT_STRING_EQUAL(store_fixture_value("SELECT length(work_sealed) FROM instance"), "8");
}

static void what_a_key_is_needed_for_is_counted(void) {
    struct keyring both = ring_of(1, 2);
    struct err err = ERR_INIT;
    json_t *keys = NULL, *row;

    make_rows(&both);
    sql("INSERT INTO idempotency (account, key, request, request_hash, status) VALUES"
        " ('%s', 'a', 'r', '2.abc', 200), ('%s', 'b', 'r', '1.abc', 200),"
        " ('%s', 'c', 'r', 'no key', 200)",
        account, account, account);
    sql("UPDATE idempotency SET created_at = now() - interval '25 hours' WHERE key = 'b'");
    CU_ASSERT_TRUE(store_secret_keys(store_fixture(), &keys, &err));
    CU_ASSERT_EQUAL_FATAL(json_array_size(keys), 1);
    row = json_array_get(keys, 0);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(row, "id")), 2);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(row, "secrets")), 6);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(row, "answers")), 1);
    json_decref(keys);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_kind_of_secret_goes_under_the_new_key),
    CUNIT_TEST(no_column_is_left_out),
    CUNIT_TEST(what_cannot_be_opened_is_passed_over_and_stays),
    CUNIT_TEST(a_secret_that_was_changed_meanwhile_is_not_overwritten),
    CUNIT_TEST(what_a_key_is_needed_for_is_counted),
};
STORE_FIXTURE_MAIN("reseal", true, tests)
