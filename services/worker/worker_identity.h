/* worker_identity.h - who this worker is, also after it was killed.
 *
 * A worker that comes back must know the leases it held, and nobody may come back as
 * somebody who is still there. So an identity is a file of the spool directory
 * that holds a random id, and being that worker is holding its lock. Every child
 * holds the lock too (it inherits the open file), so an identity is free only when
 * the last child of the former owner is gone: two writers of one spool cannot be.
 *
 * Several workers may share a spool directory: each takes the first free identity.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "proto/base/err.h"

enum { WORKER_IDENTITY_ID_SIZE = 40, WORKER_IDENTITY_SLOTS = 64 };

struct worker_identity {
    char id[WORKER_IDENTITY_ID_SIZE]; /* "worker_<ULID>" */
    char spool_dir[400];              /* of this identity, below the common one; exists */
    int lock_fd;                      /* to hand to children */
};

#define WORKER_IDENTITY_INIT ((struct worker_identity){.lock_fd = -1})

/* Take one below `spool_dir` (made with mode 0700 when missing). Where the owner of
 * an identity is dead but a child of it is not yet, waits for that, at most 3 s.
 * Errors: CONFIG (the directory cannot be used, or all are taken), IO. */
MUST_CHECK bool worker_identity_take(const char *spool_dir, struct worker_identity *ret,
                                     struct err *err);

void worker_identity_drop(struct worker_identity *identity);
