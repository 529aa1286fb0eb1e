#include "proto/rdb/rdb_accept.h"
#include "tests/support/cunit_run.h"

static struct rdb_accept ask(enum rdb_vendor to, uint32_t version, enum rdb_vendor from,
                             uint8_t type) {
    struct rdb_destination dest = {.vendor = to, .version = version};

    return rdb_accept(&dest, from, type);
}

/* One row per pair that was tried with RESTORE, or read in the loader of a server that
 * could not be. */
static const struct {
    enum rdb_vendor to;
    uint32_t version;
    enum rdb_vendor from;
    uint8_t type;
    enum rdb_way way;
    uint8_t to_type;
} pairs[] = {
    {RDB_REDIS, 20800, RDB_REDIS, 0, RDB_WAY_AS_IS, 0},
    {RDB_REDIS, 20800, RDB_REDIS, 5, RDB_WAY_TRANSCODE, 3},
    {RDB_REDIS, 20800, RDB_REDIS, 14, RDB_WAY_TRANSCODE, 1},
    {RDB_REDIS, 20800, RDB_REDIS, 13, RDB_WAY_AS_IS, 13},
    {RDB_REDIS, 20800, RDB_REDIS, 17, RDB_WAY_TRANSCODE, 3},
    {RDB_REDIS, 30200, RDB_REDIS, 14, RDB_WAY_AS_IS, 14},
    {RDB_REDIS, 40014, RDB_REDIS, 15, RDB_WAY_IMPOSSIBLE, 0},
    {RDB_REDIS, 40014, RDB_REDIS, 26, RDB_WAY_IMPOSSIBLE, 0},
    {RDB_REDIS, 60016, RDB_REDIS, 16, RDB_WAY_TRANSCODE, 4},
    {RDB_REDIS, 60016, RDB_REDIS, 17, RDB_WAY_TRANSCODE, 5},
    {RDB_REDIS, 60016, RDB_REDIS, 18, RDB_WAY_TRANSCODE, 1},
    {RDB_REDIS, 60016, RDB_REDIS, 20, RDB_WAY_TRANSCODE, 2},
    {RDB_REDIS, 60016, RDB_REDIS, 21, RDB_WAY_TRANSCODE, 15},
    {RDB_REDIS, 60016, RDB_REDIS, 15, RDB_WAY_AS_IS, 15},
    {RDB_REDIS, 60016, RDB_REDIS, 24, RDB_WAY_TRANSCODE, 4},
    {RDB_REDIS, 60016, RDB_VALKEY, 22, RDB_WAY_TRANSCODE, 4},
    {RDB_REDIS, 60016, RDB_REDIS, 7, RDB_WAY_IMPOSSIBLE, 0},
    {RDB_REDIS, 60016, RDB_REDIS, 9, RDB_WAY_TRANSCODE, 4},
    {RDB_REDIS, 70015, RDB_REDIS, 16, RDB_WAY_AS_IS, 16},
    {RDB_REDIS, 70015, RDB_REDIS, 20, RDB_WAY_TRANSCODE, 2},
    {RDB_REDIS, 70015, RDB_REDIS, 26, RDB_WAY_TRANSCODE, 19},
    {RDB_REDIS, 70015, RDB_REDIS, 7, RDB_WAY_AS_IS, 7},
    {RDB_REDIS, 70204, RDB_REDIS, 21, RDB_WAY_AS_IS, 21},
    {RDB_REDIS, 70204, RDB_REDIS, 25, RDB_WAY_TRANSCODE, 4}, /* Redict 7.3 */
    {RDB_REDIS, 80002, RDB_REDIS, 25, RDB_WAY_AS_IS, 25},
    {RDB_REDIS, 80002, RDB_VALKEY, 22, RDB_WAY_TRANSCODE, 24},
    {RDB_REDIS, 80002, RDB_REDIS, 22, RDB_WAY_AS_IS, 22},
    {RDB_REDIS, 80002, RDB_REDIS, 26, RDB_WAY_TRANSCODE, 21},
    {RDB_REDIS, 80002, RDB_REDIS, 28, RDB_WAY_IMPOSSIBLE, 0},
    {RDB_REDIS, 80603, RDB_REDIS, 26, RDB_WAY_AS_IS, 26},
    {RDB_REDIS, 80603, RDB_REDIS, 27, RDB_WAY_TRANSCODE, 26},
    {RDB_REDIS, 80603, RDB_REDIS, 32, RDB_WAY_TRANSCODE, 4},
    {RDB_REDIS, 80800, RDB_REDIS, 28, RDB_WAY_AS_IS, 28},
    {RDB_REDIS, 81000, RDB_REDIS, 30, RDB_WAY_TRANSCODE, 29},
    {RDB_REDIS, 81000, RDB_REDIS, 32, RDB_WAY_TRANSCODE, 31},
    {RDB_REDIS, 81000, RDB_REDIS, 29, RDB_WAY_AS_IS, 29},
    {RDB_VALKEY, 80101, RDB_REDIS, 21, RDB_WAY_AS_IS, 21},
    {RDB_VALKEY, 80101, RDB_REDIS, 26, RDB_WAY_TRANSCODE, 21},
    {RDB_VALKEY, 80101, RDB_REDIS, 24, RDB_WAY_TRANSCODE, 4},
    {RDB_VALKEY, 80101, RDB_VALKEY, 22, RDB_WAY_TRANSCODE, 4},
    {RDB_VALKEY, 90102, RDB_VALKEY, 22, RDB_WAY_AS_IS, 22},
    {RDB_VALKEY, 90102, RDB_REDIS, 22, RDB_WAY_TRANSCODE, 22}, /* another 22 */
    {RDB_VALKEY, 90102, RDB_REDIS, 24, RDB_WAY_TRANSCODE, 22},
    {RDB_VALKEY, 90102, RDB_REDIS, 25, RDB_WAY_TRANSCODE, 22},
    {RDB_VALKEY, 90102, RDB_REDIS, 28, RDB_WAY_IMPOSSIBLE, 0},
    {RDB_VALKEY, 90102, RDB_REDIS, 31, RDB_WAY_TRANSCODE, 4},
    {RDB_REDIS, 80603, RDB_REDIS, 6, RDB_WAY_IMPOSSIBLE, 0},
    {RDB_REDIS, 80603, RDB_VALKEY, 23, RDB_WAY_IMPOSSIBLE, 0},
    {RDB_REDIS, 81000, RDB_REDIS, 33, RDB_WAY_IMPOSSIBLE, 0},
};

