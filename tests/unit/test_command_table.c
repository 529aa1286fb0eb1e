/* The table of commands: whole, findable, and right about keys. */
#include <stdio.h>

#include "proto/base/buf.h"
#include "proto/command/command_policy.h"
#include "proto/resp/resp_write.h"
#include "tests/support/cunit_run.h"

/* Every command of Redis 2.8 to 8.10, Valkey 7.2 to 9.1 and the usual modules that
 * writes, or is sent to replicas all the same. */
static const char *const must_be_known[] = {
    /* clang-format off */
    "APPEND", "ARDEL", "ARDELRANGE", "ARINSERT", "ARMSET", "ARRING", "ARSEEK", "ARSET", "BF.ADD",
    "BF.INSERT", "BF.LOADCHUNK", "BF.MADD", "BF.RESERVE", "BITFIELD", "BITOP", "BLMOVE", "BLMOVEM",
    "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN", "CF.ADD",
    "CF.ADDNX", "CF.DEL", "CF.INSERT", "CF.INSERTNX", "CF.LOADCHUNK", "CF.RESERVE",
    "CLUSTER FLUSHSLOT", "CLUSTER SYNCSLOTS", "CMS.INCRBY", "CMS.INITBYDIM", "CMS.INITBYPROB",
    "CMS.MERGE", "COPY", "DECR", "DECRBY", "DEL", "DELEX", "DELIFEQ", "EVAL", "EVALSHA", "EXEC",
    "EXPIRE", "EXPIREAT", "FCALL", "FLUSHALL", "FLUSHDB", "FT.ADD", "FT.ALIASADD", "FT.ALIASDEL",
    "FT.ALIASUPDATE", "FT.ALTER", "FT.CONFIG SET", "FT.CREATE", "FT.DEL", "FT.DICTADD",
    "FT.DICTDEL", "FT.DROP", "FT.DROPINDEX", "FT.SAFEADD", "FT.SUGADD", "FT.SUGDEL", "FT.SYNADD",
    "FT.SYNUPDATE", "FT._ALIASADDIFNX", "FT._ALIASDELIFX", "FT._ALTERIFNX", "FT._CREATEIFNX",
    "FT._DROPIFX", "FT._DROPINDEXIFX", "FUNCTION DELETE", "FUNCTION FLUSH", "FUNCTION LOAD",
    "FUNCTION RESTORE", "GEOADD", "GEORADIUS", "GEORADIUSBYMEMBER", "GEOSEARCHSTORE", "GETDEL",
    "GETEX", "GETSET", "HDEL", "HEXPIRE", "HEXPIREAT", "HGETDEL", "HGETEX", "HIMPORT SET",
    "HINCRBY", "HINCRBYFLOAT", "HMSET", "HPERSIST", "HPEXPIRE", "HPEXPIREAT", "HSET", "HSETEX",
    "HSETNX", "INCR", "INCRBY", "INCRBYFLOAT", "INCREX", "JSON.ARRAPPEND", "JSON.ARRINSERT",
    "JSON.ARRPOP", "JSON.ARRTRIM", "JSON.CLEAR", "JSON.DEL", "JSON.FORGET", "JSON.MERGE",
    "JSON.MSET", "JSON.NUMINCRBY", "JSON.NUMMULTBY", "JSON.NUMPOWBY", "JSON.SET", "JSON.STRAPPEND",
    "JSON.TOGGLE", "LINSERT", "LMOVE", "LMOVEM", "LMPOP", "LPOP", "LPUSH", "LPUSHX", "LREM",
    "LSET", "LTRIM", "MIGRATE", "MOVE", "MSET", "MSETEX", "MSETNX", "MULTI", "PERSIST", "PEXPIRE",
    "PEXPIREAT", "PFADD", "PFCOUNT", "PFDEBUG", "PFMERGE", "PING", "PSETEX", "PUBLISH", "RENAME",
    "RENAMENX", "REPLCONF", "RESTORE", "RESTORE-ASKING", "RPOP", "RPOPLPUSH", "RPUSH", "RPUSHX",
    "SADD", "SCRIPT FLUSH", "SCRIPT LOAD", "SDIFFSTORE", "SELECT", "SET", "SETBIT", "SETEX",
    "SETNX", "SETRANGE", "SFLUSH", "SINTERSTORE", "SMOVE", "SORT", "SPOP", "SPUBLISH", "SREM",
    "SUNIONSTORE", "SWAPDB", "TDIGEST.ADD", "TDIGEST.CREATE", "TDIGEST.MERGE", "TDIGEST.RESET",
    "TOPK.ADD", "TOPK.INCRBY", "TOPK.RESERVE", "TRIMSLOTS", "TS.ADD", "TS.ALTER", "TS.CREATE",
    "TS.CREATERULE", "TS.DECRBY", "TS.DEL", "TS.DELETERULE", "TS.INCRBY", "TS.MADD", "UNLINK",
    "VADD", "VREM", "VSETATTR", "XACK", "XACKDEL", "XADD", "XAUTOCLAIM", "XCFGSET", "XCLAIM",
    "XDEL", "XDELEX", "XGROUP CREATE", "XGROUP CREATECONSUMER", "XGROUP DELCONSUMER",
    "XGROUP DESTROY", "XGROUP SETID", "XIDMPRECORD", "XNACK", "XREADGROUP", "XSETID", "XTRIM",
    "ZADD", "ZDIFFSTORE", "ZINCRBY", "ZINTERSTORE", "ZMPOP", "ZPOPMAX", "ZPOPMIN", "ZRANGESTORE",
    "ZREM", "ZREMRANGEBYLEX", "ZREMRANGEBYRANK", "ZREMRANGEBYSCORE", "ZUNIONSTORE",
    "_FT.CONFIG SET",
    /* clang-format on */
};

