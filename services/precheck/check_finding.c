#include <stdarg.h>
#include <stdio.h>

#include "services/precheck/check_run.h"

#define SET_RESULT(function, outcome)                                                              \
    bool function(struct check_finding *f, const char *fmt, ...) {                                 \
        va_list args;                                                                              \
                                                                                                   \
        va_start(args, fmt);                                                                       \
        f->result = (outcome);                                                                     \
        vsnprintf(f->message, sizeof(f->message), fmt, args);                                      \
        va_end(args);                                                                              \
        return true;                                                                               \
    }

SET_RESULT(check_pass, CHECK_PASSED)
SET_RESULT(check_warn, CHECK_WARNED)
SET_RESULT(check_fail, CHECK_FAILED)
SET_RESULT(check_skip, CHECK_SKIPPED)

#define SET_TEXT(function, field)                                                                  \
    void function(struct check_finding *f, const char *fmt, ...) {                                 \
        va_list args;                                                                              \
                                                                                                   \
        va_start(args, fmt);                                                                       \
        vsnprintf(f->field, sizeof(f->field), fmt, args);                                          \
        va_end(args);                                                                              \
    }

SET_TEXT(check_observed, observed)
SET_TEXT(check_threshold, threshold)
SET_TEXT(check_remedy, remedy)

const char *check_bytes(int64_t bytes, char dst[32]) {
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < LENGTH_OF(units)) {
        value /= 1024;
        unit++;
    }
    snprintf(dst, 32, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return dst;
}
