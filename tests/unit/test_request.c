#include "tests/support/cunit_run.h"
#include "web-api/request.h"

static struct arena arena;

static struct request request_of(const char *method, const char *path) {
    return (struct request){.arena = &arena, .method = str_from(method), .path = str_from(path)};
}

static void add(struct request *r, struct str name, struct str value) {
    r->header[r->header_count++] = (struct request_pair){name, value};
}

/* Screens and forgets; the code of the refusal, ERR_NONE when taken. */
static enum err_code screen(struct request *r) {
    struct err err = ERR_INIT;

    return request_screen(r, 1000, &err) ? ERR_NONE : err.code;
}

static void a_path_is_split_before_it_is_decoded(void) {
    struct request r = request_of("GET", "/v1/a%2fb/caf%C3%A9");

    CU_ASSERT_EQUAL(screen(&r), ERR_NONE);
    CU_ASSERT_EQUAL(r.segment_count, 3);
    CU_ASSERT(str_equal(r.segment[1], STR_LIT("a/b")));
    CU_ASSERT(str_equal(r.segment[2], STR_LIT("caf\xc3\xa9")));
    arena_done(&arena);
}

static void what_is_no_clean_path_is_refused(void) {
    static const struct {
        const char *path;
        enum err_code code;
    } rows[] = {
        {"v1", ERR_BAD_REQUEST},
        {"*", ERR_BAD_REQUEST},
        {"/v1/", ERR_NOT_FOUND},
        {"//v1", ERR_NOT_FOUND},
        {"/%zz", ERR_BAD_REQUEST},
        {"/%2", ERR_BAD_REQUEST},
        {"/a%00b", ERR_BAD_REQUEST},
        {"/%ff", ERR_BAD_REQUEST},
        {"/%c0%af", ERR_BAD_REQUEST},
        {"/%ed%a0%80", ERR_BAD_REQUEST},
        {"/%f4%90%80%80", ERR_BAD_REQUEST},
        {"/%", ERR_BAD_REQUEST},
        {"/a/b/c/d/e/f/g/h/i/j/k/l/m", ERR_NOT_FOUND},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct request r = request_of("GET", rows[i].path);

        CU_ASSERT_EQUAL(screen(&r), rows[i].code);
    }
    arena_done(&arena);
}

static void headers_that_two_readers_would_read_two_ways_are_refused(void) {
    static const struct {
        const char *name, *value, *name2, *value2;
    } rows[] = {
        {"Content-Length", "1", "Content-Length", "2"},
        {"Content-Length", "1", "content-length", "1"},
        {"Content-Length", "1", "Transfer-Encoding", "chunked"},
        {"Transfer-Encoding", "gzip, chunked", "A", "b"},
        {"Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"},
        {"Content-Length ", "1", "A", "b"},
        {"Content-Length", "-1", "A", "b"},
        {"Content-Length", "0x10", "A", "b"},
        {"Content-Length", "99999999999999999999", "A", "b"},
        {"A", "b\x01", "C", "d"},
        {"A", "b\nc", "C", "d"},
        {"Authorization", "Bearer a", "Authorization", "Bearer b"},
        {"", "x", "A", "b"},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct request r = request_of("POST", "/v1/jobs");

        add(&r, str_from(rows[i].name), str_from(rows[i].value));
        add(&r, str_from(rows[i].name2), str_from(rows[i].value2));
        CU_ASSERT_EQUAL(screen(&r), ERR_BAD_REQUEST);
    }

    struct request nul = request_of("POST", "/v1/jobs");

    add(&nul, STR_LIT("A"), STR_LIT("b\0c"));
    CU_ASSERT_EQUAL(screen(&nul), ERR_BAD_REQUEST);
    arena_done(&arena);
}

static void a_body_is_seen_in_the_head_and_its_size_is_held(void) {
    struct request none = request_of("POST", "/v1/jobs"), some = none, chunked = none, large = none;

    add(&some, STR_LIT("content-length"), STR_LIT("1000"));
    add(&chunked, STR_LIT("Transfer-Encoding"), STR_LIT("Chunked"));
    add(&large, STR_LIT("Content-Length"), STR_LIT("1001"));
    CU_ASSERT_EQUAL(screen(&none), ERR_NONE);
    CU_ASSERT_EQUAL(screen(&some), ERR_NONE);
    CU_ASSERT_EQUAL(screen(&chunked), ERR_NONE);
    CU_ASSERT_EQUAL(screen(&large), ERR_BODY_TOO_LARGE);
    CU_ASSERT_FALSE(none.has_body);
    CU_ASSERT_TRUE(some.has_body);
    CU_ASSERT_TRUE(chunked.has_body);
    arena_done(&arena);
}

static void a_query_parameter_is_decoded_and_stands_once(void) {
    struct request r = request_of("GET", "/v1/jobs"), twice;
    struct str value = STR_LIT("untouched");

    r.query[r.query_count++] = (struct request_pair){STR_LIT("n%61me"), STR_LIT("a%20b")};
    twice = r;
    twice.query[twice.query_count++] = (struct request_pair){STR_LIT("name"), STR_LIT("x")};
    CU_ASSERT_EQUAL(screen(&r), ERR_NONE);
    CU_ASSERT_FALSE(request_query(&r, "other", &value));
    CU_ASSERT(str_equal(value, STR_LIT("untouched")));
    CU_ASSERT_TRUE(request_query(&r, "name", &value));
    CU_ASSERT(str_equal(value, STR_LIT("a b")));
    CU_ASSERT_EQUAL(screen(&twice), ERR_BAD_REQUEST);
    arena_done(&arena);
}

static void only_a_plain_request_id_is_echoed(void) {
    char longest[REQUEST_ID_MAX + 2];

    memset(longest, 'a', sizeof(longest));
    CU_ASSERT_TRUE(request_id_valid(STR_LIT("Ab-1_2.z")));
    CU_ASSERT_FALSE(request_id_valid(STR_EMPTY));
    CU_ASSERT_FALSE(request_id_valid(STR_LIT("a b")));
    CU_ASSERT_FALSE(request_id_valid(STR_LIT("a\r\nSet-Cookie: x")));
    CU_ASSERT_TRUE(request_id_valid(str_of(longest, REQUEST_ID_MAX)));
    CU_ASSERT_FALSE(request_id_valid(str_of(longest, REQUEST_ID_MAX + 1)));
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_path_is_split_before_it_is_decoded),
    CUNIT_TEST(what_is_no_clean_path_is_refused),
    CUNIT_TEST(headers_that_two_readers_would_read_two_ways_are_refused),
    CUNIT_TEST(a_body_is_seen_in_the_head_and_its_size_is_held),
    CUNIT_TEST(a_query_parameter_is_decoded_and_stands_once),
    CUNIT_TEST(only_a_plain_request_id_is_echoed),
};
CUNIT_MAIN("request", tests)
