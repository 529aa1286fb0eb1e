/* rdb_story.h - a snapshot read to its end, or to where it stops, told as text.
 *
 * So that two ways of reading it can be compared whole. For tests; pure.
 */
#pragma once

#include "proto/base/buf.h"
#include "proto/rdb/rdb_parser.h"

struct rdb_story {
    struct buf text; /* one line per event; buf_done() it */
    enum rdb_pull last;
    struct err err; /* when last is RDB_WRONG */
    size_t events, keys;
    enum rdb_checksum checksum;
};

/* Read `file`, of which `step` more bytes arrive each time the parser asks, on
 * from `mark` (NULL: from the start). Every view is a copy of its exact size, so
 * that a sanitizer sees a read past it. */
struct rdb_story rdb_story_from(struct str file, size_t step, const struct rdb_mark *mark);

/* The same with the whole file there at once. */
struct rdb_story rdb_story_of(struct str file);

/* Assert that `file`, which is a good one, tells the same story in pieces of any
 * size, and that every prefix tells the beginning of it and then asks for more. */
void rdb_story_in_pieces(struct str file);

/* A file of magic, `records`, EOF and, where the version has one, a right checksum. */
struct buf rdb_story_file(const char *magic, struct str records);

/* The same with one key named "key" in database 5. */
struct buf rdb_story_key(const char *magic, uint8_t type, struct str value);
