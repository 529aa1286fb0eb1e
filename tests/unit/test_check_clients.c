#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/precheck/check_run.h"
#include "tests/support/cunit_run.h"

static json_t *seen(const char *text, bool is_foreign) {
    struct check_clients *clients = check_clients_new();
    json_t *json;

    check_clients_look(clients, str_from(text));
    json = check_clients_json(clients, is_foreign);
    check_clients_free(clients);
    return json;
}

static const char *text(const json_t *json, size_t group, const char *member) {
    const char *value = json_string_value(
        json_object_get(json_array_get(json_object_get(json, "groups"), group), member));

    return value ? value : "";
}

static json_int_t number(const json_t *json, size_t group, const char *member) {
    return json_integer_value(
        json_object_get(json_array_get(json_object_get(json, "groups"), group), member));
}

static void who_writes_comes_first(void) {
    json_t *json = seen(
        "id=3 addr=10.0.3.4:5101 laddr=1.2.3.4:6379 fd=8 name=reports age=9 idle=4 flags=N db=0 "
        "cmd=get user=default lib-name=jedis tot-cmds=7\n"
        "id=4 addr=10.0.3.5:5102 fd=9 name=orders age=100 idle=3 flags=N db=0 cmd=set user=app\n"
        "id=5 addr=10.0.3.5:5103 fd=9 name=orders age=200 idle=0 flags=N db=0 "
        "cmd=xgroup|create user=app\r\n"
        "id=6 addr=/run/redis.sock:0 fd=9 name= age=2 idle=0 flags=P db=0 cmd=subscribe user=app\n"
        "id=7 addr=[::1]:99 fd=9 name=keyferry age=2 idle=0 flags=S db=0 cmd=replconf\n",
        false);

    CU_ASSERT_STRING_EQUAL(text(json, 0, "name"), "orders");
    CU_ASSERT_STRING_EQUAL(text(json, 0, "writes"), "yes");
    CU_ASSERT_STRING_EQUAL(text(json, 0, "address"), "10.0.3.5");
    CU_ASSERT_STRING_EQUAL(text(json, 0, "address_class"), "private");
    CU_ASSERT_EQUAL(number(json, 0, "connections"), 2);
    CU_ASSERT_EQUAL(number(json, 0, "oldest_seconds"), 200);
    CU_ASSERT_EQUAL(number(json, 0, "idle_seconds"), 0);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json, "connections")), 5);
    for (size_t i = 1; i < 4; i++) {
        CU_ASSERT_STRING_EQUAL(text(json, i, "writes"), "not_seen");
        if (strcmp(text(json, i, "kind"), "pubsub") == 0)
            CU_ASSERT_STRING_EQUAL(text(json, i, "address_class"), "unix");
        if (strcmp(text(json, i, "kind"), "replica") == 0)
            CU_ASSERT_STRING_EQUAL(text(json, i, "address"), "::1");
    }
    json_decref(json);
}

static void what_may_write_is_told_from_what_does(void) {
    static const struct {
        const char *command, *writes;
    } rows[] = {{"set", "yes"},           {"SET", "yes"},
                {"xgroup|create", "yes"}, {"get", "not_seen"},
                {"eval", "perhaps"},      {"exec", "perhaps"},
                {"NULL", "not_seen"},     {"select", "not_seen"},
                {"info", "not_seen"},     {"flushall", "yes"},
                {"blpop", "yes"},         {"watch", "not_seen"},
                {"publish", "not_seen"},  {"config|get", "not_seen"}};

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char line[200];
        json_t *json;

        snprintf(line, sizeof(line), "id=1 addr=8.8.8.8:1 cmd=%s user=u\n", rows[i].command);
        json = seen(line, false);
        CU_ASSERT_STRING_EQUAL(text(json, 0, "writes"), rows[i].writes);
        CU_ASSERT_STRING_EQUAL(text(json, 0, "address_class"), "public");
        json_decref(json);
    }
}

/* Looks behind each other: what was seen once stays seen, the rest is of the last. */
static void a_client_that_wrote_once_writes(void) {
    struct check_clients *clients = check_clients_new();
    json_t *json;

    check_clients_look(clients, STR_LIT("id=1 addr=10.0.0.1:1 cmd=set tot-cmds=5\n"
                                        "id=2 addr=10.0.0.1:2 cmd=get tot-cmds=5\n"));
    check_clients_look(clients, STR_LIT("id=1 addr=10.0.0.1:1 cmd=get tot-cmds=9\n"));
    json = check_clients_json(clients, false);
    CU_ASSERT_STRING_EQUAL(text(json, 0, "writes"), "yes");
    CU_ASSERT_EQUAL(number(json, 0, "connections"), 1);
    CU_ASSERT_EQUAL(number(json, 0, "commands_run"), 9);
    json_decref(json);
    check_clients_free(clients);
}

static void another_accounts_addresses_and_users_are_not_told(void) {
    json_t *json = seen("id=1 addr=10.0.0.1:1 name=n cmd=set user=secret-user\n", true);
    char *all = json_dumps(json, 0);

    CU_ASSERT_PTR_NULL(strstr(all, "10.0.0.1"));
    CU_ASSERT_PTR_NULL(strstr(all, "secret-user"));
    CU_ASSERT_STRING_EQUAL(text(json, 0, "name"), "n");
    free(all);
    json_decref(json);
}

/* A server may send what it likes. */
static void nothing_a_server_sends_is_too_much(void) {
    static const char *const texts[] = {"",
                                        "\n\n\n",
                                        "=",
                                        "addr= cmd= flags=",
                                        "addr=: age=x idle=99999999999999999999",
                                        "addr=]:1 name=\xff\xfe\x1b[31m cmd=\x01",
                                        "addr=::ffff:10.0.0.1:5 cmd=set",
                                        "   = = ="};
    struct check_clients *clients = check_clients_new();
    struct buf many = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    json_t *json;

    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        json = seen(texts[i], false);
        CU_ASSERT_PTR_NOT_NULL(json);
        json_decref(json);
    }
    for (int i = 0; i < 300; i++)
        CU_ASSERT_TRUE(
            buf_printf(&many, &err, "id=%d addr=10.1.%d.%d:1 cmd=get\n", i, i / 250, i % 250));
    check_clients_look(clients, buf_str(&many));
    json = check_clients_json(clients, false);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(json, "groups")), 100);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(json, "connections_left_out")), 200);
    json_decref(json);
    check_clients_free(clients);
    buf_done(&many);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(who_writes_comes_first),
    CUNIT_TEST(what_may_write_is_told_from_what_does),
    CUNIT_TEST(a_client_that_wrote_once_writes),
    CUNIT_TEST(another_accounts_addresses_and_users_are_not_told),
    CUNIT_TEST(nothing_a_server_sends_is_too_much),
};
CUNIT_MAIN("check_clients", tests)
