/* output_log.h - the file that a process we started writes its output to.
 *
 * DIR/log/NAME.log, opened for appending and handed to the process as its stdout
 * and stderr. The writer never opens it again, so it is kept small by copying it
 * to NAME.log.1 and emptying it in place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/base/attrs.h"
#include "proto/base/err.h"

enum { OUTPUT_LOG_BYTES_MAX = 32 << 20 };

struct output_log {
    char path[600];
    int fd; /* -1 = not open */
};

#define OUTPUT_LOG_INIT ((struct output_log){.fd = -1})

/* DIR/log exists. Errors: IO, TOO_BIG. */
MUST_CHECK bool output_log_open(struct output_log *log, const char *dir, const char *name,
                                struct err *err);
void output_log_close(struct output_log *log);

/* Cheap when the file is small: call it now and then. A failure leaves it as it is. */
void output_log_trim(struct output_log *log);

/* The last line that holds `word` (NULL = any) from byte `from` on, printable; ""
 * when there is none. */
void output_log_last(const struct output_log *log, off_t from, const char *word, char *dst,
                     size_t dst_size);
