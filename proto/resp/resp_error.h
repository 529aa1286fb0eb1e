/* resp_error.h - what a server means by an error reply.
 *
 * Pure; one table (resp_error.def). A server says the kind in the first word and,
 * for the catch-all ERR, only in its sentence; both are rows.
 *
 * Source: redis 2.8 to 8.6 and valkey 8/9, src/server.c (shared.*err) and the
 * commands' own addReplyError texts.
 */
#pragma once

#include "proto/base/err.h"
#include "proto/base/str.h"

enum resp_error {
#define RESP_ERROR_CLASS(symbol, destination_code, source_code) RESP_ERROR_##symbol,
#include "proto/resp/resp_error.def"
#undef RESP_ERROR_CLASS
    RESP_ERROR_COUNT
};

/* The class of the text behind '-'. What no row knows is RESP_ERROR_OTHER. */
enum resp_error resp_error_class(struct str text);

/* What the class is to a writer of the destination, and to a reader of the
 * source. Whether a retry may help is err_retry_class() of it. */
enum err_code resp_error_destination(enum resp_error error);
enum err_code resp_error_source(enum resp_error error);

/* What of the text may be shown and logged. Servers from 5.0 on quote the arguments of a command
 * that they do not know, and those are keys and values, or a password behind AUTH: they are left
 * out. */
struct str resp_error_shown(struct str text);

/* "OOM", "UNKNOWN_COMMAND": the class, for messages. */
const char *resp_error_name(enum resp_error error);
