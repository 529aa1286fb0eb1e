#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/cunit_run.h"
#include "web-api/etag.h"
#include "web-api/json_read.h"
#include "web-api/json_time.h"
#include "web-api/page.h"

static struct request query(const char *name, const char *value) {
    return (struct request){.query_count = 1, .query = {{str_from(name), str_from(value)}}};
}

static bool parses(const char *name, const char *value, struct page *page) {
    struct request r = query(name, value);
    struct err err = ERR_INIT;

    return page_parse(&r, "jobs", page, &err);
}

static void a_limit_is_1_to_200_and_50_by_default(void) {
    static const char *const wrong[] = {"0", "201", "-1", "", "ten", "1e1", " 5"};
    struct page page;

    CU_ASSERT(parses("other", "x", &page) && page.limit == 50 && page.after[0] == '\0');
    CU_ASSERT(parses("limit", "1", &page) && page.limit == 1);
    CU_ASSERT(parses("limit", "200", &page) && page.limit == 200);
    for (size_t i = 0; i < LENGTH_OF(wrong); i++)
        CU_ASSERT_FALSE(parses("limit", wrong[i], &page));
}

static const char *key_of(const json_t *item) {
    return json_string_value(item);
}

static void a_cursor_leads_behind_the_last_item_shown(void) {
    struct page page = {.list = "jobs", .limit = 2}, next;
    json_t *list = page_json(&page, json_pack("[s, s, s]", "job_3", "job_2", "job_1"), key_of);
    const char *cursor = json_string_value(json_object_get(list, "next_cursor"));

    CU_ASSERT_EQUAL(json_array_size(json_object_get(list, "items")), 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(cursor);
    CU_ASSERT_TRUE(parses("cursor", cursor, &next));
    CU_ASSERT_STRING_EQUAL(next.after, "job_2");
    json_decref(list);
    list = page_json(&page, json_pack("[s, s]", "job_2", "job_1"), key_of);
    CU_ASSERT(json_is_null(json_object_get(list, "next_cursor")));
    json_decref(list);
}

static void a_cursor_of_another_list_or_an_invented_one_is_refused(void) {
    struct page page = {.list = "prechecks", .limit = 1};
    json_t *list = page_json(&page, json_pack("[s, s]", "pck_2", "pck_1"), key_of);
    static const char *const wrong[] = {"", "!", "am9icw", "am9iczo", "====", "AAAA"};

    CU_ASSERT_FALSE(
        parses("cursor", json_string_value(json_object_get(list, "next_cursor")), &page));
    json_decref(list);
    for (size_t i = 0; i < LENGTH_OF(wrong); i++)
        CU_ASSERT_FALSE(parses("cursor", wrong[i], &page));

    char longest[400];

    memset(longest, 'A', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    CU_ASSERT_FALSE(parses("cursor", longest, &page));
}

static void a_write_is_held_to_the_version_and_a_read_to_everything(void) {
    json_t *one = json_pack("{s:i}", "keys_done", 1), *two = json_pack("{s:i}", "keys_done", 2);

    etag_add(one, 7);
    etag_add(two, 7);

    const char *tag = json_string_value(json_object_get(one, "etag"));

    struct buf text = BUF_INIT(1024);
    struct err err = ERR_INIT;
    char told[ETAG_SIZE];
    json_t *read;

    CU_ASSERT_TRUE(buf_append(&text, STR_LIT("before{\"keys_done\":1}"), &err));
    etag_close(&text, strlen("before"), 7, told);
    read = json_loads(text.ptr + strlen("before"), 0, NULL);
    CU_ASSERT_TRUE(json_equal(read, one));
    CU_ASSERT_STRING_EQUAL(told, tag);
    json_decref(read);
    buf_done(&text);
    CU_ASSERT_STRING_NOT_EQUAL(tag, json_string_value(json_object_get(two, "etag")));
    CU_ASSERT_TRUE(etag_names_version(str_from(tag), 7));
    CU_ASSERT_FALSE(etag_names_version(str_from(tag), 8));
    CU_ASSERT_TRUE(etag_names_version(STR_LIT("\"1\", \"7\""), 7));
    CU_ASSERT_TRUE(etag_names_version(STR_LIT("*"), 7));
    CU_ASSERT_FALSE(etag_names_version(STR_LIT("W/\"7\""), 7));
    CU_ASSERT_FALSE(etag_names_version(STR_LIT("7"), 7));
    CU_ASSERT_FALSE(etag_names_version(STR_LIT("\"\""), 0));
    CU_ASSERT_TRUE(etag_is_named(str_from(tag), tag));
    CU_ASSERT_TRUE(etag_is_named(STR_LIT("\"x\", W/\"7.ab\""), "\"7.ab\""));
    CU_ASSERT_FALSE(etag_is_named(STR_LIT("\"7\""), tag));
    json_decref(one);
    json_decref(two);
}

static enum err_code reads(const char *text) {
    struct err err = ERR_INIT;
    json_t *object = NULL;
    bool ok = json_read_object(str_from(text), &object, &err);

    json_decref(object);
    return ok ? ERR_NONE : err.code;
}

static void a_body_is_one_object_without_doubles_and_not_deep(void) {
    char deep[200];

    CU_ASSERT_EQUAL(reads(""), ERR_NONE);
    CU_ASSERT_EQUAL(reads("{}"), ERR_NONE);
    CU_ASSERT_EQUAL(reads("{\"a\": \"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"}"), ERR_NONE);
    CU_ASSERT_EQUAL(reads("[]"), ERR_NOT_JSON);
    CU_ASSERT_EQUAL(reads("{"), ERR_NOT_JSON);
    CU_ASSERT_EQUAL(reads("{} {}"), ERR_NOT_JSON);
    CU_ASSERT_EQUAL(reads("{\"a\": 1, \"a\": 2}"), ERR_NOT_JSON);
    CU_ASSERT_EQUAL(reads("{\"a\": \"\xff\"}"), ERR_NOT_JSON);
    for (int depth = 30; depth < 36; depth++) {
        int len = snprintf(deep, sizeof(deep), "{\"a\":");

        memset(deep + len, '[', (size_t)depth - 1);
        memset(deep + len + depth - 1, ']', (size_t)depth - 1);
        memcpy(deep + len + 2 * (depth - 1), "}", 2);
        CU_ASSERT_EQUAL(reads(deep), depth <= JSON_READ_DEPTH_MAX ? ERR_NONE : ERR_NOT_JSON);
    }
}

static void a_refused_body_is_not_quoted(void) {
    struct err err = ERR_INIT;
    json_t *object = NULL;
    char story[1000];

    CU_ASSERT_FALSE(json_read_object(STR_LIT("{\"password\": hunter2}"), &object, &err));
    err_format(&err, story, sizeof(story));
    CU_ASSERT_PTR_NULL(strstr(story, "hunter2"));
}

static void every_wrong_member_is_told_at_once(void) {
    json_t *body = json_pack("{s:i, s:s, s:s, s:i}", "drain", 1, "mode", "c", "text", "", "a/b", 1);
    json_t *fields = NULL;
    struct err err = ERR_INIT;
    const char *mode = "a", *text = "kept";
    bool drain = true;

    json_read_known(body, &fields, "drain mode text");
    json_read_bool(body, &fields, "drain", &drain);
    json_read_choice(body, &fields, "mode", "a|b", &mode);
    json_read_text(body, &fields, "text", 1, 5, &text);
    CU_ASSERT_FALSE(json_read_end(fields, &err));
    CU_ASSERT_EQUAL(err.code, ERR_VALIDATION);
    CU_ASSERT_EQUAL_FATAL(json_array_size(fields), 4);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_array_get(fields, 0), "pointer")),
                           "/a~1b");
    CU_ASSERT_STRING_EQUAL(mode, "a");
    CU_ASSERT_STRING_EQUAL(text, "kept");
    CU_ASSERT_TRUE(drain);
    json_decref(fields);
    json_decref(body);
    CU_ASSERT_TRUE(json_read_end(NULL, &err));
}

