#include "services/common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

bool clock_parse_rfc3339(const char *text, int64_t *ret_wall_ms) {
    char shown[CLOCK_RFC3339_SIZE], whole[CLOCK_RFC3339_SIZE];
    struct tm tm = {0};
    int ms = 0;
    int64_t wall_ms;

    if (strlen(text) > strlen("2026-11-20T09:54:00.123Z"))
        return false;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms) < 6)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    wall_ms = (int64_t)timegm(&tm) * 1000 + ms;
    /* What was read must be what it says: the 30th of February is not the 2nd of March. */
    clock_rfc3339(wall_ms, shown);
    snprintf(whole, sizeof(whole), "%.19s.000Z", shown);
    if (strcmp(text, shown) != 0 &&
        (ms != 0 || strlen(text) != 20 || strncmp(text, whole, 19) != 0 || text[19] != 'Z'))
        return false;
    *ret_wall_ms = wall_ms;
    return true;
}
