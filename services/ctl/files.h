/* files.h - the few things the command line does with small files and folders.
 *
 * Paths are NUL-terminated. What is written is complete or absent: a temporary
 * name, fsync, rename.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

/* printf into a path. Errors: TOO_BIG. */
MUST_CHECK bool files_path(char *dst, size_t dst_size, struct err *err, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* Make one directory; *ret_made (may be NULL) says whether it was not there.
 * An existing directory keeps its mode. Errors: IO. */
MUST_CHECK bool files_make_dir(const char *path, mode_t mode, bool *ret_made, struct err *err);

/* Errors: IO. */
MUST_CHECK bool files_write(const char *path, struct str content, mode_t mode, struct err *err);

/* Read a small file, NUL behind; *ret_len is its length. NOT_FOUND when it is
 * not there, TOO_BIG when it does not fit, IO. */
MUST_CHECK bool files_read(const char *path, char *dst, size_t dst_size, size_t *ret_len,
                           struct err *err);

/* Remove a tree that lies below a directory of ours; links are not followed. Not
 * being there is fine. Errors: IO. */
MUST_CHECK bool files_remove_tree(const char *path, struct err *err);

/* May a user without other groups reach `path` (absolute)? When not, *ret_where
 * (borrowed buffer of the caller) names the first directory that is closed. */
bool files_reachable(const char *path, uid_t uid, gid_t gid, char *ret_where, size_t where_size);
