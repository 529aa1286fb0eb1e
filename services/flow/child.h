/* child.h - how a supervisor and a child of it talk.
 *
 * A child is this program again, executed as `keyferry-worker --child DUTY` with
 * four descriptors at fixed numbers and nothing else: no database, no secret in
 * arguments or environment. One SOCK_SEQPACKET message is one JSON object with a
 * member "type".
 *
 *   supervisor -> child
 *     {"type":"spec", ...}         first message: see task_spec.h for its members
 *     {"type":"credentials", "username":…, "password":…, "error":…}
 *                                  answer to the request of the same name
 *     {"type":"full_sync_answer", "allowed":bool, "retry_after_ms":n}
 *   child -> supervisor
 *     {"type":"credentials", "end":"source"|"destination"}   before each connect
 *     {"type":"full_sync", "reason":…}      receive asks before it makes the source fork
 *     {"type":"position", "state":"none|copy|tail|done|stopped", "replid":…, "offset":n,
 *      "db":n, "generation":n, "epoch":n, "lease":n, "seq":n}    apply, after each claim
 *     {"type":"start", "position":…}        supervisor relays it to receive
 *     {"type":"copied"}, {"type":"caught_up"}, {"type":"settled"}, {"type":"done"}
 *     {"type":"facts", "end":…, "product":…, "version":…}
 *     {"type":"error", "code":slug, "detail":…}   then it exits with 1
 *     {"type":"check", "item":{…}} and {"type":"check_done", …}   from `check`
 *
 * A child exits 0 when it did what was wanted and 1 after an error message; any
 * other end is a crash. When the other side of the socket is gone the child
 * exits at once.
 */
#pragma once

#include <jansson.h>

#include "proto/base/err.h"

/* Descriptors of a child. */
enum {
    CHILD_FD_SOCKET = 3,       /* SOCK_SEQPACKET to the supervisor */
    CHILD_FD_CONTROL = 4,      /* memfd of struct control_block */
    CHILD_FD_APPLY_BELL = 5,   /* eventfd that wakes apply */
    CHILD_FD_RECEIVE_BELL = 6, /* eventfd that wakes receive */
    CHILD_FD_COUNT = 7,
};

enum { CHILD_MESSAGE_MAX = 192 * 1024 };

/* Send one object; the reference stays the caller's. Blocks at most until the
 * peer takes it (queues are small and both sides read often).
 * Errors: CLOSED, TOO_BIG, IO. */
MUST_CHECK bool child_send(int fd, const json_t *message, struct err *err);

/* Receive one object: *ret_message is a new reference, or NULL when none is there
 * within timeout_ms (0 = only look).
 * Errors: CLOSED (the peer is gone), PROTOCOL, IO. */
MUST_CHECK bool child_receive(int fd, int timeout_ms, json_t **ret_message, struct err *err);

/* The sentence of a failing child: {"type":"error",...}. Failing to send it is no
 * failure: the supervisor sees the exit. */
void child_send_error(int fd, const struct err *why);
