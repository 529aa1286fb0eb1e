/* INFO of real servers, shortened to what is read. */
#include "services/redis/redis_info.h"
#include "tests/support/cunit_run.h"

static const char redis_text[] =
    "# Server\r\nredis_version:7.0.15\r\nrun_id:c8f1e0a3b2d4c8f1e0a3b2d4c8f1e0a3b2d4c8f1\r\n"
    "# Memory\r\nused_memory:1048576\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n"
    "# Replication\r\nrole:master\r\nmaster_repl_offset:42\r\nrepl_backlog_size:1048576\r\n"
    "# Stats\r\ntotal_error_replies:3\r\n"
    "# Keyspace\r\ndb0:keys=10,expires=2,avg_ttl=17\r\ndb3:keys=1,expires=0,avg_ttl=0\r\n";

static void redis_says_what_it_is(void) {
    struct redis_info info;

    redis_info_init(&info);
    redis_info_parse(str_from(redis_text), &info);
    CU_ASSERT_EQUAL(info.product, REDIS_PRODUCT_REDIS);
    CU_ASSERT_EQUAL(info.version_number, 70015);
    CU_ASSERT_STRING_EQUAL(info.version, "7.0.15");
    CU_ASSERT_STRING_EQUAL(info.role, "master");
    CU_ASSERT_EQUAL(info.repl_offset, 42);
    CU_ASSERT_EQUAL(info.maxmemory, 0);
    CU_ASSERT_EQUAL(info.total_error_replies, 3);
    CU_ASSERT_EQUAL(info.database_count, 2);
    CU_ASSERT_EQUAL(info.databases[1].number, 3);
    CU_ASSERT_EQUAL(info.databases[0].expires, 2);
    CU_ASSERT_EQUAL(redis_info_keys(&info), 11);
}

static void what_was_not_said_is_unknown(void) {
    struct redis_info info;

    redis_info_init(&info);
    redis_info_parse(STR_LIT("# Server\r\nredis_version:2.8.0\r\n"), &info);
    CU_ASSERT_EQUAL(info.maxmemory, REDIS_INFO_UNKNOWN);
    CU_ASSERT_EQUAL(info.total_error_replies, REDIS_INFO_UNKNOWN);
    CU_ASSERT_EQUAL(redis_info_keys(&info), REDIS_INFO_UNKNOWN);
    CU_ASSERT_STRING_EQUAL(info.role, "");
}

static void valkey_is_known_in_whatever_order_it_says_so(void) {
    static const char *const texts[] = {
        "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n",
        "valkey_version:9.1.2\r\nserver_name:valkey\r\nredis_version:7.2.4\r\n",
    };

    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        struct redis_info info;

        redis_info_init(&info);
        redis_info_parse(str_from(texts[i]), &info);
        CU_ASSERT_EQUAL(info.product, REDIS_PRODUCT_VALKEY);
        CU_ASSERT_STRING_EQUAL(info.version, "9.1.2");
        CU_ASSERT_EQUAL(info.version_number, 90102);
        CU_ASSERT_EQUAL(info.redis_compat, 70204);
    }
}

static void versions_are_numbers_or_nothing(void) {
    static const struct {
        const char *text;
        uint32_t number;
    } rows[] = {{"7.0.15", 70015}, {"8.0", 80000},    {"7.4.0-rc1", 70400}, {"255.255.255", 0},
                {"", 0},           {"unstable", 0},   {"10.1.2", 100102},   {"7..1", 70000},
                {"99999999", 0},   {"6.2.6.1", 60206}};

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        CU_ASSERT_EQUAL(redis_version_parse(str_from(rows[i].text)), rows[i].number);
}

static void nonsense_is_passed_over(void) {
    static struct redis_info info;
    char many[16384];
    size_t len = (size_t)snprintf(many, sizeof(many), "# Keyspace\r\n");

    redis_info_init(&info);
    redis_info_parse(STR_LIT("no colon\n:::\nused_memory:-5\nmaxmemory:9x\nrole:\x01\x02\n"
                             "db7:keys=3\n# Keyspace\ndbx:keys=1\ndb99999:keys=1\n"
                             "db2:keys=99999999999999999999,expires=1\ndb2:keys=5\ndb1:keys=5\n"),
                     &info);
    CU_ASSERT_EQUAL(info.used_memory, REDIS_INFO_UNKNOWN);
    CU_ASSERT_EQUAL(info.maxmemory, REDIS_INFO_UNKNOWN);
    CU_ASSERT_STRING_EQUAL(info.role, "\\x01\\x02");
    CU_ASSERT_EQUAL(info.database_count, 1);
    CU_ASSERT_EQUAL(info.databases[0].keys, 0);
    for (int i = 0; i < 400; i++)
        len += (size_t)snprintf(many + len, sizeof(many) - len, "db%d:keys=1,expires=0\r\n", i);
    redis_info_parse(str_of(many, len), &info);
    CU_ASSERT_EQUAL(info.database_count, REDIS_INFO_DATABASES_MAX);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(redis_says_what_it_is),
    CUNIT_TEST(what_was_not_said_is_unknown),
    CUNIT_TEST(valkey_is_known_in_whatever_order_it_says_so),
    CUNIT_TEST(versions_are_numbers_or_nothing),
    CUNIT_TEST(nonsense_is_passed_over),
};
CUNIT_MAIN("redis_info", tests)
