#include "services/net/endpoint.h"
#include "tests/support/cunit_run.h"

/* One URL and what it is; `code` ERR_NONE = it is read. */
struct spelling {
    const char *url;
    enum err_code code;
    const char *host;
    int port;
    const char *username, *password;
    int database;
    bool tls;
    const char *label;
};

#define FIFTY "12345678901234567890123456789012345678901234567890"
#define REFUSED(text, why)                                                                         \
    { .url = (text), .code = (why) }

static const struct spelling spellings[] = {
    {"redis://h", 0, "h", 6379, "", "", -1, false, "h:6379"},
    {"redis://h/", 0, "h", 6379, "", "", -1, false, "h:6379"},
    {"REDISS://Cache.example.com:7000/3", 0, "Cache.example.com", 7000, "", "", 3, true,
     "Cache.example.com:7000/3"},
    {"redis://:pw@h:1/0", 0, "h", 1, "", "pw", 0, false, "h:1/0"},
    {"redis://u:pw@10.0.0.5:6380", 0, "10.0.0.5", 6380, "u", "pw", -1, false, "10.0.0.5:6380"},
    {"redis://u:@h", 0, "h", 6379, "u", "", -1, false, "h:6379"},
    {"redis://:@h", 0, "h", 6379, "", "", -1, false, "h:6379"},
    {"redis://u:a:b@h", 0, "h", 6379, "u", "a:b", -1, false, "h:6379"},
    {"redis://u%40x:p%3a%2F%25@h", 0, "h", 6379, "u@x", "p:/%", -1, false, "h:6379"},
    {"redis://[::1]:7", 0, "::1", 7, "", "", -1, false, "[::1]:7"},
    {"redis://u:p@[2001:db8::2]/255", 0, "2001:db8::2", 6379, "u", "p", 255, false,
     "[2001:db8::2]:6379/255"},
    {"unix:///run/redis.sock", 0, "/run/redis.sock", 6379, "", "", -1, false,
     "unix:/run/redis.sock"},
    {"UNIX:///a%20b", 0, "/a b", 6379, "", "", -1, false, "unix:/a b"},
    {"unix://u:p%2F@/s?db=7", 0, "/s", 6379, "u", "p/", 7, false, "unix:/s?db=7"},
    REFUSED("unix://", ERR_VALIDATION),
    REFUSED("unix:/run/redis.sock", ERR_VALIDATION),
    REFUSED("unix://run/redis.sock", ERR_VALIDATION),
    REFUSED("unix://p@/s", ERR_AMBIGUOUS_USERINFO),
    REFUSED("unix:///s?db=256", ERR_VALIDATION),
    REFUSED("unix:///s?", ERR_VALIDATION),
    REFUSED("unix:///s?password=x", ERR_VALIDATION),
    REFUSED("unix:///s%00", ERR_VALIDATION),
    REFUSED("unix:///" FIFTY FIFTY "1234567", ERR_VALIDATION),
    REFUSED("redis:///run/redis.sock", ERR_VALIDATION),
    REFUSED("redis://pw@h", ERR_AMBIGUOUS_USERINFO),
    REFUSED("redis://@h", ERR_AMBIGUOUS_USERINFO),
    REFUSED("redis://u:p@q@h", ERR_AMBIGUOUS_USERINFO),
    REFUSED("redis+sentinel://h1,h2", ERR_VALIDATION),
    REFUSED("redis+sentinel://h1,h2/", ERR_VALIDATION),
    REFUSED("redis+sentinel://h1,h2/a%20b", ERR_VALIDATION),
    REFUSED("redis://h1,", ERR_VALIDATION),
    REFUSED("redis://h1,,h2", ERR_VALIDATION),
    REFUSED("redis://1,2,3,4,5,6,7,8,9", ERR_VALIDATION),
    {"redis+cluster://h1", 0, "h1", 6379, "", "", -1, false, "h1:6379"},
    {"rediss+cluster://u:p@h1,h2:7/0", 0, "h1", 6379, "u", "p", 0, true, "h1:6379,h2:7/0"},
    REFUSED("redis+cluster://", ERR_VALIDATION),
    REFUSED("redis+cluster:///run/redis.sock", ERR_VALIDATION),
    {"file:dump.rdb", 0, .label = "file:dump.rdb"},
    {"FILE:day%201/dump..rdb", 0, .label = "file:day 1/dump..rdb"},
    REFUSED("file:", ERR_VALIDATION),
    REFUSED("file:/x.rdb", ERR_VALIDATION),
    REFUSED("file:///x.rdb", ERR_VALIDATION),
    REFUSED("file:..", ERR_VALIDATION),
    REFUSED("file:../x.rdb", ERR_VALIDATION),
    REFUSED("file:a/../x.rdb", ERR_VALIDATION),
    REFUSED("file:a/%2e%2e/x.rdb", ERR_VALIDATION),
    REFUSED("file:%2fx.rdb", ERR_VALIDATION),
    REFUSED("file:a//x.rdb", ERR_VALIDATION),
    REFUSED("file:./x.rdb", ERR_VALIDATION),
    REFUSED("file:a/", ERR_VALIDATION),
    REFUSED("file:a%00b", ERR_VALIDATION),
    REFUSED("file:a%0ab", ERR_VALIDATION),
    REFUSED("file:a%ff", ERR_VALIDATION),
    REFUSED("file:a%zz", ERR_VALIDATION),
    REFUSED("", ERR_VALIDATION),
    REFUSED("h:6379", ERR_VALIDATION),
    REFUSED("http://h", ERR_VALIDATION),
    REFUSED("redis:h", ERR_VALIDATION),
    REFUSED("redis://", ERR_VALIDATION),
    REFUSED("redis:///0", ERR_VALIDATION),
    REFUSED("redis://:6379", ERR_VALIDATION),
    REFUSED("redis://h:", ERR_VALIDATION),
    REFUSED("redis://h:0", ERR_VALIDATION),
    REFUSED("redis://h:65536", ERR_VALIDATION),
    REFUSED("redis://h:6379x", ERR_VALIDATION),
    REFUSED("redis://::1", ERR_VALIDATION),
    REFUSED("redis://[::1", ERR_VALIDATION),
    REFUSED("redis://[::1]x", ERR_VALIDATION),
    REFUSED("redis://[::g]", ERR_VALIDATION),
    REFUSED("redis://[h]", ERR_VALIDATION),
    REFUSED("redis://[]", ERR_VALIDATION),
    REFUSED("redis://[fe80::1%25eth0]", ERR_VALIDATION),
    REFUSED("redis://h/x", ERR_VALIDATION),
    REFUSED("redis://h/256", ERR_VALIDATION),
    REFUSED("redis://h/-1", ERR_VALIDATION),
    REFUSED("redis://h/0/1", ERR_VALIDATION),
    REFUSED("redis://h?db=1", ERR_VALIDATION),
    REFUSED("redis://h/0?x", ERR_VALIDATION),
    REFUSED("redis://h#1", ERR_VALIDATION),
    REFUSED("redis://u:p%@h", ERR_VALIDATION),
    REFUSED("redis://u:p%4@h", ERR_VALIDATION),
    REFUSED("redis://u:p%zz@h", ERR_VALIDATION),
    REFUSED("redis://u:%00@h", ERR_VALIDATION),
    REFUSED("redis://u:%ff@h", ERR_VALIDATION),
    REFUSED("redis://u:pa/ss@h", ERR_VALIDATION),
    REFUSED("redis://h%2e", ERR_VALIDATION),
    REFUSED("redis://h h", ERR_VALIDATION),
    REFUSED("redis://h\n", ERR_VALIDATION),
    REFUSED("redis://-h", ERR_VALIDATION),
    {"redis://h,h2:7,[::1]/3", 0, "h", 6379, "", "", 3, false, "h:6379,h2:7,[::1]:6379/3"},
    {"redis+sentinel://u:p@h,h2:7/m-1.a", 0, "h", 26379, "u", "p", -1, false, "m-1.a@h:26379,h2:7"},
    {"rediss+sentinel://h:5/m/2", 0, "h", 5, "", "", 2, true, "m@h:5/2"},
};

