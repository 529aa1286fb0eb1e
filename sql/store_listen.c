#include "sql/store_listen.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/store_private.h"

enum { PAUSE_FIRST_MS = 50, PAUSE_MAX_MS = 2000 };

struct store_listen {
    PGconn *conn; /* NULL while there is none */
    char *url, *application;
    int64_t next_ms, pause_ms; /* as in store */
};

static void disconnect(struct store_listen *l) {
    PQfinish(l->conn);
    l->conn = NULL;
}

static bool connect_now(struct store_listen *l, struct err *err) {
    l->conn = store_connect(l->url, l->application, err);
    if (l->conn && store_run(l->conn,
                             "LISTEN " STORE_CHANNEL_JOB "; LISTEN " STORE_CHANNEL_PRECHECK
                             "; LISTEN " STORE_CHANNEL_WORKER,
                             STORE_ANSWER_MS, "listening", err)) {
        l->pause_ms = PAUSE_FIRST_MS;
        return true;
    }
    disconnect(l);
    l->next_ms = store_mono_ms() + l->pause_ms;
    l->pause_ms = l->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : l->pause_ms * 2;
    return false;
}

bool store_listen_open(const char *url, const char *application, struct store_listen **ret_listen,
                       struct err *err) {
    struct store_listen *l = calloc(1, sizeof(*l));

    if (!l)
        abort();
    l->url = strdup(url);
    l->application = strdup(application);
    if (!l->url || !l->application)
        abort();
    l->pause_ms = PAUSE_FIRST_MS;
    if (!connect_now(l, err)) {
        store_listen_close(l);
        return false;
    }
    *ret_listen = l;
    return true;
}

void store_listen_close(struct store_listen *l) {
    if (!l)
        return;
    disconnect(l);
    explicit_bzero(l->url, strlen(l->url));
    free(l->url);
    free(l->application);
    free(l);
}

int store_listen_fd(const struct store_listen *l) {
    return l->conn ? PQsocket(l->conn) : -1;
}

/* The next note already here. The first read after the server died still succeeds and
 * brings its farewell; the status tells. */
static bool take_note(struct store_listen *l, struct store_wake *ret_wake) {
    PGnotify *note;

    if (!PQconsumeInput(l->conn) || PQstatus(l->conn) != CONNECTION_OK) {
        disconnect(l);
        return false;
    }
    note = PQnotifies(l->conn);
    if (!note)
        return false;
    ret_wake->kind = STORE_WAKE_NOTE;
    snprintf(ret_wake->channel, sizeof(ret_wake->channel), "%s", note->relname);
    snprintf(ret_wake->id, sizeof(ret_wake->id), "%s", note->extra);
    PQfreemem(note);
    return true;
}

/* Wait for bytes, or out the pause before the next attempt. False when the time is over. */
static bool wait_more(struct store_listen *l, int64_t until_ms) {
    int64_t now_ms = store_mono_ms(), left_ms = until_ms - now_ms;
    struct pollfd fd = {.fd = store_listen_fd(l), .events = POLLIN};

    if (left_ms <= 0)
        return l->conn && poll(&fd, 1, 0) > 0;
    if (!l->conn && l->next_ms - now_ms < left_ms)
        left_ms = l->next_ms > now_ms ? l->next_ms - now_ms : 0;
    poll(&fd, l->conn ? 1 : 0, (int)left_ms);
    return true;
}

void store_listen_next(struct store_listen *l, int timeout_ms, struct store_wake *ret_wake) {
    int64_t until_ms = store_mono_ms() + timeout_ms;
    struct err ignored = ERR_INIT;

    *ret_wake = (struct store_wake){.kind = STORE_WAKE_NONE};
    do {
        if (l->conn && take_note(l, ret_wake))
            return;
        if (!l->conn && store_mono_ms() >= l->next_ms && connect_now(l, &ignored)) {
            ret_wake->kind = STORE_WAKE_LOST;
            return;
        }
    } while (wait_more(l, until_ms));
}
