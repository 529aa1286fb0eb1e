/* page.h - lists in pieces: ?limit= and ?cursor=. Pure.
 *
 * A cursor is opaque to clients: the name of the list and the key of the last
 * item shown, base64url. The name keeps a cursor of one list from steering
 * another.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "web-api/reply.h"
#include "web-api/request.h"

enum { PAGE_LIMIT_DEFAULT = 50, PAGE_LIMIT_MAX = 200, PAGE_KEY_MAX = 96 };

struct page {
    const char *list; /* its name, a literal */
    int limit;
    char after[PAGE_KEY_MAX + 1]; /* "" = from the beginning */
};

/* Read both parameters. Errors: VALIDATION names the parameter. */
MUST_CHECK bool page_parse(const struct request *r, const char *list, struct page *ret_page,
                           struct err *err);

/* {"items": [...], "next_cursor": ...}. Takes `items` over. The caller asked for
 * one item more than page->limit: when it is there it is taken off again and the
 * cursor stands behind the one before it, whose key `key_of` tells (pointing into
 * the item). */
json_t *page_json(const struct page *page, json_t *items_taken,
                  const char *(*key_of)(const json_t *item));

/* Answer with a list that is made as a whole: all of it, or the piece that is asked for. Takes
 * `items` over, also on failure. Errors: VALIDATION. */
MUST_CHECK bool page_whole(const struct request *r, const char *list, struct reply *reply,
                           json_t *items_taken, struct err *err);

/* The same page as text, for long lists of large items: page_text_next(), then the item's own text,
 * and so on. `text` is empty at first and used up at the end; last_key is that of the last item
 * shown when there are more, else NULL. */
void page_text_next(struct buf *text);
void page_text_end(struct buf *text, const struct page *page, const char *last_key,
                   struct reply *reply);
