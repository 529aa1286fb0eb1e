/* Where the addresses that servers announce are dialled. */
#include <stdio.h>

#include "services/net/endpoint.h"
#include "tests/support/cunit_run.h"

#define MAPS(announced, dial) "{\"announced\":\"" announced "\",\"dial\":\"" dial "\"}"

static void what_a_server_announces_is_dialled_where_the_map_says(void) {
    static const struct {
        const char *announced;
        uint16_t port;
        const char *host;
        uint16_t dialled;
    } rows[] = {
        {"10.0.0.5", 6379, "bastion", 16379},   {"10.0.0.5", 6380, "10.0.0.5", 6380},
        {"10.42.0.1", 7000, "localhost", 7000}, {"NODE", 1, "other", 9},
        {"10.4", 7000, "10.4", 7000},           {"fd00::1", 7000, "::1", 7001},
    };
    json_t *json = json_loads(
               "{\"url\":\"redis+cluster://h1,h2\",\"address_map\":[" MAPS(
                   "10.0.0.5:6379",
                   "bastion:16379") "," MAPS("10.42.*",
                                             "localhost") "," MAPS("node",
                                                                   "other:9") "," MAPS("[fd00::1]:"
                                                                                       "7000",
                                                                                       "[::1]:"
                                                                                       "7001") "]"
                                                                                               "}",
               0, NULL),
           *form;
    struct endpoint ep = ENDPOINT_INIT, again = ENDPOINT_INIT, found;
    struct credentials cred = CREDENTIALS_INIT;
    struct err err = ERR_INIT;
    char pointer[ENDPOINT_POINTER_SIZE];

    CU_ASSERT_TRUE_FATAL(endpoint_parse_reference(json, &ep, &cred, pointer, &err));
    form = endpoint_to_json(&ep);
    CU_ASSERT_TRUE_FATAL(endpoint_from_json(form, &again, NULL, NULL, &err)); /* as it is stored */
    CU_ASSERT_TRUE(endpoint_is_cluster(&again) && !endpoint_is_group(&again));
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        CU_ASSERT_TRUE(
            endpoint_of_announced(&again, rows[i].announced, rows[i].port, &found, &err));
        CU_ASSERT_STRING_EQUAL(found.host, rows[i].host);
        CU_ASSERT_EQUAL(found.port, rows[i].dialled);
        CU_ASSERT_FALSE(endpoint_is_cluster(&found) || endpoint_is_group(&found));
    }
    /* A peer names no sockets of this machine. */
    CU_ASSERT_FALSE(endpoint_of_announced(&ep, "/run/redis.sock", 1, &found, &err));
    CU_ASSERT_EQUAL(err.code, ERR_PROTOCOL);
    CU_ASSERT_FALSE(endpoint_of_announced(&ep, "", 1, &found, &err));
    CU_ASSERT_FALSE(endpoint_of_announced(&ep, "host", 0, &found, &err));
    CU_ASSERT_FALSE(endpoint_of_announced(&ep, "a b", 1, &found, &err));
    endpoint_done(&ep);
    endpoint_done(&again);
    credentials_done(&cred);
    json_decref(form);
    json_decref(json);
}

static void a_map_is_read_or_its_wrong_row_is_named(void) {
    static const struct {
        const char *json;
        enum err_code code;
        const char *pointer;
    } rows[] = {
        {"{\"url\":\"redis+cluster://h\",\"address_map\":{}}", ERR_VALIDATION, "/address_map"},
        {"{\"url\":\"redis+cluster://h\",\"address_map\":[" MAPS("a:1", "b:2") "]}", 0, ""},
        {"{\"url\":\"redis+sentinel://h/m\",\"address_map\":[" MAPS("*", "[::1]:2") "]}", 0, ""},
        {"{\"url\":\"redis+cluster://h\",\"address_map\":[" MAPS("a*b", "b:2") "]}", ERR_VALIDATION,
         "/address_map/0"},
        {"{\"url\":\"redis+cluster://h\",\"address_map\":[" MAPS("a*:0", "b") "]}", ERR_VALIDATION,
         "/address_map/0"},
        {"{\"url\":\"redis+cluster://h\",\"address_map\":[" MAPS("a:*", "b") "]}", ERR_VALIDATION,
         "/address_map/0"},
        {"{\"url\":\"redis+cluster://h\",\"address_map\":[" MAPS("a", "/run/x") "]}",
         ERR_VALIDATION, "/address_map/0"},
        {"{\"url\":\"redis+cluster://h\",\"address_map\":[{\"announced\":\"a\"}]}", ERR_VALIDATION,
         "/address_map/0"},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        json_t *json = json_loads(rows[i].json, 0, NULL);
        struct endpoint ep = ENDPOINT_INIT;
        struct credentials cred = CREDENTIALS_INIT;
        struct err err = ERR_INIT;
        char pointer[ENDPOINT_POINTER_SIZE] = "";

        CU_ASSERT_PTR_NOT_NULL_FATAL(json);
        (void)!endpoint_parse_reference(json, &ep, &cred, pointer, &err);
        CU_ASSERT_EQUAL(err.code, rows[i].code);
        CU_ASSERT_STRING_EQUAL(pointer, rows[i].pointer);
        endpoint_done(&ep);
        credentials_done(&cred);
        json_decref(json);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(what_a_server_announces_is_dialled_where_the_map_says),
    CUNIT_TEST(a_map_is_read_or_its_wrong_row_is_named),
};

CUNIT_MAIN("endpoint map", tests)
