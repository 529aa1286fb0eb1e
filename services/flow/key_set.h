/* key_set.h - which keys a snapshot has, without keeping them: for the sweep.
 *
 * One file `keys` in the spool, eight bytes a key: a keyed hash of database and name. It
 * only grows while the snapshot is copied; a key may stand there twice. To be looked up in, it
 * is copied to a file without a name, and that is sorted in the page cache: who is killed while
 * hashes change places leaves all of them to the next life. Two keys share a hash once in 2^64
 * pairs and nobody can make them do so: a stale key that meets another one's hash would stay.
 *
 * A file of a generation holds at least the keys before its mark, if this machine has
 * been up since: it is written before the unit and not flushed to the disk.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "proto/base/str.h"

enum { KEY_SET_BUFFERED = 8192 };

struct key_set {
    int fd; /* -1 = not open */
    uint64_t key[2];
    unsigned used;
    uint64_t buffer[KEY_SET_BUFFERED];
    uint64_t *sorted; /* the file's hashes, mapped; NULL: there are none */
    uint64_t count;
};

void key_set_init(struct key_set *set);
void key_set_close(struct key_set *set); /* fine on one that is not open */

/* Begin one for `generation`, in place of any other. Errors: IO. */
MUST_CHECK bool key_set_create(struct key_set *set, int dir_fd, uint64_t generation,
                               struct err *err);

/* Go on with the one of `generation`. Errors: SPOOL_CORRUPT (it is not there, of another
 * generation, or this machine went down since); IO. */
MUST_CHECK bool key_set_resume(struct key_set *set, int dir_fd, uint64_t generation,
                               struct err *err);

/* Errors: IO. Nothing is sure to be in the file before key_set_flush(). */
MUST_CHECK bool key_set_add(struct key_set *set, int database, struct str key, struct err *err);
MUST_CHECK bool key_set_flush(struct key_set *set, struct err *err);

/* No key comes any more. Takes the file's room once more, until the set is closed.
 * Errors: IO; SPOOL_CORRUPT (the file was cut). */
MUST_CHECK bool key_set_sort(struct key_set *set, int dir_fd, struct err *err);
bool key_set_has(const struct key_set *set, int database, struct str key);

/* Take the file away. */
void key_set_remove(int dir_fd);