static void every_spelling_is_read_one_way_or_refused(void) {
    for (size_t i = 0; i < LENGTH_OF(spellings); i++) {
        const struct spelling *row = &spellings[i];
        struct endpoint ep = ENDPOINT_INIT;
        struct secret password = SECRET_INIT;
        struct err err = ERR_INIT;
        bool ok = endpoint_parse_url(str_from(row->url), &ep, &password, &err);

        CU_ASSERT_EQUAL(err.code, row->code);
        CU_ASSERT_EQUAL(ok, row->code == ERR_NONE);
        if (err.code != row->code)
            fprintf(stderr, "%s\n", row->url);
        if (!ok)
            continue;
        CU_ASSERT_STRING_EQUAL(ep.label, row->label);
        CU_ASSERT_EQUAL(endpoint_is_file(&ep), row->host == NULL);
        if (!row->host) {
            CU_ASSERT_STRING_EQUAL(ep.file, strchr(row->label, ':') + 1);
            continue;
        }
        CU_ASSERT_STRING_EQUAL(ep.host, row->host);
        CU_ASSERT_EQUAL(ep.port, row->port);
        CU_ASSERT_STRING_EQUAL(ep.username, row->username);
        CU_ASSERT(str_equal(secret_str(&password), str_from(row->password)));
        CU_ASSERT_EQUAL(ep.has_password, row->password[0] != '\0');
        CU_ASSERT_EQUAL(ep.database, row->database);
        CU_ASSERT_EQUAL(ep.tls, row->tls);
        secret_done(&password);
        endpoint_done(&ep);
    }
}

