/* redis_client.h - commands to a server, one answer at a time, never waiting for ever.
 *
 * For what is asked now and then: INFO, a precheck, a heartbeat, settling. The
 * data plane has its own writer over conn.h. RESP2 only. A reply that is an error
 * (-NOPERM ...) is a value, not a failure: a call fails only when there is no
 * reply, and after that the client can only be closed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/resp/resp_error.h"
#include "proto/resp/resp_reader.h"
#include "services/net/conn.h"
#include "services/redis/redis_info.h"

enum { REDIS_CLIENT_REQUEST_MAX = 64 * 1024 * 1024 };

/* Which end this is: an error reply means other things there. */
enum redis_side { REDIS_SOURCE, REDIS_DESTINATION };

struct redis_client {
    struct conn *conn; /* NULL = not open */
    struct resp_reader *reader;
    int64_t timeout_ms; /* of each call; may be changed */
    enum redis_side side;
    bool auth_joined; /* it logged in with one word, user:password */
    char label[300];
};

#define REDIS_CLIENT_INIT ((struct redis_client){.conn = NULL})

/* Connect (of a group: to whichever is the primary now), log in (AUTH when there is a user name or
 * a password), SELECT ep->database when named, and say our name (best effort). At most timeout_ms
 * in all (<= 0: the endpoint's connect_timeout_ms); each later call has the same. A server from
 * before users had names refuses AUTH with two words; managed ones of that age take user:password
 * as the one word, which is tried then. A server that is loading or busy is opened: the next
 * command will say so. Errors: those of conn_open; SOURCE_AUTH or DEST_AUTH (refused, or a login is
 * demanded, or protected mode); DEST_DB_RANGE, PROTOCOL (SELECT); TIMEOUT; NOT_SUPPORTED_YET (`ep`
 * is a cluster: it is many servers). */
MUST_CHECK bool redis_client_open(struct redis_client *client, const struct endpoint *ep,
                                  const struct credentials *cred, enum redis_side side,
                                  int64_t timeout_ms, struct err *err);

/* The second half of opening, over a connection that is ready: the client owns `conn` in any
 * case. Errors: as above. */
MUST_CHECK bool redis_client_login(struct redis_client *client, struct conn *conn,
                                   const struct endpoint *ep, const struct credentials *cred,
                                   enum redis_side side, int64_t timeout_ms, struct err *err);

/* One command, one reply in `arena`.
 * Errors: TIMEOUT, CLOSED, TLS, PROTOCOL, TOO_BIG. */
MUST_CHECK bool redis_client_command(struct redis_client *client, size_t argc,
                                     const struct str *argv, struct arena *arena,
                                     const struct resp_value **ret, struct err *err);

/* The same from C strings, closed by NULL. */
MUST_CHECK bool redis_client_call(struct redis_client *client, struct arena *arena,
                                  const struct resp_value **ret, struct err *err, ...)
    __attribute__((sentinel));

/* Send what resp_put_* made, `count` commands, and read as many replies into
 * ret_replies. Replies are read while the rest is still being written.
 * Errors: as redis_client_command. */
MUST_CHECK bool redis_client_pipeline(struct redis_client *client, struct str commands,
                                      size_t count, struct arena *arena,
                                      const struct resp_value **ret_replies, struct err *err);

/* INFO, all sections the server gives by default. *ret_refused: the account may not run it,
 * or the server does not know it; *ret is then all unknown.
 * Errors: as redis_client_command; another error reply as redis_client_refused. */
MUST_CHECK bool redis_client_info(struct redis_client *client, struct redis_info *ret,
                                  bool *ret_refused, struct err *err);

/* Turn an error reply into a failure: the code of its class at this end (resp_error.def), the text
 * escaped and cut. Returns false. */
bool redis_client_refused(const struct redis_client *client, const struct resp_value *reply,
                          const char *doing, struct err *err);

/* The same for a reply of another kind than the question has: an error reply as above, else
 * PROTOCOL. Returns false. */
bool redis_client_unexpected(const struct redis_client *client, const struct resp_value *reply,
                             const char *doing, struct err *err);

/* An error reply that tells nothing of what was asked: the destination cannot answer now. */
bool redis_client_not_now(const struct resp_value *reply);

/* Fine on a client that never opened; as after REDIS_CLIENT_INIT. */
void redis_client_close(struct redis_client *client);
