/* redis_client.h - commands to a server, one answer at a time, never waiting for ever.
 *
 * For what is asked now and then: INFO, a precheck, a heartbeat, settling. The
 * data plane has its own writer over conn.h. RESP2 only. A reply of the server
 * that is an error (-NOPERM ...) is a value, not a failure: a call fails only
 * when there is no reply, and after that the client must be closed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/resp/resp_reader.h"
#include "services/net/conn.h"

enum { REDIS_CLIENT_REPLY_MAX = 64 * 1024 * 1024 };

struct redis_client {
    struct conn *conn; /* NULL = not open */
    struct resp_reader *reader;
    int64_t timeout_ms; /* of each call */
    char label[300];
};

#define REDIS_CLIENT_INIT ((struct redis_client){.conn = NULL})

/* What an error reply means: the first word, and two messages without one. */
enum redis_reply_class {
    REDIS_REPLY_OK, /* not an error */
    REDIS_REPLY_NOAUTH,
    REDIS_REPLY_WRONGPASS, /* also "invalid password", "no password is set" */
    REDIS_REPLY_NOPERM,
    REDIS_REPLY_UNKNOWN_COMMAND,
    REDIS_REPLY_LOADING,
    REDIS_REPLY_BUSY,
    REDIS_REPLY_MASTERDOWN,
    REDIS_REPLY_READONLY,
    REDIS_REPLY_OOM,
    REDIS_REPLY_MISCONF,
    REDIS_REPLY_NOREPLICAS,
    REDIS_REPLY_MOVED,  /* MOVED, ASK, CLUSTERDOWN, CROSSSLOT, TRYAGAIN */
    REDIS_REPLY_DENIED, /* protected mode */
    REDIS_REPLY_MAXCLIENTS,
    REDIS_REPLY_NOSCRIPT,
    REDIS_REPLY_EXECABORT,
    REDIS_REPLY_WRONGTYPE,
    REDIS_REPLY_BUSYKEY,
    REDIS_REPLY_DB_RANGE,    /* "DB index is out of range" */
    REDIS_REPLY_BAD_PAYLOAD, /* RESTORE: version, checksum or format */
    REDIS_REPLY_OTHER,
};

/* Pure: the class of an error reply's text (without the '-'). */
enum redis_reply_class redis_reply_class_of(struct str error_text);

enum redis_side { REDIS_SOURCE, REDIS_DESTINATION };

/* Turn an error reply into an error of the side's codes (SOURCE_NOPERM, DEST_OOM, …); the text
 * is escaped and cut. Returns false. */
bool redis_reply_error(struct str error_text, enum redis_side side, struct err *err);

/* Connect, log in (AUTH when there is a password), SELECT ep->database when named,
 * and say our name (best effort). At most timeout_ms in all; each later call has
 * the same. Errors: those of conn_open; SOURCE_AUTH/DEST_AUTH... by `side`; TIMEOUT; PROTOCOL. */
MUST_CHECK bool redis_client_open(struct redis_client *client, const struct endpoint *ep,
                                  const struct credentials *cred, enum redis_side side,
                                  int64_t timeout_ms, struct err *err);

/* One command, one reply in `arena`.
 * Errors: TIMEOUT, CLOSED, TLS, PROTOCOL, TOO_BIG (REDIS_CLIENT_REPLY_MAX). */
MUST_CHECK bool redis_client_command(struct redis_client *client, const struct str *argv,
                                     size_t argc, struct arena *arena,
                                     const struct resp_value **ret, struct err *err);

/* The same from C strings, closed by NULL. */
MUST_CHECK bool redis_client_call(struct redis_client *client, struct arena *arena,
                                  const struct resp_value **ret, struct err *err, ...)
    __attribute__((sentinel));

struct redis_command {
    const struct str *argv;
    size_t argc;
};

/* Send all, then read all: ret_replies[i] answers commands[i]. Keep it small: the
 * replies are read while the commands are still being written. */
MUST_CHECK bool redis_client_pipeline(struct redis_client *client,
                                      const struct redis_command *commands, size_t count,
                                      struct arena *arena, const struct resp_value **ret_replies,
                                      struct err *err);

/* Fine on a client that never opened; as after REDIS_CLIENT_INIT. */
void redis_client_close(struct redis_client *client);
