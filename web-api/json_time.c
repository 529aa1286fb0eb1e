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
    struct tm tm = {0};
    int ms = 0, used = 0;

    if (!text || strlen(text) != strlen("2026-11-20T09:54:00.123Z") ||
        sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms, &used) != 7 ||
        text[used] != '\0' || used == 0)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *ret_wall_ms = (int64_t)timegm(&tm) * 1000 + ms;
    return true;
}