static void a_moment_is_read_as_it_was_written(void) {
    static const char *const wrong[] = {"",
                                        "2026-11-20",
                                        "2026-11-20T09:54:00",
                                        "2026-02-30T09:54:00Z",
                                        "2026-11-20T09:54:00+00",
                                        "2026-11-20T09:54:0.12Z",
                                        "2026-11-20T09:54:00.123X",
                                        "2026-11-20T09:54:00.123Zx",
                                        "aaaa-11-20T09:54:00.123Z"};
    json_t *whole;
    int64_t ms = 7;

    for (int64_t at = 1; at < 4102444800000; at = at * 3 + 41) {
        json_t *text = json_time(at);

        CU_ASSERT_TRUE(json_time_parse(text, &ms));
        CU_ASSERT_EQUAL(ms, at);
        json_decref(text);
    }
    whole = json_string("1970-01-02T00:00:01Z");
    CU_ASSERT_TRUE(json_time_parse(whole, &ms));
    CU_ASSERT_EQUAL(ms, 86401000);
    json_decref(whole);
    ms = 7;
    for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
        json_t *text = json_string(wrong[i]);

        CU_ASSERT_FALSE(json_time_parse(text, &ms));
        json_decref(text);
    }
    CU_ASSERT_FALSE(json_time_parse(NULL, &ms));
    CU_ASSERT_EQUAL(ms, 7);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_moment_is_read_as_it_was_written),
    CUNIT_TEST(a_limit_is_1_to_200_and_50_by_default),
    CUNIT_TEST(a_cursor_leads_behind_the_last_item_shown),
    CUNIT_TEST(a_cursor_of_another_list_or_an_invented_one_is_refused),
    CUNIT_TEST(a_write_is_held_to_the_version_and_a_read_to_everything),
    CUNIT_TEST(a_body_is_one_object_without_doubles_and_not_deep),
    CUNIT_TEST(a_refused_body_is_not_quoted),
    CUNIT_TEST(every_wrong_member_is_told_at_once),
};
CUNIT_MAIN("page", tests)