static struct resp_command command;

/* Make `command` from words parted by blanks; "" between two blanks is an empty one.
 * The bytes stay until the next call. */
static void make(const char *words) {
    static struct buf bytes = {.max = 1 << 16};
    struct str rest = str_from(words), word, argv[200];
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;
    size_t argc = 0;

    while (argc < LENGTH_OF(argv) && str_cut(&rest, ' ', &word))
        argv[argc++] = word;
    buf_clear(&bytes);
    CU_ASSERT_TRUE_FATAL(resp_put_command(&bytes, argc, argv, &err));
    CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, buf_str(&bytes), &command, &err), RESP_GOT);
}

static void every_write_command_has_a_row(void) {
    for (size_t i = 0; i < LENGTH_OF(must_be_known); i++) {
        const struct command_row *row;

        make(must_be_known[i]);
        row = command_of(&command);
        if (!row || row->fate == COMMAND_FATE_CONTAINER) {
            printf("no row: %s\n", must_be_known[i]);
            CU_FAIL("a write command has no row");
        }
    }
}

/* The commands that Alibaba Cloud DTS says it follows for Redis. */
static void the_commands_of_dts_are_applied_or_never_sent(void) {
    static const char *const names[] = {
        /* clang-format off */
        "APPEND", "BITOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "DECR", "DECRBY", "DEL", "EVAL",
        "EVALSHA", "EXEC", "EXPIRE", "EXPIREAT", "FLUSHALL", "FLUSHDB", "GEOADD", "GETSET", "HDEL",
        "HINCRBY", "HINCRBYFLOAT", "HMSET", "HSET", "HSETNX", "INCR", "INCRBY", "INCRBYFLOAT",
        "LINSERT", "LPOP", "LPUSH", "LPUSHX", "LREM", "LSET", "LTRIM", "MOVE", "MSET", "MSETNX",
        "MULTI", "PERSIST", "PEXPIRE", "PEXPIREAT", "PFADD", "PFMERGE", "PSETEX", "PUBLISH",
        "RENAME", "RENAMENX", "RESTORE", "RPOP", "RPOPLPUSH", "RPUSH", "RPUSHX", "SADD",
        "SDIFFSTORE", "SELECT", "SET", "SETBIT", "SETEX", "SETNX", "SETRANGE", "SINTERSTORE",
        "SMOVE", "SPOP", "SREM", "SUNIONSTORE", "ZADD", "ZINCRBY", "ZINTERSTORE", "ZREM",
        "ZREMRANGEBYLEX", "ZUNIONSTORE", "ZREMRANGEBYRANK", "ZREMRANGEBYSCORE", "XADD", "XCLAIM",
        "XDEL", "XAUTOCLAIM", "XGROUP CREATECONSUMER", "XTRIM",
        /* clang-format on */
    };

    CU_ASSERT_EQUAL(LENGTH_OF(names), 78);
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        const struct command_row *row;

        make(names[i]);
        row = command_of(&command);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row);
        /* What is refused is what a source replaces: a row says by what. */
        if (row->fate == COMMAND_FATE_REFUSE && row->stream[0] == '\0') {
            printf("\n%s", names[i]);
            CU_FAIL("it is refused, and nothing stands for it in a stream");
        }
    }
}

