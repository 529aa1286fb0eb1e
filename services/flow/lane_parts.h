/* lane_parts.h - the halves of a lane: lane.c writes, lane_replies.c judges. Private
 * to them; see lane.h. */
#pragma once

#include "services/flow/lane.h"

/* The replies of a unit and of the gate behind it, in order. */
enum step {
    STEP_QUEUED,
    STEP_EXEC,
    STEP_ELEMENTS,
    STEP_WATCH,
    STEP_HMGET,
    STEP_FIELDS,
    STEP_MULTI,
    STEP_LATE, /* KF_FAULTS only */
};

/* Append WATCH, HMGET and MULTI: the gate before the next unit. Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool lane_put_gate(struct lane *lane, struct buf *out, struct err *err);

/* Write what the connection takes now. Errors: DEST_DOWN. */
MUST_CHECK bool lane_push(struct lane *lane, struct err *err);

/* Take the replies that have come. Errors: as lane_pump. */
MUST_CHECK bool lane_judge(struct lane *lane, struct err *err);
