#include "services/common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t us_of(clockid_t id) {
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_mono_us(void) {
    return us_of(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void) {
    return clock_mono_us() / 1000;
}

#ifdef KF_FAULTS
/* How wrong a test wants the clock to be. */
static int64_t skew_us(void) {
    const char *text = getenv("KEYFERRY_TEST_CLOCK_SKEW_MS");

    return text ? strtoll(text, NULL, 10) * 1000 : 0;
}
#else
static int64_t skew_us(void) {
    return 0;
}
#endif

int64_t clock_wall_us(void) {
    return us_of(CLOCK_REALTIME) + skew_us();
}

int64_t clock_wall_ms(void) {
    return clock_wall_us() / 1000;
}

void clock_rfc3339(int64_t wall_ms, char dst[CLOCK_RFC3339_SIZE]) {
    const int64_t last = 253402300799999; /* 9999-12-31T23:59:59.999Z */
    int64_t ms = wall_ms < 0 ? 0 : wall_ms > last ? last : wall_ms;
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char text[24];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(dst, CLOCK_RFC3339_SIZE, "%s.%03dZ", text, (int)(ms % 1000));
}