/* Whatever a source sends: what is not of the table's data never passes. */
static void nothing_that_runs_a_server_is_ever_forwarded(void) {
    static const char *const more[] = {
        "CONFIG",        "MODULE",        "SCRIPT KILL",   "SHUTDOWN",
        "REPLICAOF",     "SLAVEOF",       "ACL",           "DEBUG",
        "CLIENT",        "FUNCTION KILL", "FUNCTION DUMP", "SCRIPT DEBUG",
        "SCRIPT EXISTS", "CLUSTER",       "CLUSTER RESET", "CLUSTER FAILOVER",
        "FAILOVER",      "BGSAVE",        "SAVE",          "MIGRATE",
        "MONITOR",       "PSYNC",         "SYNC",          "SUBSCRIBE",
        "WAIT",          "AUTH",          "HELLO",         "RESET",
        "QUIT",          "LATENCY",       "SLOWLOG",       "MEMORY",
        "OBJECT",        "COMMAND",       "INFO",          "KEYS",
        "SCAN",          "GET",           "DUMP",          "READONLY",
        "ASKING",        "SENTINEL",      "PFSELFTEST",    "PFDEBUG",
        "XGROUP",        "SCRIPT",        "FUNCTION",
    };
    struct command_decision decision;

    for (size_t i = 0; i < LENGTH_OF(more); i++) {
        struct err err = ERR_INIT;

        make(more[i]);
        CU_ASSERT_FALSE(command_decide(&command, &decision, &err));
        CU_ASSERT(err.code == ERR_COMMAND_REFUSED || err.code == ERR_UNKNOWN_COMMAND);
    }
    for (int id = COMMAND_NONE + 1; id < COMMAND_COUNT; id++) {
        const struct command_row *row = command_row((enum command_id)id);
        struct err err = ERR_INIT;

        make(row->name);
        if (row->fate == COMMAND_FATE_REFUSE || row->fate == COMMAND_FATE_CONTAINER) {
            CU_ASSERT_FALSE(command_decide(&command, &decision, &err));
            CU_ASSERT_EQUAL(err.code, ERR_COMMAND_REFUSED);
        }
    }
}

static void every_row_is_found_by_its_name_in_any_case(void) {
    for (int id = COMMAND_NONE + 1; id < COMMAND_COUNT; id++) {
        const struct command_row *row = command_row((enum command_id)id);
        char name[32];
        size_t len = strlen(row->name);

        CU_ASSERT_EQUAL(row->id, id);
        CU_ASSERT_PTR_EQUAL(command_find(str_from(row->name)), row);
        for (size_t i = 0; i < len; i++)
            name[i] = (char)(row->name[i] >= 'a' && row->name[i] <= 'z' && i % 2
                                 ? row->name[i] - ('a' - 'A')
                                 : row->name[i]);
        CU_ASSERT_PTR_EQUAL(command_find(str_of(name, len)), row);
    }
}

static void names_are_unique_and_lower_case(void) {
    for (int a = COMMAND_NONE + 1; a < COMMAND_COUNT; a++) {
        const char *name = command_row((enum command_id)a)->name;

        for (const char *c = name; *c; c++)
            CU_ASSERT_FALSE(*c >= 'A' && *c <= 'Z');
        for (int b = a + 1; b < COMMAND_COUNT; b++)
            CU_ASSERT_STRING_NOT_EQUAL(name, command_row((enum command_id)b)->name);
    }
}

static void what_is_nearly_a_name_is_none(void) {
    static const char *const names[] = {"",
                                        "se",
                                        "sett",
                                        "s\x05t",
                                        "get",
                                        "xgroupp",
                                        "georadiusbymembex",
                                        "set ",
                                        "\x13"
                                        "et",
                                        "georadiusbxmember",
                                        "zremrangebyscore2",
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

    for (size_t i = 0; i < LENGTH_OF(names); i++)
        CU_ASSERT_PTR_NULL(command_find(str_from(names[i])));
    CU_ASSERT_PTR_NULL(command_find(str_of("set\0", 4)));
}

static void two_words_in_one_are_no_command(void) {
    struct str argv[] = {STR_LIT("script load")};
    struct buf bytes = BUF_INIT(100);
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(resp_put_command(&bytes, 1, argv, &err));
    CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, buf_str(&bytes), &command, &err), RESP_GOT);
    CU_ASSERT_PTR_NULL(command_of(&command));
    buf_done(&bytes);
}