static void a_group_is_stored_as_it_was_read(void) {
    static const char *const urls[] = {"redis://u:p@h,h2:7/3", "redis+sentinel://h,h2:7/m",
                                       "rediss+sentinel://h/m/2"};

    for (size_t i = 0; i < LENGTH_OF(urls); i++) {
        struct endpoint ep = ENDPOINT_INIT, again = ENDPOINT_INIT;
        struct secret password = SECRET_INIT;
        struct err err = ERR_INIT;
        json_t *stored;

        CU_ASSERT_TRUE_FATAL(endpoint_parse_url(str_from(urls[i]), &ep, &password, &err));
        CU_ASSERT_TRUE(endpoint_is_group(&ep));
        stored = endpoint_to_json(&ep);
        CU_ASSERT_TRUE_FATAL(endpoint_from_json(stored, &again, NULL, NULL, &err));
        CU_ASSERT_STRING_EQUAL(again.label, ep.label);
        CU_ASSERT_STRING_EQUAL(again.sentinel_master, ep.sentinel_master);
        CU_ASSERT_EQUAL_FATAL(again.other_count, ep.other_count);
        for (int k = 0; k < ep.other_count; k++) {
            CU_ASSERT_STRING_EQUAL(again.others[k].host, ep.others[k].host);
            CU_ASSERT_EQUAL(again.others[k].port, ep.others[k].port);
        }
        json_decref(stored);
        secret_done(&password);
        endpoint_done(&ep);
        endpoint_done(&again);
    }
}

static void the_login_of_sentinels_is_stored_without_its_password(void) {
    json_t *reference = json_pack("{s:s, s:{s:s, s:s}}", "url", "redis+sentinel://u:p@h/m",
                                  "sentinel", "username", "watch", "password", "own word");
    struct endpoint ep = ENDPOINT_INIT, again = ENDPOINT_INIT;
    struct credentials cred = CREDENTIALS_INIT, read = CREDENTIALS_INIT;
    struct err err = ERR_INIT;
    json_t *stored, *secrets;
    char *text;

    CU_ASSERT_TRUE_FATAL(endpoint_parse_reference(reference, &ep, &cred, NULL, &err));
    CU_ASSERT(str_equal(secret_str(&cred.password), STR_LIT("p")));
    CU_ASSERT(str_equal(secret_str(&cred.sentinel_password), STR_LIT("own word")));
    stored = endpoint_to_json(&ep);
    text = json_dumps(stored, 0);
    CU_ASSERT_PTR_NULL(strstr(text, "own word"));
    CU_ASSERT_TRUE_FATAL(endpoint_from_json(stored, &again, NULL, NULL, &err));
    CU_ASSERT_STRING_EQUAL(again.sentinel_username, "watch");
    CU_ASSERT_STRING_EQUAL(again.username, "u");
    CU_ASSERT_TRUE(again.sentinel_has_password);
    secrets = credentials_to_json(&cred);
    CU_ASSERT_TRUE_FATAL(credentials_from_json(secrets, &read, &err));
    CU_ASSERT(str_equal(secret_str(&read.sentinel_password), STR_LIT("own word")));
    free(text);
    json_decref(stored);
    json_decref(secrets);
    json_decref(reference);
    credentials_done(&cred);
    credentials_done(&read);
    endpoint_done(&ep);
    endpoint_done(&again);
}

