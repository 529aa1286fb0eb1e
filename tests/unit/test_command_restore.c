/* RESTORE as the stream holds it: what its destination is given instead. */
#include "proto/base/buf.h"
#include "proto/command/command_rewrite.h"
#include "proto/rdb/rdb_payload.h"
#include "proto/resp/resp_write.h"
#include "tests/support/cunit_run.h"
#include "tests/support/rdb_values.h"

enum { V60 = 0x060000, V70 = 0x07000f, V80 = 0x080000 };

#define NOW UINT64_C(1760000000000) /* 2025-10-09 */

static struct resp_command command;
static struct buf in = {.max = 1 << 20}, out = {.max = 1 << 20};

static void make(const struct str *argv, size_t argc) {
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;

    buf_clear(&in);
    CU_ASSERT_TRUE_FATAL(resp_put_command(&in, argc, argv, &err));
    CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, buf_str(&in), &command, &err), RESP_GOT);
}

static bool rewrite(struct command_target target, uint32_t *ret_count, struct err *err) {
    struct command_decision decision;

    buf_clear(&out);
    return command_decide(&command, &decision, err) &&
           command_rewrite(&command, &decision, &target, NOW, &out, ret_count, err);
}

static void a_payload_gets_the_footer_of_its_destination(void) {
    static const char value[] = "\x05hello";
    char payload[RDB_PAYLOAD_EXTRA + 6], footer[RDB_PAYLOAD_FOOTER];
    struct str body = str_of(value, 6), argv[4];
    struct command_target target = command_target(false, V70, 10, true);
    struct rdb_payload parsed;
    struct err err = ERR_INIT;
    uint32_t count;

    payload[0] = 0;
    memcpy(payload + 1, value, 6);
    rdb_payload_footer(0, body, 12, payload + 7);
    argv[0] = STR_LIT("RESTORE");
    argv[1] = STR_LIT("k");
    argv[2] = STR_LIT("0");
    argv[3] = str_of(payload, sizeof(payload));
    make(argv, 4);
    CU_ASSERT_TRUE_FATAL(rewrite(target, &count, &err));
    rdb_payload_footer(0, body, 10, footer);
    CU_ASSERT_EQUAL(memcmp(out.ptr + out.len - 2 - RDB_PAYLOAD_FOOTER, footer, RDB_PAYLOAD_FOOTER),
                    0);
    CU_ASSERT_TRUE(rdb_payload_parse(
        str_of(out.ptr + out.len - 2 - sizeof(payload), sizeof(payload)), &parsed, &err));
    CU_ASSERT(str_equal(parsed.value, body));
    payload[3] ^= 1; /* damaged on the way: the new footer must not make it good */
    make(argv, 4);
    CU_ASSERT_FALSE(rewrite(target, &count, &err));
    CU_ASSERT_EQUAL(err.code, ERR_RDB_CORRUPT);
}

/* RESTORE of a value of `type`, as a source of version 12 has it; the type that comes out. */
static int restored(struct command_target target, uint8_t type, struct str value, struct err *err) {
    char payload[512];
    struct str argv[] = {STR_LIT("RESTORE"), STR_LIT("k"), STR_LIT("0"), STR_EMPTY};
    struct resp_scan scan = RESP_SCAN_INIT;
    struct resp_command_args args;
    struct rdb_payload parsed;
    struct str arg = STR_EMPTY;
    uint32_t count;

    payload[0] = (char)type;
    memcpy(payload + 1, value.ptr, value.len);
    rdb_payload_footer(type, value, 12, payload + 1 + value.len);
    argv[3] = str_of(payload, value.len + RDB_PAYLOAD_EXTRA);
    make(argv, 4);
    if (!rewrite(target, &count, err))
        return -1;
    CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, buf_str(&out), &command, err), RESP_GOT);
    args = resp_command_args(&command);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_TRUE(resp_command_args_next(&args, &arg));
    CU_ASSERT_TRUE(rdb_payload_parse(arg, &parsed, err));
    CU_ASSERT_EQUAL(parsed.version, target.rdb_version);
    return parsed.type;
}

static void a_restored_value_gets_a_form_that_its_destination_reads(void) {
    struct command_target v60 = command_target(false, V60, 9, true);
    struct command_target v70 = command_target(false, V70, 10, true);
    struct command_target v80 = command_target(false, V80, 12, true);
    struct command_target valkey = command_target(true, 9 << 16 | 1 << 8, 80, true);
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(restored(v70, 20, STR_LIT(RDB_SET_20), &err), 2);
    CU_ASSERT_EQUAL(restored(v60, 18, STR_LIT(RDB_LIST_18), &err), 1);
    CU_ASSERT_EQUAL(restored(v80, 18, STR_LIT(RDB_LIST_18), &err), 18);
    CU_ASSERT_EQUAL(restored(v80, 26, STR_LIT(RDB_STREAM_26), &err), 21);
    CU_ASSERT_EQUAL(restored(valkey, 25, STR_LIT(RDB_HASH_25), &err), 22);
    CU_ASSERT_EQUAL(restored(v80, 25, STR_LIT(RDB_HASH_25), &err), 25);
    /* Its fields expire 2^42 ms later. */
    CU_ASSERT_PTR_NOT_NULL(memmem(out.ptr, out.len, RDB_HELD, 8));
    CU_ASSERT_PTR_NULL(memmem(out.ptr, out.len, RDB_AT, 8));
    CU_ASSERT_EQUAL(restored(v70, 25, STR_LIT(RDB_HASH_25), &err), -1);
    CU_ASSERT_EQUAL(err.code, ERR_DEST_RESTORE);
    err_clear(&err);
    v70.drops_hash_expiry = true;
    CU_ASSERT_EQUAL(restored(v70, 25, STR_LIT(RDB_HASH_25), &err), 4);
    CU_ASSERT_EQUAL(restored(v60, 7, STR_LIT("\x81\0\0\0\0\0\0\4\0\0"), &err), -1);
    CU_ASSERT_EQUAL(err.code, ERR_DEST_RESTORE);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_payload_gets_the_footer_of_its_destination),
    CUNIT_TEST(a_restored_value_gets_a_form_that_its_destination_reads),
};
CUNIT_MAIN("command_restore", tests)
