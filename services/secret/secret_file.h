/* secret_file.h - a password that a file holds, read when it is needed.
 *
 * I/O. The file lies below KEYFERRY_SECRETS_DIR and may be replaced at any time: it is read
 * before each connect, so whoever rotates a password writes a file and nothing else. No link
 * is followed.
 */
#pragma once

#include "proto/base/attrs.h"
#include "proto/base/err.h"
#include "services/secret/secret.h"

enum { SECRET_FILE_MAX = 4096 };

/* `name` as endpoint.h takes it: parts between slashes, none of them ".." . The line's end behind
 * the password is not part of it.
 * Errors: CONFIG (`dir` is empty), IO (names the file and the cause), TOO_BIG. */
MUST_CHECK bool secret_file_read(const char *dir, const char *name, struct secret *ret,
                                 struct err *err);
