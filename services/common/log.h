/* log.h - one line per event on standard error.
 *
 *     ts=2026-11-20T09:54:00.123Z level=info event=flow.caught-up job=job_… lag_bytes=812
 *
 * or the same as a JSON object. An event has a stable id and fields; who and
 * which job is context, set once per thread. Customers' keys, values and
 * passwords never reach a line; errors do, as their slug and their story. One line
 * is one write(2), so processes may share a descriptor. Threads may log at once.
 */
#pragma once

#include <stdint.h>

#include "proto/base/err.h"
#include "proto/base/str.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
    const char *name;
    enum { LOG_IS_TEXT, LOG_IS_STR, LOG_IS_INT, LOG_IS_ERR } is;
    const char *text;      /* LOG_IS_TEXT; NULL leaves the field out */
    struct str str;        /* LOG_IS_STR: any bytes, written escaped */
    int64_t number;        /* LOG_IS_INT */
    const struct err *err; /* LOG_IS_ERR: writes code= and error= */
};

#define LOG_TEXT(field_name, value)                                                                \
    ((struct log_field){.name = (field_name), .is = LOG_IS_TEXT, .text = (value)})
#define LOG_STR(field_name, value)                                                                 \
    ((struct log_field){.name = (field_name), .is = LOG_IS_STR, .str = (value)})
#define LOG_INT(field_name, value)                                                                 \
    ((struct log_field){.name = (field_name), .is = LOG_IS_INT, .number = (int64_t)(value)})
#define LOG_ERR(value) ((struct log_field){.name = "error", .is = LOG_IS_ERR, .err = (value)})

/* Before the first line; default is logfmt, info. */
void log_init(enum log_format format, enum log_level lowest);

/* From the settings log_format and log_level as config checked them. */
void log_init_text(const char *format, const char *level);

/* Where lines go; default is descriptor 2. */
void log_to(int fd);

/* Add `name=value` to every further line of this thread; a NULL or empty value
 * takes it away. At most LOG_CONTEXT_MAX names; values are cut at 63 bytes. */
enum { LOG_CONTEXT_MAX = 8 };
void log_context(const char *name, const char *value);

/* Log an event with at least one field:
 *     log_event(LOG_LEVEL_INFO, "worker.claimed", LOG_INT("epoch", epoch));
 * An event's id is part of the contract with whoever reads logs: `part.what-happened`. */
#define log_event(level, event, ...)                                                               \
    log_write((level), (event), (const struct log_field[]){__VA_ARGS__},                           \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count);

/* Log an event that needs no field. */
void log_plain(enum log_level level, const char *event);
