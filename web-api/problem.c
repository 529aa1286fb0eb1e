#include "web-api/problem.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/arena.h"

const char *problem_type(struct arena *a, enum err_code code) {
    char *type = arena_printf(a, "/problems/%s", err_slug(code));

    for (char *c = type; *c; c++)
        if (*c == '_')
            *c = '-';
    return type;
}

/* A frame may quote what a peer sent, and json_string() answers NULL on invalid
 * UTF-8, which would make the member vanish: such a story is shown escaped. */
static json_t *story_json(struct arena *a, const char *story) {
    json_t *text = json_string(story);

    if (!text) {
        size_t size = strlen(story) * 4 + 8;
        char *escaped = arena_alloc(a, size);

        str_escape(str_from(story), escaped, size);
        text = json_string(escaped);
    }
    return text;
}

/* A wrong parameter of a query is refused as "name: what is wrong"; told as members of a body are.
 * A call that is wrong as a whole is one error, of no member: who shows `errors` shows something.
 */
static json_t *of_call(const struct err *err, json_t *detail) {
    const char *text = err->frame[0];
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
    char pointer[40];

    if (err->code != ERR_VALIDATION || len == 0 || len + 2 > sizeof(pointer) ||
        strncmp(text + len, ": ", 2) != 0)
        return json_pack("[{s:s, s:s, s:O}]", "pointer", "", "code",
                         err->code == ERR_NOT_SUPPORTED_YET ? "not_supported_yet" : "invalid",
                         "detail", detail);
    snprintf(pointer, sizeof(pointer), "/%.*s", (int)len, text);
    return json_pack("[{s:s, s:s, s:s}]", "pointer", pointer, "code", "invalid", "detail",
                     text + len + 2);
}

void problem_reply(struct reply *reply, const struct err *err, json_t *fields,
                   const char *request_id) {
    int status = err_http(err->code);
    char story[ERR_FRAMES * (ERR_FRAME_LEN + 2)];

    if (status == 500)
        snprintf(story, sizeof(story), "see the log under request %s", request_id);
    else
        err_format(err, story, sizeof(story));

    json_t *detail = story_json(reply->arena, story);
    json_t *doc = json_pack(
        "{s:s, s:s, s:i, s:o, s:s, s:s, s:s, s:b}", "type", problem_type(reply->arena, err->code),
        "title", err_title(err->code), "status", status, "detail", detail, "instance",
        arena_printf(reply->arena, "/requests/%s", request_id), "code", err_slug(err->code),
        "request_id", request_id, "retryable", err_retry_class(err->code) != RETRY_NEVER);

    if (status == 422 && json_array_size(fields) > 0)
        json_object_set(doc, "errors", fields);
    else if (status == 422)
        json_object_set_new(doc, "errors", of_call(err, detail));
    reply_json(reply, status, doc);
    reply->content_type = "application/problem+json";
    if (status == 401 && err->code == ERR_UNAUTHORIZED)
        reply_header(reply, "WWW-Authenticate", "Bearer realm=\"keyferry\"");
    if (err_retry_class(err->code) == RETRY_LATER)
        reply_header(reply, "Retry-After", "1");
}
