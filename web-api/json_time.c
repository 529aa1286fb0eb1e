#include "web-api/json_time.h"

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

    return text && clock_parse_rfc3339(text, ret_wall_ms);
}
