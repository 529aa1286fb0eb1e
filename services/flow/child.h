/* child.h - how a supervisor and a child of it talk.
 *
 * A child is this program again, executed as `keyferry-worker --child DUTY` with
 * five descriptors at fixed numbers and nothing else: no database, no secret in
 * arguments or environment. One SOCK_SEQPACKET message is one JSON object with a
 * member "type".
 *
 *   supervisor -> child
 *     {"type":"spec", ...}         first message: see task_spec.h for its members
 *     {"type":"credentials", "credentials":{…}} or {…, "code":slug, "error":text}
 *                                  answer to the request of the same name; the object
 *                                  is what credentials_from_json() reads
 *     {"type":"full_sync_answer", "allowed":bool, "retry_after_ms":n}
 *     {"type":"go"}                answer to apply's "position" when the spec said
 *                                  claimed_before:false: the control database now knows
 *                                  that a position exists, so that its loss can be told
 *                                  from a first start. Apply writes no data before
 *     {"type":"records_answer", …} to any "records"; to "next" with "replay" (0 = no more),
 *                                  "db" and "payload"
 *     {"type":"start", ...}        to receive, relayed from apply, members as they were
 *   child -> supervisor
 *     {"type":"credentials", "end":"source"|"destination"}   before each connect
 *     {"type":"full_sync", "reason":…, "server":"run id" or ""}
 *                                          receive asks before it makes the source fork
 *     {"type":"position", "state":"none|copy|tail|done|stopped", "replid":…, "offset":n,
 *      "db":n, "generation":n, "epoch":n, "lease":n, "seq":n}    apply, after each claim
 *     {"type":"start", "position":…}        apply, when it knows what receive shall ask
 *                                           for; the supervisor relays it to receive
 *     {"type":"records", "op":"keep", "generation":n, "items":[{"offset","db","command",
 *      "reason","key_hash","payload"}]}     commands left out, payload in hex; and for replays
 *      "op":"next", "after":n  and  "op":"result", "replay":n, "detail":text (refused)
 *     {"type":"copied"}, {"type":"caught_up"}, {"type":"settled"}, {"type":"done"}
 *     {"type":"sealed"}            apply: the cutover has passed the point of no return
 *     {"type":"forgotten"}         apply, of the errand of that name
 *     {"type":"cutover_over", "because":word, "detail":…}   receive gave the cutover up and
 *                                  goes on as before; the source takes writes
 *     {"type":"facts", "end":…, "product":…, "version":…, "run_id":…,
 *      "address":…}            as dialled; of the destination also
 *                                  "maxmemory_policy" and "maxmemory_bytes"
 *     {"type":"error", "code":slug, "detail":…, "lease":n, "sealed":…}   then it exits
 *                                  with 1; "lease" with lease_behind, "sealed" (stopped or
 *                                  done) with sealed: what the destination knows
 *     {"type":"check", "item":{…}} and {"type":"check_done", …}   from `check`
 *
 * A child exits 0 when it did what was wanted and 1 after an error message; any
 * other end is a crash. When the other side of the socket is gone the child
 * exits at once.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "services/net/endpoint.h"

/* Descriptors of a child. */
enum {
    CHILD_FD_SOCKET = 3,       /* SOCK_SEQPACKET to the supervisor */
    CHILD_FD_CONTROL = 4,      /* memfd of struct control_block */
    CHILD_FD_APPLY_BELL = 5,   /* eventfd that wakes apply */
    CHILD_FD_RECEIVE_BELL = 6, /* eventfd that wakes receive */
    CHILD_FD_IDENTITY = 7,     /* the lock of the worker's identity: held, not used */
    CHILD_FD_COUNT = 8,
};

enum { CHILD_MESSAGE_MAX = 192 * 1024 };

/* A connected pair, both ends close-on-exec, with queues that hold at least one
 * message of the largest size. Errors: IO. */
MUST_CHECK bool child_socket_pair(int ret_fds[2], struct err *err);

/* Send one object; the reference stays the caller's. Waits at most timeout_ms for
 * the peer to take what lies before it (0 = only try: the supervisor never waits
 * for a child, which may be stopped). The bytes are wiped: a message may hold a
 * password.
 * Errors: CLOSED, TOO_BIG, TIMEOUT, IO. */
MUST_CHECK bool child_send_within(int fd, const json_t *message, int timeout_ms, struct err *err);

/* The same with the deadline of a child that talks to its supervisor. */
MUST_CHECK bool child_send(int fd, const json_t *message, struct err *err);

/* Receive one object: *ret_message is a new reference, or NULL when none is there
 * within timeout_ms (0 = only look).
 * Errors: CLOSED (the peer is gone), PROTOCOL, IO. */
MUST_CHECK bool child_receive(int fd, int timeout_ms, json_t **ret_message, struct err *err);

/* A child asks and waits for the answer. What comes before it (at most eight messages)
 * is put aside for the next child_receive(); one conversation per process.
 * *ret_answer is a new reference of a message of type `answer_type`.
 * Errors: CLOSED, TIMEOUT (30 s), PROTOCOL (too many others), IO. */
MUST_CHECK bool child_ask(int fd, const json_t *request, const char *answer_type,
                          json_t **ret_answer, struct err *err);

/* Something was put aside: poll(2) on the socket does not tell of it. */
bool child_has_aside(void);

/* What a login at `end` ("source" or "destination") needs, as it is now. *ret is
 * set on success; give it back with credentials_done() right after the login.
 * Errors: as child_ask, or the code the supervisor could not open them with. */
MUST_CHECK bool child_ask_credentials(int fd, const char *end, struct credentials *ret,
                                      struct err *err);

/* The sentence of a failing child: {"type":"error",...}. Failing to send it is no
 * failure: the supervisor sees the exit. */
void child_send_error(int fd, const struct err *why);

/* The same for LEASE_BEHIND and SEALED: the lease, and the state of the seal, that the
 * destination knows. */
void child_send_refused(int fd, const struct err *why, uint64_t lease, const char *sealed);