static void a_value_takes_the_way_its_destination_can_read(void) {
    for (size_t i = 0; i < LENGTH_OF(pairs); i++) {
        struct rdb_accept accept = ask(pairs[i].to, pairs[i].version, pairs[i].from, pairs[i].type);

        CU_ASSERT_EQUAL(accept.way, pairs[i].way);
        CU_ASSERT_EQUAL(accept.type, pairs[i].to_type);
        CU_ASSERT_EQUAL(accept.why != NULL, accept.way == RDB_WAY_IMPOSSIBLE);
    }
}

static const uint32_t versions[] = {20800, 30200, 40014, 50014, 60016, 60220, 70015, 70204,
                                    70400, 80002, 80101, 80603, 80800, 81000, 90102};

/* Whatever the table says, the destination's loader must know the type and the value must
 * stay of its kind. */
static void no_way_leads_to_a_type_the_destination_does_not_know(void) {
    size_t transcoded = 0;

    for (size_t i = 0; i < LENGTH_OF(versions) * 4; i++) {
        enum rdb_vendor to = i & 1 ? RDB_VALKEY : RDB_REDIS;
        enum rdb_vendor from = i & 2 ? RDB_VALKEY : RDB_REDIS;
        uint32_t version = versions[i / 4];

        for (unsigned type = 0; type < 256; type++) {
            struct rdb_accept accept = ask(to, version, from, (uint8_t)type);
            bool templated = type >= 29 && type <= 32;

            CU_ASSERT_NOT_EQUAL(accept.way, RDB_WAY_COMMANDS);
            if (accept.way == RDB_WAY_IMPOSSIBLE)
                continue;
            CU_ASSERT(version >= rdb_type_known_from(to, accept.type));
            CU_ASSERT(templated ||
                      rdb_type_kind(to, accept.type) == rdb_type_kind(from, (uint8_t)type));
            CU_ASSERT_EQUAL(accept.drops_field_expiry,
                            rdb_type_has_field_expiry(from, (uint8_t)type) &&
                                !rdb_type_has_field_expiry(to, accept.type));
            transcoded += accept.way == RDB_WAY_TRANSCODE;
        }
    }
    CU_ASSERT(transcoded > 100);
}

