#include "proto/command/command_time.h"

#include "proto/command/held_expiry.h"

bool command_time_resolve(struct str text, enum command_time time, uint64_t receipt_ms, bool held,
                          uint64_t *ret_at_ms, struct err *err) {
    bool seconds = time == COMMAND_TIME_EX || time == COMMAND_TIME_EXAT;
    bool relative = time == COMMAND_TIME_EX || time == COMMAND_TIME_PX;
    int64_t number;
    uint64_t at_ms;

    if (!str_parse_i64(text, &number) || number <= 0)
        return err_set(err, ERR_PROTOCOL, "its expiry is no positive number");
    at_ms = (uint64_t)number;
    if ((seconds && __builtin_mul_overflow(at_ms, 1000, &at_ms)) ||
        (relative && __builtin_add_overflow(at_ms, receipt_ms, &at_ms)) ||
        at_ms > (uint64_t)INT64_MAX)
        return err_set(err, ERR_PROTOCOL, "its expiry is beyond all range");
    if (held && !held_expiry_hold(at_ms, &at_ms))
        return err_set(err, ERR_COMMAND_REFUSED,
                       "an expiry between the years 2160 and 2248 cannot be held; a job with "
                       "expiry \"exact\" could carry it");
    *ret_at_ms = at_ms;
    return true;
}
