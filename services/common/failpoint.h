/* failpoint.h - named places at which a test makes a process die, stand still or fail.
 *
 * Only in builds with KF_FAULTS; in all others every call is nothing. The places are the
 * rows of failpoints.def. KEYFERRY_TEST_FAILPOINTS names a folder; a file NAME in it is an
 * order for the place of that name:
 *
 *     ACTION [PASS [NUMBER]] [keep]        kill 3 = the third pass from now ends the process
 *
 *     kill    SIGKILL to itself            error   the place fails; a system call with EIO
 *     exit    ends with status NUMBER      full    a system call fails with ENOSPC
 *     stop    SIGSTOP to itself            short   a write takes only half of its bytes
 *     sleep   NUMBER milliseconds          tear    half of the bytes, then kill
 *
 * An order is carried out once, by the process that comes first: its file becomes
 * NAME.fired. With `keep` it stays in force until its file is
 * removed. PASS counts the passes of one process since it has seen the order. NAME.passed
 * is made when a place is passed for the first time, whether there is an order or not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/err.h"

enum failpoint_place {
#define FAILPOINT(symbol, name, sentence) FAILPOINT_##symbol,
#include "services/common/failpoints.def"
#undef FAILPOINT
    FAILPOINT_COUNT
};

#ifdef KF_FAULTS

/* Pass a place where nothing can fail: only kill, exit, stop and sleep do something. */
void failpoint_pass(enum failpoint_place place);

/* Pass a place that can be told to fail. Errors: IO. */
MUST_CHECK bool failpoint(enum failpoint_place place, struct err *err);

/* Pass the place before a system call. True: do not make the call, it has failed and errno
 * says how. Else *len, of the bytes to be written, may have become smaller, not 0. */
MUST_CHECK bool failpoint_io(enum failpoint_place place, size_t *len);

#else

static inline void failpoint_pass(enum failpoint_place place) {
    (void)place;
}

MUST_CHECK static inline bool failpoint(enum failpoint_place place, struct err *err) {
    (void)place;
    (void)err;
    return true;
}

MUST_CHECK static inline bool failpoint_io(enum failpoint_place place, size_t *len) {
    (void)place;
    (void)len;
    return false;
}

#endif