static void no_refusal_quotes_the_password(void) {
    static const char *const urls[] = {
        "redis://u:hunter2%@h", "redis://hunter2@h",       "redis://u:hunter2@h:x",
        "redis://u:hunter2/@h", "redis://u:hunter2@h/x",   "redis://u:hunter2@h?x",
        "redis://u:hunter2#@h", "redis://u:p@hunter2@h:1", "x://u:hunter2@h",
    };

    for (size_t i = 0; i < LENGTH_OF(urls); i++) {
        struct endpoint ep = ENDPOINT_INIT;
        struct secret password = SECRET_INIT;
        struct err err = ERR_INIT;
        char text[1000];

        CU_ASSERT_FALSE(endpoint_parse_url(str_from(urls[i]), &ep, &password, &err));
        err_format(&err, text, sizeof(text));
        CU_ASSERT_PTR_NULL(strstr(text, "hunter2"));
    }
}

#define PEM(kind) "-----BEGIN " kind "-----\\nAA==\\n-----END " kind "-----\\n"
#define ADDRESS "\"endpoints\":[{\"host\":\"h\",\"port\":7}]"

/* A reference and the member that is wrong. */
static const struct {
    const char *json;
    enum err_code code;
    const char *pointer;
} references[] = {
    {"{\"url\":\"redis://h\"}", 0, ""},
    {"{\"url\":\"rediss://h\",\"tls\":{\"server_name\":\"s\",\"verify\":\"ca\"}}", 0, ""},
    {"{\"url\":\"redis://h\",\"auth\":{\"username\":\"u\",\"password\":\"p\"}}", 0, ""},
    {"{\"inline\":{" ADDRESS "}}", 0, ""},
    {"{\"inline\":{" ADDRESS ",\"topology\":\"auto\",\"database\":4,\"connect_timeout_ms\":100}}",
     0, ""},
    {"{\"inline\":{" ADDRESS ",\"label\":\"h:7\",\"auth\":{\"configured\":true}}}", 0, ""},
    {"{\"url\":\"redis://h\",\"auth\":{\"secret\":\"u:p:q\"}}", 0, ""},
    {"{\"url\":\"redis://h\",\"auth\":{\"secret\":\"p\"}}", ERR_AMBIGUOUS_USERINFO, "/auth/secret"},
    {"{\"url\":\"redis://h\",\"auth\":{\"secret\":\"u:p\",\"password\":\"p\"}}", ERR_VALIDATION,
     "/auth/secret"},
    {"{\"url\":\"redis://h\",\"auth\":{\"secret\":\"u:p\",\"username\":\"v\"}}", ERR_VALIDATION,
     "/auth/secret"},
    {"{\"inline\":{\"endpoints\":[{\"host\":\"/s\"}]}}", 0, ""},
    {"{\"inline\":{\"endpoints\":[{\"host\":\"/s\",\"port\":7}]}}", ERR_VALIDATION,
     "/inline/endpoints/0/port"},
    {"{\"inline\":{\"endpoints\":[{\"host\":\"/s\"}],\"tls\":{\"enabled\":true}}}", ERR_VALIDATION,
     "/inline/tls/enabled"},
    {"{\"url\":\"file:a/b.rdb\"}", 0, ""},
    {"{\"inline\":{\"file\":\"a/b.rdb\",\"label\":\"file:a/b.rdb\"}}", 0, ""},
    {"{\"url\":\"file:a\",\"auth\":{\"password\":\"p\"}}", ERR_VALIDATION, "/auth"},
    {"{\"url\":\"file:a\",\"tls\":{}}", ERR_VALIDATION, "/tls"},
    {"{\"inline\":{\"file\":\"../a\"}}", ERR_VALIDATION, "/inline/file"},
    {"{\"inline\":{\"file\":7}}", ERR_VALIDATION, "/inline/file"},
    {"{\"inline\":{\"file\":\"a\"," ADDRESS "}}", ERR_VALIDATION, "/inline/endpoints"},
    {"{\"inline\":{\"file\":\"a\",\"label\":\"file:b\"}}", ERR_VALIDATION, "/inline/label"},
    {"[]", ERR_VALIDATION, ""},
    {"{}", ERR_VALIDATION, ""},
    {"{\"url\":7}", ERR_VALIDATION, "/url"},
    {"{\"url\":\"redis://x@h\"}", ERR_AMBIGUOUS_USERINFO, "/url"},
    {"{\"url\":\"redis://h\",\"inline\":{}}", ERR_VALIDATION, "/inline"},
    {"{\"url\":\"redis://h\",\"colour\":1}", ERR_VALIDATION, "/colour"},
    {"{\"url\":\"redis://h\",\"tls\":{\"enabled\":true}}", ERR_VALIDATION, "/tls/enabled"},
    {"{\"url\":\"redis://h\",\"tls\":{\"server_name\":\"s\"}}", ERR_VALIDATION, "/tls/enabled"},
    {"{\"url\":\"redis://:a@h\",\"auth\":{\"password\":\"b\"}}", ERR_VALIDATION, "/auth/password"},
    {"{\"url\":\"redis://h\",\"address_map\":[]}", ERR_VALIDATION, "/address_map"},
    {"{\"instance_id\":\"inst_1\"}", ERR_NOT_SUPPORTED_YET, "/instance_id"},
    {"{\"inline\":[]}", ERR_VALIDATION, "/inline"},
    {"{\"inline\":{}}", ERR_VALIDATION, "/inline/endpoints"},
    {"{\"inline\":{\"endpoints\":[]}}", ERR_VALIDATION, "/inline/endpoints"},
    {"{\"inline\":{\"endpoints\":[{\"host\":\"a\"},{\"host\":\"b c\"}]}}", ERR_VALIDATION,
     "/inline/endpoints"},
    {"{\"inline\":{" ADDRESS ",\"topology\":\"sentinel\"}}", ERR_VALIDATION, "/inline/sentinel"},
    {"{\"inline\":{" ADDRESS ",\"sentinel\":{\"master_name\":\"m\"}}}", ERR_VALIDATION,
     "/inline/sentinel"},
    {"{\"url\":\"redis+sentinel://h/m\",\"sentinel\":{\"password\":\"p\"}}", 0, ""},
    {"{\"url\":\"redis://h\",\"sentinel\":{\"password\":\"p\"}}", ERR_VALIDATION, "/sentinel"},
    {"{\"url\":\"redis+sentinel://h/m\",\"sentinel\":{\"master_name\":\"n\"}}", ERR_VALIDATION,
     "/sentinel/master_name"},
    {"{\"url\":\"redis+sentinel://h/m\",\"sentinel\":{\"username\":7}}", ERR_VALIDATION,
     "/sentinel/username"},
    {"{\"inline\":{\"endpoints\":[{\"host\":\"a b\"}]}}", ERR_VALIDATION,
     "/inline/endpoints/0/host"},
    {"{\"inline\":{\"endpoints\":[{\"host\":\"a\",\"port\":0}]}}", ERR_VALIDATION,
     "/inline/endpoints/0/port"},
    {"{\"inline\":{" ADDRESS ",\"topology\":\"cluster\"}}", 0, ""},
    {"{\"inline\":{" ADDRESS ",\"topology\":\"proxy\"}}", ERR_NOT_SUPPORTED_YET,
     "/inline/topology"},
    {"{\"inline\":{" ADDRESS ",\"topology\":\"ring\"}}", ERR_VALIDATION, "/inline/topology"},
    {"{\"inline\":{\"endpoints\":[{\"host\":\"/s\"}],\"topology\":\"cluster\"}}", ERR_VALIDATION,
     "/inline/topology"},
    {"{\"inline\":{" ADDRESS ",\"database\":256}}", ERR_VALIDATION, "/inline/database"},
    {"{\"inline\":{" ADDRESS ",\"connect_timeout_ms\":99}}", ERR_VALIDATION,
     "/inline/connect_timeout_ms"},
    {"{\"inline\":{" ADDRESS ",\"label\":\"other\"}}", ERR_VALIDATION, "/inline/label"},
    {"{\"inline\":{" ADDRESS ",\"auth\":{\"secret_ref\":\"file:x/y\"}}}", 0, ""},
    {"{\"inline\":{" ADDRESS ",\"auth\":{\"secret_ref\":\"file:x\",\"password\":\"p\"}}}",
     ERR_VALIDATION, "/inline/auth/secret_ref"},
    {"{\"inline\":{" ADDRESS ",\"auth\":{\"secret_ref\":\"file:../x\"}}}", ERR_VALIDATION,
     "/inline/auth/secret_ref"},
    {"{\"inline\":{" ADDRESS ",\"auth\":{\"method\":\"none\",\"password\":\"p\"}}}", ERR_VALIDATION,
     "/inline/auth/password"},
    {"{\"inline\":{" ADDRESS ",\"tls\":{\"enabled\":true,\"ca_pem\":\"x\"}}}", ERR_VALIDATION,
     "/inline/tls/ca_pem"},
    {"{\"inline\":{" ADDRESS ",\"tls\":{\"enabled\":true,\"verify\":\"maybe\"}}}", ERR_VALIDATION,
     "/inline/tls/verify"},
    {"{\"inline\":{" ADDRESS
     ",\"tls\":{\"enabled\":true,\"client_cert_pem\":\"" PEM("CERTIFICATE") "\"}}}",
     ERR_VALIDATION, "/inline/tls/client_key_pem"},
};

