/* alerter.h - the process that looks at the rules and delivers what is to be told.
 *
 * Not pure. Several may run: one of them has the turn, and keeps it for as long as it looks; when
 * it says nothing for five seconds another takes it. A look is one transaction and reads all it
 * needs from the database, so whoever is next goes on where the last one was.
 * An alert and the notices of it are written in that transaction. Deliveries are claimed one by
 * one and belong to nobody for longer than an attempt.
 */
#pragma once

#include "services/alert/alert_eye.h"
#include "services/alert/webhook_schedule.h"
#include "services/common/config.h"
#include "services/common/ulid.h"
#include "services/net/egress.h"
#include "services/secret/keyring_file.h"
#include "sql/store_webhook.h"

struct alerter {
    struct store *store;
    struct keyring_file keys;
    const struct config *config;
    const struct egress *egress;
    struct webhook_schedule schedule;
    char id[ULID_ID_SIZE]; /* of this process */
    bool is_acting;        /* the last look was ours, not another alerter's */
};

/* Look at everything once. Errors: STORE and what sql/ names. */
MUST_CHECK bool alerter_watch(struct alerter *a, struct err *err);

/* Give the turn away. */
void alerter_leave(struct alerter *a);

/* ---- delivering (alerter_send.c) ---- */

struct alerter_sender;

/* Errors: INTERNAL. */
MUST_CHECK bool alerter_sender_new(struct alerter *a, struct alerter_sender **ret, struct err *err);
/* What is in flight is dropped: its claim runs out and it is sent again. NULL is fine. */
void alerter_sender_free(struct alerter_sender *s);

/* Take what is due, as far as there is room. Errors: STORE. */
MUST_CHECK bool alerter_sender_claim(struct alerter_sender *s, struct err *err);

enum { ALERTER_WAKES = 2 };

/* Let what is in flight go on, for at most timeout_ms or until one of `wake_fds` is readable (-1 =
 * none); write down what has ended. Errors: STORE (what could not be written down is sent again).
 */
MUST_CHECK bool alerter_sender_run(struct alerter_sender *s, int timeout_ms,
                                   const int wake_fds[ALERTER_WAKES], struct err *err);
