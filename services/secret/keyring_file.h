/* keyring_file.h - the master key file as a process follows it: changed keys count without a
 * restart.
 *
 * Not pure, and for one thread: `ring` is written anew in place. To replace a key: add the new one
 * as the last line (where several machines share a database, first as the first line on all of
 * them, so that each can open what another seals), wait until nothing is sealed with the old one
 * any more (reseal.h does that; GET /v1/master-keys tells), and take the old line out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "services/secret/keyring.h"

struct keyring_file {
    struct keyring ring;
    char *path; /* owned; NULL = there is none, and the ring is empty */
    struct {
        dev_t device;
        ino_t inode;
        int64_t size, changed_ns;
    } seen;
    bool is_unread; /* what was seen last could not be used */
};

#define KEYRING_FILE_INIT ((struct keyring_file){.path = NULL})

/* `path` "" = none. Errors: as keyring_open(). */
MUST_CHECK bool keyring_file_open(struct keyring_file *ret, const char *path, struct err *err);

/* Read it again if it is another one than before; *ret_changed (may be NULL) tells whether the
 * keys are others now. A file that cannot be used leaves them as they are, is tried again each
 * time (it may have been this process that had no descriptor or memory), and is an error once.
 * Errors: as keyring_open(). */
MUST_CHECK bool keyring_file_look(struct keyring_file *file, bool *ret_changed, struct err *err);

/* Wipe. Fine on one that never opened. */
void keyring_file_done(struct keyring_file *file);