static void a_reference_is_read_or_its_wrong_member_is_named(void) {
    for (size_t i = 0; i < LENGTH_OF(references); i++) {
        json_t *json = json_loads(references[i].json, 0, NULL);
        struct endpoint ep = ENDPOINT_INIT;
        struct credentials cred = CREDENTIALS_INIT;
        struct err err = ERR_INIT;
        char pointer[ENDPOINT_POINTER_SIZE] = "";

        CU_ASSERT_PTR_NOT_NULL_FATAL(json);
        (void)!endpoint_parse_reference(json, &ep, &cred, pointer, &err);
        CU_ASSERT_EQUAL(err.code, references[i].code);
        CU_ASSERT_STRING_EQUAL(pointer, references[i].pointer);
        if (err.code != references[i].code || strcmp(pointer, references[i].pointer) != 0)
            fprintf(stderr, "%s: %s\n", references[i].json, pointer);
        endpoint_done(&ep);
        credentials_done(&cred);
        json_decref(json);
    }
}

static const char full_form[] =
    "{\"inline\":{" ADDRESS ",\"database\":2,\"connect_timeout_ms\":700,"
    "\"auth\":{\"username\":\"u\",\"password\":\"geheim\"},"
    "\"tls\":{\"enabled\":true,\"verify\":\"ca\",\"server_name\":\"s.example\","
    "\"ca_pem\":\"" PEM("CERTIFICATE") "\",\"client_cert_pem\":\"" PEM(
        "CERTIFICATE") "\","
                       "\"client_key_pem\":\"" PEM("PRIVATE KEY") "\"}}}";

