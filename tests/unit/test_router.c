#include <stdio.h>

#include "tests/support/cunit_run.h"
#include "web-api/router.h"

static bool never(struct call *call, struct reply *reply, struct err *err) {
    (void)call;
    (void)reply;
    (void)err;
    return true;
}

static const struct route table[] = {
    {"GET", "/healthz", SCOPE_NONE, "", never},
    {"GET", "/v1/jobs", SCOPE_READ, "limit cursor", never},
    {"POST", "/v1/jobs", SCOPE_OPERATE, "", never},
    {"GET", "/v1/jobs/summary", SCOPE_READ, "", never},
    {"GET", "/v1/jobs/{job}", SCOPE_READ, "", never},
    {"DELETE", "/v1/jobs/{job}", SCOPE_OPERATE, "", never},
    {"POST", "/v1/jobs/{job}/prechecks/{precheck}/items/{check}/ignore", SCOPE_OPERATE, "", never},
};

struct outcome {
    enum err_code code;
    const struct route *route;
    struct str param[ROUTE_PARAMS_MAX];
    char allow[64];
};

static struct outcome match(const char *method, const char *path) {
    struct arena arena = ARENA_INIT;
    struct request r = {.arena = &arena, .method = str_from(method), .path = str_from(path)};
    struct router_match found = {0};
    struct buf allow = BUF_INIT(256);
    struct err err = ERR_INIT;
    struct outcome out = {0};

    if (!request_screen(&r, 0, &err) ||
        !router_match(table, LENGTH_OF(table), &r, &found, &allow, &err))
        out.code = err.code;
    out.route = found.route;
    /* Parameters point into the arena: keep those of the path's own bytes. */
    for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
        if (found.param[i].len > 0) {
            const char *at = strstr(path, arena_dup(&arena, found.param[i]));

            out.param[i] = str_of(at, found.param[i].len);
        }
    snprintf(out.allow, sizeof(out.allow), STR_FMT, STR_ARG(buf_str(&allow)));
    buf_done(&allow);
    arena_done(&arena);
    return out;
}

static void a_row_is_found_by_method_and_path(void) {
    CU_ASSERT_PTR_EQUAL(match("GET", "/healthz").route, &table[0]);
    CU_ASSERT_PTR_EQUAL(match("GET", "/v1/jobs").route, &table[1]);
    CU_ASSERT_PTR_EQUAL(match("POST", "/v1/jobs").route, &table[2]);
    CU_ASSERT_PTR_EQUAL(match("DELETE", "/v1/jobs/job_1").route, &table[5]);
}

static void a_literal_wins_over_a_parameter(void) {
    CU_ASSERT_PTR_EQUAL(match("GET", "/v1/jobs/summary").route, &table[3]);
    CU_ASSERT_PTR_EQUAL(match("GET", "/v1/jobs/summaries").route, &table[4]);
    CU_ASSERT_EQUAL(match("DELETE", "/v1/jobs/summary").code, ERR_METHOD_NOT_ALLOWED);
}

static void parameters_come_in_their_order(void) {
    struct outcome out = match("POST", "/v1/jobs/job_1/prechecks/pck_2/items/src.dns/ignore");

    CU_ASSERT_EQUAL(out.code, ERR_NONE);
    CU_ASSERT(str_equal(out.param[0], STR_LIT("job_1")));
    CU_ASSERT(str_equal(out.param[1], STR_LIT("pck_2")));
    CU_ASSERT(str_equal(out.param[2], STR_LIT("src.dns")));
}

static void a_known_path_with_another_method_says_which_it_takes(void) {
    struct outcome out = match("PUT", "/v1/jobs");

    CU_ASSERT_EQUAL(out.code, ERR_METHOD_NOT_ALLOWED);
    CU_ASSERT_STRING_EQUAL(out.allow, "GET, HEAD, POST");
    CU_ASSERT_EQUAL(match("BREW", "/healthz").code, ERR_METHOD_NOT_ALLOWED);
}

static void head_is_a_get(void) {
    CU_ASSERT_PTR_EQUAL(match("HEAD", "/v1/jobs").route, &table[1]);
    CU_ASSERT_EQUAL(match("HEAD", "/v1/jobs/x/prechecks/y/items/z/ignore").code,
                    ERR_METHOD_NOT_ALLOWED);
}

static void an_unknown_path_is_not_found(void) {
    CU_ASSERT_EQUAL(match("GET", "/").code, ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(match("GET", "/v1").code, ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(match("GET", "/v1/jobs/a/b").code, ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(match("GET", "/V1/jobs").code, ERR_NOT_FOUND);
}

static void a_query_parameter_the_route_does_not_know_is_refused(void) {
    struct request r = {.query_count = 1, .query = {{STR_LIT("limit"), STR_LIT("1")}}};
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE(router_check_query(&table[1], &r, &err));
    CU_ASSERT_FALSE(router_check_query(&table[2], &r, &err));
    CU_ASSERT_EQUAL(err.code, ERR_VALIDATION);
    r.query[0].name = STR_LIT("limi");
    CU_ASSERT_FALSE(router_check_query(&table[1], &r, &err));
}

/* The real table: rows are unique, well-formed, and need a key below /v1. */
static void every_route_of_ours_is_well_formed(void) {
    for (size_t i = 0; i < route_count; i++) {
        const struct route *route = &routes[i];
        size_t params = 0;

        CU_ASSERT_PTR_NOT_NULL(route->handle);
        CU_ASSERT(route->path[0] == '/' && route->path[strlen(route->path) - 1] != '/');
        for (const char *c = route->path; *c; c++)
            params += *c == '{';
        CU_ASSERT(params <= ROUTE_PARAMS_MAX);
        CU_ASSERT(route->scope != SCOPE_NONE || strncmp(route->path, "/v1/", 4) != 0 ||
                  strcmp(route->path, "/v1/version") == 0);
        CU_ASSERT(route->scope != SCOPE_READ || strcmp(route->method, "DELETE") != 0);
        for (size_t k = 0; k < i; k++)
            CU_ASSERT_FALSE(strcmp(route->method, routes[k].method) == 0 &&
                            strcmp(route->path, routes[k].path) == 0);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_row_is_found_by_method_and_path),
    CUNIT_TEST(a_literal_wins_over_a_parameter),
    CUNIT_TEST(parameters_come_in_their_order),
    CUNIT_TEST(a_known_path_with_another_method_says_which_it_takes),
    CUNIT_TEST(head_is_a_get),
    CUNIT_TEST(an_unknown_path_is_not_found),
    CUNIT_TEST(a_query_parameter_the_route_does_not_know_is_refused),
    CUNIT_TEST(every_route_of_ours_is_well_formed),
};
CUNIT_MAIN("router", tests)