static void keys_are_where_the_table_says(void) {
    static const struct {
        const char *words, *keys;
    } rows[] = {
        {"SET k v", "k"},
        {"del a b c", "a b c"},
        {"MSET a 1 b 2", "a b"},
        {"MSETEX 2 a 1 b 2 PXAT 5", "a b"},
        {"BITOP AND d a b", "d a b"},
        {"RENAME a b", "a b"},
        {"ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d a b"},
        {"EVAL s 2 a b c", "a b"},
        {"LMPOP 2 a b LEFT", "a b"},
        {"XGROUP CREATE s g $", "s"},
        {"SORT l BY w STORE d", "l d"},
        {"GEORADIUS g 1 2 3 km STOREDIST d", "g d"},
        {"JSON.MSET a p v b p v", "a b"},
        {"FLUSHALL", ""},
        {"SCRIPT LOAD s", ""},
        {"EVAL s 0", ""},
        {"EVAL s 99 a", ""}, /* malformed: the destination will say so */
        {"SET", ""},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct command_keys keys;
        struct str key, first = STR_EMPTY, rest = str_from(rows[i].keys), want;
        bool some = rest.len > 0;

        make(rows[i].words);
        CU_ASSERT_EQUAL(command_first_key(&command, command_of(&command), &first), some);
        CU_ASSERT(!some || str_starts_with(rest, first));
        keys = command_keys(&command, command_of(&command));
        while (str_cut(&rest, ' ', &want))
            CU_ASSERT(command_keys_next(&keys, &key) && str_equal(key, want));
        CU_ASSERT_FALSE(command_keys_next(&keys, &key));
    }
}

static void keys_beyond_argv_are_walked_too(void) {
    char words[2000] = "UNLINK";
    struct command_keys keys;
    struct str key;
    int count = 0;

    for (int i = 0; i < 150; i++)
        snprintf(words + strlen(words), sizeof(words) - strlen(words), " k%d", i);
    make(words);
    for (keys = command_keys(&command, command_of(&command)); command_keys_next(&keys, &key);)
        count++;
    CU_ASSERT_EQUAL(count, 150);
    CU_ASSERT(str_equal(key, STR_LIT("k149")));
}

static void every_command_has_its_fate(void) {
    static const struct {
        const char *words;
        enum command_action action;
    } rows[] = {
        {"set k v", COMMAND_DO_FORWARD},
        {"SET k v KEEPTTL", COMMAND_DO_EXPIRY},
        {"PEXPIREAT k 5", COMMAND_DO_EXPIRY},
        {"PERSIST k", COMMAND_DO_FORWARD},
        {"RESTORE-ASKING k 0 p", COMMAND_DO_RESTORE},
        {"FUNCTION RESTORE p", COMMAND_DO_RESTORE},
        {"FUNCTION LOAD s", COMMAND_DO_FORWARD},
        {"SCRIPT LOAD s", COMMAND_DO_FORWARD},
        {"SCRIPT FLUSH", COMMAND_DO_DROP},
        {"EVALSHA s 0", COMMAND_DO_SCRIPT},
        {"COPY a b", COMMAND_DO_FORWARD},
        {"COPY a b REPLACE DB 3", COMMAND_DO_CROSS_DB},
        {"MOVE a 3", COMMAND_DO_CROSS_DB},
        {"select 3", COMMAND_DO_SELECT},
        {"MULTI", COMMAND_DO_MULTI},
        {"EXEC", COMMAND_DO_EXEC},
        {"FLUSHALL ASYNC", COMMAND_DO_FLUSHALL},
        {"FLUSHDB", COMMAND_DO_FLUSHDB},
        {"SWAPDB 3 1", COMMAND_DO_SWAPDB},
        {"REPLCONF GETACK *", COMMAND_DO_GETACK},
        {"ping", COMMAND_DO_DROP},
        {"PUBLISH c m", COMMAND_DO_PUBLISH},
        {"SPUBLISH c m", COMMAND_DO_PUBLISH},
        {"PFCOUNT k", COMMAND_DO_FORWARD},
        {"TRIMSLOTS RANGES 1 0 5", COMMAND_DO_DROP},
        {"CLUSTER SYNCSLOTS CONF x", COMMAND_DO_DROP},
        {"XADD s 1-1 f v", COMMAND_DO_FORWARD},
        {"XADD s MAXLEN = 5 IDMP p i 1-1 f v", COMMAND_DO_FORWARD},
        {"XADD s IDMP p i * f v", COMMAND_DO_DROP},
        {"XADD s NOMKSTREAM IDMPAUTO p MINID ~ 5 LIMIT 3 * f v", COMMAND_DO_DROP},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct command_decision decision;
        struct err err = ERR_INIT;

        make(rows[i].words);
        CU_ASSERT_TRUE_FATAL(command_decide(&command, &decision, &err));
        CU_ASSERT_EQUAL(decision.action, rows[i].action);
        if (decision.action == COMMAND_DO_CROSS_DB || decision.action == COMMAND_DO_SELECT)
            CU_ASSERT_EQUAL(decision.db, 3);
        if (decision.action == COMMAND_DO_SWAPDB)
            CU_ASSERT(decision.db == 3 && decision.db2 == 1);
    }
}