static void a_secret_is_a_user_and_a_password(void) {
    json_t *json = json_loads("{\"url\":\"redis://h\",\"auth\":{\"secret\":\"u:p:q\"}}", 0, NULL);
    struct endpoint ep = ENDPOINT_INIT;
    struct credentials cred = CREDENTIALS_INIT;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(endpoint_parse_reference(json, &ep, &cred, NULL, &err));
    CU_ASSERT_STRING_EQUAL(ep.username, "u");
    CU_ASSERT(str_equal(secret_str(&cred.password), STR_LIT("p:q")));
    CU_ASSERT_TRUE(ep.has_password);
    credentials_done(&cred);
    endpoint_done(&ep);
    json_decref(json);
}

static void a_socket_is_stored_as_its_path_and_is_one_server_whatever_the_database(void) {
    struct endpoint ep = ENDPOINT_INIT, back = ENDPOINT_INIT;
    struct secret password = SECRET_INIT;
    struct err err = ERR_INIT;
    char server[300];
    json_t *json;

    CU_ASSERT_TRUE(endpoint_parse_url(STR_LIT("unix:///S?db=3"), &ep, &password, &err));
    json = endpoint_to_json(&ep);
    CU_ASSERT_PTR_NULL(
        json_object_get(json_array_get(json_object_get(json, "endpoints"), 0), "port"));
    CU_ASSERT_TRUE(endpoint_from_json(json, &back, NULL, NULL, &err));
    CU_ASSERT_TRUE(endpoint_is_unix(&back));
    CU_ASSERT_STRING_EQUAL(back.label, "unix:/S?db=3");
    endpoint_server(&back, server);
    CU_ASSERT_STRING_EQUAL(server, "/S");
    json_decref(json);
    CU_ASSERT_TRUE(endpoint_parse_url(STR_LIT("redis://Host:7/3"), &ep, &password, &err));
    endpoint_server(&ep, server);
    CU_ASSERT_STRING_EQUAL(server, "host:7");
}