static void held_expiries_of_fields_are_never_sent_as_they_are(void) {
    struct rdb_destination dest = {.vendor = RDB_REDIS, .version = 80002, .held = true};
    struct rdb_accept accept = rdb_accept(&dest, RDB_REDIS, RDB_TYPE_HASH_LISTPACK_EX);

    CU_ASSERT_EQUAL(accept.way, RDB_WAY_TRANSCODE);
    CU_ASSERT_EQUAL(accept.type, RDB_TYPE_HASH_LISTPACK_EX);
    CU_ASSERT_EQUAL(rdb_accept(&dest, RDB_REDIS, RDB_TYPE_HASH_LISTPACK).way, RDB_WAY_AS_IS);
}

static void a_module_goes_to_an_old_server_only_when_it_was_looked_for(void) {
    struct rdb_destination dest = {.vendor = RDB_REDIS, .version = 60016};

    CU_ASSERT_EQUAL(rdb_accept(&dest, RDB_REDIS, RDB_TYPE_MODULE_2).way, RDB_WAY_IMPOSSIBLE);
    dest.has_modules = true;
    CU_ASSERT_EQUAL(rdb_accept(&dest, RDB_REDIS, RDB_TYPE_MODULE_2).way, RDB_WAY_AS_IS);
    dest.version = 0;
    CU_ASSERT_EQUAL(rdb_accept(&dest, RDB_REDIS, RDB_TYPE_MODULE_2).way, RDB_WAY_AS_IS);
    dest.has_modules = false;
    CU_ASSERT_EQUAL(rdb_accept(&dest, RDB_REDIS, RDB_TYPE_MODULE_2).way, RDB_WAY_IMPOSSIBLE);
}

static void an_unknown_destination_gets_commands(void) {
    for (unsigned type = 0; type <= 32; type++) {
        struct rdb_accept accept = ask(RDB_REDIS, 0, RDB_REDIS, (uint8_t)type);

        if (rdb_type_kind(RDB_REDIS, (uint8_t)type) < RDB_KIND_MODULE) {
            CU_ASSERT_EQUAL(accept.way, RDB_WAY_COMMANDS);
            CU_ASSERT_PTR_NOT_NULL(accept.why);
        }
    }
}

static void streams_are_counted_for_valkey_9(void) {
    CU_ASSERT_TRUE(ask(RDB_VALKEY, 90102, RDB_REDIS, RDB_TYPE_STREAM).counts_entries);
    CU_ASSERT_FALSE(ask(RDB_VALKEY, 80101, RDB_REDIS, RDB_TYPE_STREAM).counts_entries);
    CU_ASSERT_FALSE(ask(RDB_REDIS, 90102, RDB_REDIS, RDB_TYPE_STREAM).counts_entries);
    CU_ASSERT_FALSE(ask(RDB_VALKEY, 90102, RDB_REDIS, RDB_TYPE_SET).counts_entries);
}

static void a_footer_tells_the_oldest_server_that_writes_it(void) {
    struct rdb_destination dest;

    CU_ASSERT_TRUE(rdb_destination_of_footer(9, &dest));
    CU_ASSERT_EQUAL(dest.version, 50000);
    CU_ASSERT_TRUE(rdb_destination_of_footer(80, &dest));
    CU_ASSERT_EQUAL(dest.vendor, RDB_VALKEY);
    CU_ASSERT_FALSE(rdb_destination_of_footer(75, &dest));
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_value_takes_the_way_its_destination_can_read),
    CUNIT_TEST(no_way_leads_to_a_type_the_destination_does_not_know),
    CUNIT_TEST(held_expiries_of_fields_are_never_sent_as_they_are),
    CUNIT_TEST(a_module_goes_to_an_old_server_only_when_it_was_looked_for),
    CUNIT_TEST(an_unknown_destination_gets_commands),
    CUNIT_TEST(streams_are_counted_for_valkey_9),
    CUNIT_TEST(a_footer_tells_the_oldest_server_that_writes_it),
};
CUNIT_MAIN("rdb_accept", tests)
