/* import_file.h - a snapshot file of the import directory as a source.
 *
 * I/O. A name never leads out of the directory: it is walked part by part without
 * following a symbolic link, and only a regular file is opened. A file that is written or
 * cut short while it is mapped may end the process (SIGBUS); the next look at it then
 * says so in words.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "proto/rdb/rdb.h"

enum { IMPORT_FILE_DATABASES = 256 };

struct import_file {
    int fd;
    uint64_t size; /* bytes */
    /* The same as long as nothing was written to it; 40 characters. */
    char identity[41];
};

#define IMPORT_FILE_INIT ((struct import_file){.fd = -1})

/* What stands in a snapshot. */
struct import_facts {
    enum rdb_vendor vendor;
    int rdb_version;
    char server_version[32]; /* of the server that wrote it; "" = it did not say */
    uint64_t keys, keys_of[IMPORT_FILE_DATABASES];
    uint64_t bytes; /* from the magic through the checksum; what follows is not of it */
    bool is_whole;  /* it was read to its end, and its checksum is right or absent */
};

/* Open `name`, which endpoint_set_file() took, below `dir` (NULL or "" = none is set).
 * Errors: CONFIG (dir); SOURCE_FILE (missing, no regular file, not readable, empty). */
MUST_CHECK bool import_file_open(const char *dir, const char *name, struct import_file *ret,
                                 struct err *err);
void import_file_close(struct import_file *file);

/* Is it still what was opened? Errors: SOURCE_FILE. */
MUST_CHECK bool import_file_unchanged(const struct import_file *file, struct err *err);

/* Read it all, and say what it holds. `go_on` is asked now and then; when it says no,
 * what was learned so far is returned with is_whole unset.
 * Errors: SOURCE_FILE (damaged or cut short; the story names the offset),
 * RDB_UNSUPPORTED, IO. */
MUST_CHECK bool import_file_check(const struct import_file *file, bool (*go_on)(void *arg),
                                  void *arg, struct import_facts *ret, struct err *err);

/* Read at `offset`; *ret_n is 0 at the end. Errors: IO. */
MUST_CHECK bool import_file_read(const struct import_file *file, uint64_t offset, void *dst,
                                 size_t size, size_t *ret_n, struct err *err);
