#include "web-api/reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "web-api/json_text.h"

void reply_header(struct reply *r, const char *name, const char *value) {
    const char *copy = arena_dup(r->arena, str_from(value));

    for (size_t i = 0; i < r->header_count; i++)
        if (strcasecmp(r->header[i].name, name) == 0) {
            r->header[i].value = copy;
            return;
        }
    if (r->header_count == REPLY_HEADERS_MAX)
        abort(); /* ours: the handlers set a handful */
    r->header[r->header_count].name = name;
    r->header[r->header_count].value = copy;
    r->header_count++;
}

const char *reply_header_get(const struct reply *r, const char *name) {
    for (size_t i = 0; i < r->header_count; i++)
        if (strcasecmp(r->header[i].name, name) == 0)
            return r->header[i].value;
    return NULL;
}

void reply_json(struct reply *r, int status, json_t *body_taken) {
    struct buf text = BUF_INIT(JSON_TEXT_MAX);
    struct err err = ERR_INIT;
    bool ok = body_taken && json_text(&text, body_taken, &err);

    json_decref(body_taken);
    if (!ok)
        buf_clear(&text);
    reply_json_text(r, ok ? status : 500, &text);
}

void reply_json_text(struct reply *r, int status, struct buf *text) {
    r->status = status;
    r->content_type = "application/json";
    r->body = arena_str(r->arena, buf_str(text));
    buf_done(text);
}

void reply_constant(struct reply *r, int status, const char *content_type, struct str body) {
    r->status = status;
    r->content_type = content_type;
    r->body = body;
}

void reply_empty(struct reply *r, int status) {
    r->status = status;
    r->content_type = NULL;
    r->body = STR_EMPTY;
}
