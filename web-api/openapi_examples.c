#include "web-api/openapi_examples.h"

#include <stdlib.h>
#include <string.h>

/* "#/components/responses/Job" */
static json_t *resolved(json_t *document, json_t *value) {
    const char *ref = json_string_value(json_object_get(value, "$ref"));
    json_t *at = document;
    char *copy, *word, *rest = NULL;

    if (!ref || strncmp(ref, "#/", 2) != 0)
        return value;
    copy = strdup(ref + 2);
    for (word = copy ? strtok_r(copy, "/", &rest) : NULL; word; word = strtok_r(NULL, "/", &rest))
        at = json_object_get(at, word);
    free(copy);
    return at;
}

/* A body or an answer that others have too gets an example of its own: so it is written out. */
static json_t *own(json_t *document, json_t *holder, const char *name) {
    json_t *value = json_object_get(holder, name);

    if (json_object_get(value, "$ref"))
        json_object_set_new(holder, name, json_deep_copy(resolved(document, value)));
    return json_object_get(holder, name);
}

static void add_example(json_t *owner, json_t *example) {
    json_t *content = json_object_get(owner, "content"), *kind;
    const char *name;

    json_object_foreach(content, name, kind) {
        if (strstr(name, "json") && !json_object_get(kind, "example") &&
            !json_object_get(kind, "examples"))
            json_object_set(kind, "example", example);
    }
}

static void add_code(json_t *codes, const char *code) {
    const json_t *one;
    size_t i;

    json_array_foreach(codes, i, one) if (strcmp(json_string_value(one), code) == 0) return;
    json_array_append_new(codes, json_string(code));
}

static int compare(const void *a, const void *b) {
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

static json_t *sorted(json_t *codes) {
    size_t count = json_array_size(codes);
    json_t **list = calloc(count + 1, sizeof(*list)), *out = json_array();

    for (size_t i = 0; list && i < count; i++)
        list[i] = json_array_get(codes, i);
    if (list)
        qsort(list, count, sizeof(*list), compare);
    for (size_t i = 0; list && i < count; i++)
        json_array_append(out, list[i]);
    free(list);
    json_decref(codes);
    return out;
}

static bool takes(json_t *document, const json_t *operation, const char *parameter) {
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(operation, "parameters"), i, one) {
        const char *name = json_string_value(json_object_get(resolved(document, one), "name"));

        if (name && strcmp(name, parameter) == 0)
            return true;
    }
    return false;
}

/* What depends not on what is asked for, but on how: by whom, with which body, of which id. */
static json_t *codes_of(json_t *document, const json_t *operation, const char *path,
                        const char *method, const json_t *row) {
    const json_t *security = json_object_get(operation, "security"), *code;
    bool is_open = json_is_array(security) && json_array_size(security) == 0;
    json_t *codes = json_array();
    size_t i;

    add_code(codes, "bad_request");       /* heads and paths that nobody can read */
    add_code(codes, "validation_failed"); /* a parameter that the call does not know */
    add_code(codes, "internal");
    if (!is_open) {
        add_code(codes, "unauthorized");
        add_code(codes, "forbidden");
        add_code(codes, "rate_limited");
        add_code(codes, "store_unavailable");
    }
    if (strcmp(method, "get") != 0) {
        add_code(codes, "not_json");
        add_code(codes, "body_too_large");
        add_code(codes, "unsupported_media_type");
        add_code(codes, "store_conflict");
    }
    if (takes(document, operation, "Idempotency-Key")) {
        add_code(codes, "idempotency_conflict");
        add_code(codes, "idempotency_in_flight");
    }
    if (takes(document, operation, "If-Match"))
        add_code(codes, "etag_mismatch");
    if (strchr(path, '{'))
        add_code(codes, "not_found");
    json_array_foreach(json_object_get(row, "problems"), i, code)
        add_code(codes, json_string_value(code));
    return sorted(codes);
}

static void add_row(json_t *document, json_t *operation, const char *path, const char *method,
                    const json_t *row) {
    json_t *request = json_object_get(row, "request"), *answer;
    json_t *answers = json_object_get(operation, "responses");
    const char *status;

    if (row)
        json_object_set(operation, "x-example-call", json_object_get(row, "call"));
    json_object_set_new(operation, "x-problem-codes",
                        codes_of(document, operation, path, method, row));
    if (request)
        add_example(own(document, operation, "requestBody"), request);
    json_object_foreach(json_object_get(row, "answers"), status, answer)
        add_example(own(document, answers, status), answer);
}

void openapi_examples_add(json_t *document, const json_t *examples) {
    json_t *item, *operation;
    const char *path, *method;

    json_object_foreach(json_object_get(document, "paths"), path, item) {
        json_object_foreach(item, method, operation) {
            const char *id = json_string_value(json_object_get(operation, "operationId"));

            if (id) /* else it is what the methods share */
                add_row(document, operation, path, method, json_object_get(examples, id));
        }
    }
}
