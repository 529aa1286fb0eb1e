#include "web-api/json_time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "services/common/clock.h"

json_t *json_time(int64_t wall_ms) {
    char text[CLOCK_RFC3339_SIZE];

    if (wall_ms == 0)
        return json_null();
    clock_rfc3339(wall_ms, text);
    return json_string(text);
}

bool json_time_parse(const json_t *value, int64_t *ret_wall_ms) {
    const char *text = json_string_value(value);
    char shown[CLOCK_RFC3339_SIZE], whole[CLOCK_RFC3339_SIZE];
    struct tm tm = {0};
    int ms = 0;
    int64_t wall_ms;

    if (!text || strlen(text) > strlen("2026-11-20T09:54:00.123Z"))
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
