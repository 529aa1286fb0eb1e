/* The document and the table of routes are held against each other. */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/cunit_run.h"
#include "web-api/auth.h"
#include "web-api/openapi.h"
#include "web-api/route.h"

static json_t *document(void) {
    json_t *doc = json_loadb(openapi_json_bytes, openapi_json_len, 0, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(doc);
    return doc;
}

static json_t *operation_of(const json_t *doc, const char *method, const char *path) {
    char lower[16];
    size_t i;

    for (i = 0; method[i] && i < sizeof(lower) - 1; i++)
        lower[i] = (char)tolower((unsigned char)method[i]);
    lower[i] = '\0';
    return json_object_get(json_object_get(json_object_get(doc, "paths"), path), lower);
}

static void every_route_that_works_is_documented_and_no_other(void) {
    json_t *doc = document();

    for (size_t i = 0; i < route_count; i++) {
        const json_t *operation = operation_of(doc, routes[i].method, routes[i].path);
        bool built = routes[i].handle != route_later;

        if (built != (operation != NULL))
            printf("\n%s %s: built %d, documented %d", routes[i].method, routes[i].path, built,
                   operation != NULL);
        CU_ASSERT_EQUAL(built, operation != NULL);
    }
    json_decref(doc);
}

static void every_documented_operation_is_a_route(void) {
    json_t *doc = document(), *item, *operation;
    const char *path, *method;

    json_object_foreach(json_object_get(doc, "paths"), path, item) {
        json_object_foreach(item, method, operation) {
            bool found = strcmp(method, "parameters") == 0;

            for (size_t i = 0; i < route_count; i++)
                found = found || operation_of(doc, routes[i].method, path) == operation;
            CU_ASSERT_TRUE(found);
        }
    }
    json_decref(doc);
}

static void scopes_agree(void) {
    json_t *doc = document();

    for (size_t i = 0; i < route_count; i++) {
        const json_t *operation = operation_of(doc, routes[i].method, routes[i].path);
        const char *scope = json_string_value(json_object_get(operation, "x-scope"));

        if (!operation)
            continue;
        if (routes[i].scope == SCOPE_NONE) {
            const json_t *security = json_object_get(operation, "security");

            CU_ASSERT_TRUE(json_is_array(security) && json_array_size(security) == 0);
        } else {
            CU_ASSERT_STRING_EQUAL(scope ? scope : "missing", auth_scope_name(routes[i].scope));
        }
    }
    json_decref(doc);
}

/* Follow "#/components/parameters/limit". */
static const json_t *resolve(const json_t *doc, const json_t *value) {
    const char *ref = json_string_value(json_object_get(value, "$ref"));
    struct str rest, piece;

    if (!ref)
        return value;
    rest = str_from(ref + 2);
    for (value = doc; str_cut(&rest, '/', &piece);) {
        char name[64];

        snprintf(name, sizeof(name), STR_FMT, STR_ARG(piece));
        value = json_object_get(value, name);
    }
    return value;
}

/* Every $ref leads somewhere. */
static void check_refs(const json_t *doc, const json_t *value) {
    const char *name;
    const json_t *member;
    size_t i;

    if (json_is_object(value)) {
        if (json_object_get(value, "$ref"))
            CU_ASSERT_PTR_NOT_NULL(resolve(doc, value));
        json_object_foreach((json_t *)(uintptr_t)value, name, member) check_refs(doc, member);
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, member) check_refs(doc, member);
    }
}

static void every_reference_leads_somewhere(void) {
    json_t *doc = document();

    check_refs(doc, doc);
    json_decref(doc);
}

static void query_parameters_agree(void) {
    json_t *doc = document();

    for (size_t i = 0; i < route_count; i++) {
        const json_t *operation = operation_of(doc, routes[i].method, routes[i].path), *parameter;
        size_t documented = 0, known = 0, k;
        struct str names = str_from(routes[i].query), name;

        if (!operation)
            continue;
        while (str_cut(&names, ' ', &name))
            known++;
        json_array_foreach(json_object_get(operation, "parameters"), k, parameter) {
            const json_t *p = resolve(doc, parameter);
            bool found = false;

            if (strcmp(json_string_value(json_object_get(p, "in")), "query") != 0)
                continue;
            documented++;
            for (names = str_from(routes[i].query); str_cut(&names, ' ', &name);)
                found = found ||
                        str_equal(name, str_from(json_string_value(json_object_get(p, "name"))));
            CU_ASSERT_TRUE(found);
        }
        CU_ASSERT_EQUAL(documented, known);
    }
    json_decref(doc);
}

static void every_segment_in_braces_is_a_parameter(void) {
    json_t *doc = document(), *item;
    const char *path;

    json_object_foreach(json_object_get(doc, "paths"), path, item) {
        struct str rest = str_from(path), piece;
        size_t at = 0;

        while (str_cut(&rest, '/', &piece)) {
            const char *name;

            if (piece.len == 0 || piece.ptr[0] != '{')
                continue;
            name = json_string_value(json_object_get(
                resolve(doc, json_array_get(json_object_get(item, "parameters"), at++)), "name"));
            CU_ASSERT(name && str_equal(str_of(piece.ptr + 1, piece.len - 2), str_from(name)));
        }
        CU_ASSERT_EQUAL(at, json_array_size(json_object_get(item, "parameters")));
    }
    json_decref(doc);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(every_route_that_works_is_documented_and_no_other),
    CUNIT_TEST(every_documented_operation_is_a_route),
    CUNIT_TEST(scopes_agree),
    CUNIT_TEST(every_reference_leads_somewhere),
    CUNIT_TEST(query_parameters_agree),
    CUNIT_TEST(every_segment_in_braces_is_a_parameter),
};
CUNIT_MAIN("openapi", tests)