static void what_is_stored_reads_back_the_same_and_holds_no_secret(void) {
    json_t *json = json_loads(full_form, 0, NULL), *stored, *again;
    struct endpoint ep, back;
    struct credentials cred, cred_back;
    struct err err = ERR_INIT;
    char *text;

    CU_ASSERT_TRUE_FATAL(endpoint_parse_reference(json, &ep, &cred, NULL, &err));
    stored = endpoint_to_json(&ep);
    text = json_dumps(stored, 0);
    CU_ASSERT_PTR_NULL(strstr(text, "geheim"));
    CU_ASSERT_PTR_NULL(strstr(text, "PRIVATE"));
    CU_ASSERT_TRUE_FATAL(endpoint_from_json(stored, &back, NULL, NULL, &err));
    again = endpoint_to_json(&back);
    CU_ASSERT_TRUE(json_equal(stored, again));
    CU_ASSERT_TRUE(back.has_password);
    CU_ASSERT_STRING_EQUAL(back.tls_client_cert_pem, ep.tls_client_cert_pem);
    free(text);
    json_decref(stored);
    json_decref(again);

    stored = credentials_to_json(&cred);
    CU_ASSERT_TRUE_FATAL(credentials_from_json(stored, &cred_back, &err));
    CU_ASSERT(str_equal(secret_str(&cred_back.password), STR_LIT("geheim")));
    CU_ASSERT(str_equal(secret_str(&cred_back.client_key_pem), secret_str(&cred.client_key_pem)));
    json_decref(stored);
    json_decref(json);
    endpoint_done(&ep);
    endpoint_done(&back);
    credentials_done(&cred);
    credentials_done(&cred_back);
}

static void a_file_is_stored_by_its_name_alone(void) {
    struct endpoint ep, back;
    struct secret password;
    struct err err = ERR_INIT;
    json_t *stored, *again;

    CU_ASSERT_TRUE_FATAL(
        endpoint_parse_url(STR_LIT("file:day%201/dump.rdb"), &ep, &password, &err));
    stored = endpoint_to_json(&ep);
    CU_ASSERT_EQUAL(json_object_size(stored), 2);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(stored, "file")), "day 1/dump.rdb");
    CU_ASSERT_TRUE_FATAL(endpoint_from_json(stored, &back, NULL, NULL, &err));
    again = endpoint_to_json(&back);
    CU_ASSERT_TRUE(json_equal(stored, again));
    json_decref(stored);
    json_decref(again);
    endpoint_done(&ep);
    endpoint_done(&back);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_spelling_is_read_one_way_or_refused),
    CUNIT_TEST(a_group_is_stored_as_it_was_read),
    CUNIT_TEST(the_login_of_sentinels_is_stored_without_its_password),
    CUNIT_TEST(no_refusal_quotes_the_password),
    CUNIT_TEST(a_reference_is_read_or_its_wrong_member_is_named),
    CUNIT_TEST(a_secret_is_a_user_and_a_password),
    CUNIT_TEST(a_socket_is_stored_as_its_path_and_is_one_server_whatever_the_database),
    CUNIT_TEST(what_is_stored_reads_back_the_same_and_holds_no_secret),
    CUNIT_TEST(a_file_is_stored_by_its_name_alone),
};
CUNIT_MAIN("endpoint", tests)