static void what_is_not_data_stops_the_job(void) {
    static const struct {
        const char *words;
        enum err_code code;
    } rows[] = {
        {"NOSUCH secretkey", ERR_UNKNOWN_COMMAND},
        {"CONFIG SET a secretkey", ERR_COMMAND_REFUSED},
        {"DEBUG SLEEP 1", ERR_COMMAND_REFUSED},
        {"REPLICAOF secretkey 1", ERR_COMMAND_REFUSED},
        {"MODULE LOAD x", ERR_COMMAND_REFUSED},
        {"SHUTDOWN", ERR_COMMAND_REFUSED},
        {"MIGRATE h 1 secretkey 0 5", ERR_COMMAND_REFUSED},
        {"XGROUP", ERR_COMMAND_REFUSED},
        {"XGROUP NEWWORD secretkey g", ERR_COMMAND_REFUSED},
        {"CLUSTER FLUSHSLOT 1", ERR_COMMAND_REFUSED},
        {"SPOP secretkey", ERR_COMMAND_REFUSED}, /* never sent: each server would choose */
        {"XADD secretkey * f v", ERR_COMMAND_REFUSED},
        {"XADD secretkey MAXLEN 5", ERR_PROTOCOL},
        {"REPLCONF ACK 1", ERR_COMMAND_REFUSED},
        {"SELECT", ERR_PROTOCOL},
        {"SELECT -1", ERR_PROTOCOL},
        {"SELECT 99999999999", ERR_PROTOCOL},
        {"MOVE secretkey x", ERR_PROTOCOL},
        {"COPY a secretkey DB", ERR_PROTOCOL},
        {"SWAPDB 1", ERR_PROTOCOL},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct command_decision decision;
        struct err err = ERR_INIT;
        char story[500];

        make(rows[i].words);
        CU_ASSERT_FALSE(command_decide(&command, &decision, &err));
        CU_ASSERT_EQUAL(err.code, rows[i].code);
        err_format(&err, story, sizeof(story));
        CU_ASSERT_PTR_NULL(strstr(story, "secretkey"));
    }
}

static void a_lone_newline_is_dropped(void) {
    struct command_decision decision;
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(resp_command_scan(&scan, STR_LIT("\n"), &command, &err), RESP_GOT);
    CU_ASSERT_TRUE(command_decide(&command, &decision, &err));
    CU_ASSERT_EQUAL(decision.action, COMMAND_DO_DROP);
    CU_ASSERT_PTR_NULL(decision.row);
}

/* A unit of these needs no way to notice a failed command. */
static void plain_writes_cannot_fail(void) {
    static const char *const never[] = {"set",       "del",     "unlink", "mset",    "psetex",
                                        "pexpireat", "persist", "select", "flushall"};
    static const char *const may[] = {"incr", "hset", "rpush", "restore", "xadd", "eval", "rename"};

    for (size_t i = 0; i < LENGTH_OF(never); i++)
        CU_ASSERT_FALSE(command_find(str_from(never[i]))->fails);
    for (size_t i = 0; i < LENGTH_OF(may); i++)
        CU_ASSERT_TRUE(command_find(str_from(may[i]))->fails);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_write_command_has_a_row),
    CUNIT_TEST(the_commands_of_dts_are_applied_or_never_sent),
    CUNIT_TEST(nothing_that_runs_a_server_is_ever_forwarded),
    CUNIT_TEST(every_row_is_found_by_its_name_in_any_case),
    CUNIT_TEST(names_are_unique_and_lower_case),
    CUNIT_TEST(what_is_nearly_a_name_is_none),
    CUNIT_TEST(two_words_in_one_are_no_command),
    CUNIT_TEST(keys_are_where_the_table_says),
    CUNIT_TEST(keys_beyond_argv_are_walked_too),
    CUNIT_TEST(every_command_has_its_fate),
    CUNIT_TEST(what_is_not_data_stops_the_job),
    CUNIT_TEST(a_lone_newline_is_dropped),
    CUNIT_TEST(plain_writes_cannot_fail),
};

CUNIT_MAIN("command_table", tests)
