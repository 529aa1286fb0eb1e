/* etag.h - entity tags: "<version>.<digest>". Pure.
 *
 * The digest changes with everything an answer shows, so If-None-Match never
 * hides progress. The version changes only with what a person can change, and
 * If-Match compares nothing else, so progress alone never makes a write stale.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buf.h"
#include "proto/base/str.h"

enum { ETAG_SIZE = 96 };

/* The tag, quotes included, of an answer's bytes. */
void etag_format(struct str bytes, int64_t version, char dst[ETAG_SIZE]);

/* Give `body` the member `etag`, of what it holds now. */
void etag_add(json_t *body, int64_t version);

/* The same for a body that is text already: the object from byte `begin` on, which is not empty,
 * gets that member. ret_tag gets its value, too; NULL is fine. */
void etag_close(struct buf *text, size_t begin, int64_t version, char ret_tag[ETAG_SIZE]);

/* Does an If-Match header allow to write at this version? "*" always does; weak
 * tags never do (RFC 9110). */
bool etag_names_version(struct str header, int64_t version);

/* Does an If-None-Match header name this tag, or everything? W/ is passed over. */
bool etag_is_named(struct str header, const char *tag);
