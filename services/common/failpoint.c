#include "services/common/failpoint.h"

#ifdef KF_FAULTS

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {
#define FAILPOINT(symbol, name, sentence) name,
#include "services/common/failpoints.def"
#undef FAILPOINT
};

enum action { NOTHING, KILL, EXIT, STOP, SLEEP, FAIL, FULL, SHORT, TEAR, ACTIONS };

static const char *const action_names[ACTIONS] = {"",      "kill", "exit",  "stop", "sleep",
                                                  "error", "full", "short", "tear"};

struct order {
    enum action action;
    unsigned pass, number;
    bool is_kept;
};

/* Of this process, and touched by one thread: only single-threaded programs have places. */
static int folder = -2; /* -2 not looked for yet, -1 there is none */
static unsigned passes[FAILPOINT_COUNT];
static bool is_known[FAILPOINT_COUNT], is_torn[FAILPOINT_COUNT];

static void name_of(enum failpoint_place place, const char *suffix, char dst[80]) {
    snprintf(dst, 80, "%s%s", names[place], suffix);
}

static void leave_file(enum failpoint_place place, const char *suffix) {
    char name[80];
    int fd;

    name_of(place, suffix, name);
    fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static bool is_watched(void) {
    if (folder == -2) {
        const char *path = getenv("KEYFERRY_TEST_FAILPOINTS");

        folder = path && path[0] ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    }
    return folder >= 0;
}

static bool read_order(enum failpoint_place place, struct order *ret) {
    char text[80], word[16] = "", keep[8] = "";
    struct order order = {.action = NOTHING, .pass = 1};
    int fd = openat(folder, names[place], O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return false;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return false; /* it is being written */
    text[n] = '\0';
    /* NOLINTNEXTLINE(cert-err34-c): a wrong number is an order that never fires, which tests see */
    (void)sscanf(text, "%15s %u %u %7s", word, &order.pass, &order.number, keep);
    for (int i = KILL; i < ACTIONS; i++) {
        if (strcmp(word, action_names[i]) == 0)
            order.action = (enum action)i;
    }
    order.is_kept = strcmp(keep, "keep") == 0;
    *ret = order;
    return order.action != NOTHING;
}

/* The action to be carried out now; of several processes one gets it. */
static struct order take_order(enum failpoint_place place) {
    struct order order;
    char fired[80];

    if (!is_watched())
        return (struct order){.action = NOTHING};
    if (is_torn[place])
        return (struct order){.action = KILL};
    if (!is_known[place]) {
        is_known[place] = true;
        leave_file(place, ".passed");
    }
    if (!read_order(place, &order)) {
        passes[place] = 0;
        return (struct order){.action = NOTHING};
    }
    if (++passes[place] < order.pass)
        return (struct order){.action = NOTHING};
    name_of(place, ".fired", fired);
    if (order.is_kept)
        leave_file(place, ".fired");
    else if (renameat(folder, names[place], folder, fired) != 0)
        return (struct order){.action = NOTHING};
    passes[place] = 0;
    return order;
}

/* What needs nothing of the place. */
static enum action carry_out(enum failpoint_place place) {
    struct order order = take_order(place);
    struct timespec pause = {.tv_sec = order.number / 1000,
                             .tv_nsec = (long)(order.number % 1000) * 1000000};

    switch (order.action) {
    case KILL:
        (void)raise(SIGKILL);
        break;
    case EXIT:
        _exit((int)order.number);
    case STOP:
        (void)raise(SIGSTOP);
        break;
    case SLEEP:
        (void)nanosleep(&pause, NULL);
        break;
    default:
        break;
    }
    return order.action;
}

void failpoint_pass(enum failpoint_place place) {
    (void)carry_out(place);
}

bool failpoint(enum failpoint_place place, struct err *err) {
    enum action action = carry_out(place);

    return (action != FAIL && action != FULL) || err_set(err, ERR_IO, "failpoint %s", names[place]);
}

bool failpoint_io(enum failpoint_place place, size_t *len) {
    enum action action = carry_out(place);

    if (action == FAIL || action == FULL) {
        errno = action == FAIL ? EIO : ENOSPC;
        return true;
    }
    if ((action == SHORT || action == TEAR) && *len > 1)
        *len /= 2;
    is_torn[place] = is_torn[place] || action == TEAR;
    return false;
}

#endif
