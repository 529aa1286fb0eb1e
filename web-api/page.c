#include "web-api/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web-api/json_text.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void base64url_encode(struct str in, char *dst) {
    uint32_t bits = 0;
    int have = 0;

    for (size_t i = 0; i < in.len; i++) {
        bits = bits << 8 | (unsigned char)in.ptr[i];
        for (have += 8; have >= 6; have -= 6)
            *dst++ = digits[bits >> (have - 6) & 63];
    }
    if (have > 0)
        *dst++ = digits[bits << (6 - have) & 63];
    *dst = '\0';
}

/* False when a character is none of the alphabet's or `size` is too small. */
static bool base64url_decode(struct str in, char *dst, size_t size, size_t *ret_len) {
    uint32_t bits = 0;
    int have = 0;
    size_t len = 0;

    for (size_t i = 0; i < in.len; i++) {
        const char *at = in.ptr[i] ? strchr(digits, in.ptr[i]) : NULL;

        if (!at)
            return false;
        bits = bits << 6 | (uint32_t)(at - digits);
        have += 6;
        if (have >= 8) {
            if (len == size)
                return false;
            have -= 8;
            dst[len++] = (char)(bits >> have & 0xff);
        }
    }
    *ret_len = len;
    return true;
}

static bool parse_cursor(struct str cursor, struct page *page, struct err *err) {
    char plain[PAGE_KEY_MAX + 64];
    size_t len;
    struct str rest, list;

    if (!base64url_decode(cursor, plain, sizeof(plain), &len))
        return err_set(err, ERR_VALIDATION, "cursor: not one that this list gave");
    rest = str_of(plain, len);
    if (!str_cut(&rest, ':', &list) || !str_equal(list, str_from(page->list)) || rest.len == 0 ||
        rest.len > PAGE_KEY_MAX || memchr(rest.ptr, '\0', rest.len))
        return err_set(err, ERR_VALIDATION, "cursor: not one that this list gave");
    memcpy(page->after, rest.ptr, rest.len);
    page->after[rest.len] = '\0';
    return true;
}

bool page_parse(const struct request *r, const char *list, struct page *ret_page, struct err *err) {
    struct page page = {.list = list, .limit = PAGE_LIMIT_DEFAULT};
    struct str text;
    uint64_t limit;

    if (request_query(r, "limit", &text)) {
        if (!str_parse_u64(text, &limit) || limit < 1 || limit > PAGE_LIMIT_MAX)
            return err_set(err, ERR_VALIDATION, "limit: must be 1 to %d", PAGE_LIMIT_MAX);
        page.limit = (int)limit;
    }
    if (request_query(r, "cursor", &text) && !parse_cursor(text, &page, err))
        return false;
    *ret_page = page;
    return true;
}

/* Room for the cursor behind a key. */
enum { CURSOR_SIZE = (PAGE_KEY_MAX + 64) * 4 / 3 + 4 };

static void make_cursor(const struct page *page, const char *key, char cursor[CURSOR_SIZE]) {
    char plain[PAGE_KEY_MAX + 64];

    snprintf(plain, sizeof(plain), "%s:%s", page->list, key);
    base64url_encode(str_from(plain), cursor);
}

json_t *page_json(const struct page *page, json_t *items_taken,
                  const char *(*key_of)(const json_t *item)) {
    json_t *next = json_null();

    if (json_array_size(items_taken) > (size_t)page->limit) {
        char cursor[CURSOR_SIZE];

        json_array_remove(items_taken, (size_t)page->limit);
        make_cursor(page, key_of(json_array_get(items_taken, (size_t)page->limit - 1)), cursor);
        next = json_string(cursor);
    }
    return json_pack("{s:o, s:o}", "items", items_taken, "next_cursor", next);
}

bool page_whole(const struct request *r, const char *list, struct reply *reply, json_t *items_taken,
                struct err *err) {
    size_t all = json_array_size(items_taken), first, count = all;
    char cursor[CURSOR_SIZE], key[24];
    json_t *next = json_null(), *items;
    struct page page;
    uint64_t skip = 0;
    struct str text;

    if (!page_parse(r, list, &page, err) ||
        (page.after[0] && !str_parse_u64(str_from(page.after), &skip) &&
         !err_set(err, ERR_VALIDATION, "cursor: not one that this list gave"))) {
        json_decref(items_taken);
        return false;
    }
    first = skip < all ? (size_t)skip : all;
    count -= first;
    if ((request_query(r, "limit", &text) || page.after[0]) && count > (size_t)page.limit) {
        count = (size_t)page.limit;
        snprintf(key, sizeof(key), "%zu", first + count);
        make_cursor(&page, key, cursor);
        next = json_string(cursor);
    }
    items = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append(items, json_array_get(items_taken, first + i));
    json_decref(items_taken);
    reply_json(reply, 200, json_pack("{s:o, s:o}", "items", items, "next_cursor", next));
    return true;
}

static void put(struct buf *text, const char *more) {
    struct err err = ERR_INIT;

    if (!buf_append(text, str_from(more), &err))
        abort(); /* ours, as in etag_close() */
}

void page_text_next(struct buf *text) {
    put(text, text->len == 0 ? "{\"items\":[" : ",");
}

void page_text_end(struct buf *text, const struct page *page, const char *last_key,
                   struct reply *reply) {
    char cursor[CURSOR_SIZE] = "";

    if (text->len == 0)
        put(text, "{\"items\":[");
    put(text, "],\"next_cursor\":");
    if (last_key)
        make_cursor(page, last_key, cursor);
    put(text, last_key ? "\"" : "null");
    put(text, cursor);
    put(text, last_key ? "\"}" : "}");
    reply_json_text(reply, 200, text);
}
