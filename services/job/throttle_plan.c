#include "services/job/throttle_plan.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/bytes.h"
#include "services/flow/throttle.h"

enum { DAY_MINUTES = 24 * 60, DAYS = 7 };

static const char *const day_names[DAYS] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

/* ---- times ------------------------------------------------------------------------------- */

/* "hh:mm" in minutes, or -1. "24:00" is an end only. */
static int minutes_of(const char *text) {
    int hours, minutes;

    if (!text || strlen(text) != 5 || text[2] != ':' || strspn(text, "0123456789") != 2 ||
        strspn(text + 3, "0123456789") != 2)
        return -1;
    hours = (text[0] - '0') * 10 + text[1] - '0';
    minutes = (text[3] - '0') * 10 + text[4] - '0';
    return minutes < 60 && hours * 60 + minutes <= DAY_MINUTES ? hours * 60 + minutes : -1;
}

/* Minutes east of UTC. */
static bool zone_of(const char *text, int *ret) {
    int minutes;

    if (strcmp(text, "UTC") == 0 || strcmp(text, "Z") == 0) {
        *ret = 0;
        return true;
    }
    minutes = text[0] == '+' || text[0] == '-' ? minutes_of(text + 1) : -1;
    if (minutes < 0 || minutes > 14 * 60)
        return false;
    *ret = text[0] == '-' ? -minutes : minutes;
    return true;
}

static bool has_day(const json_t *days, int day) {
    const json_t *name;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)days, i, name) {
        if (strcmp(json_string_value(name), day_names[day]) == 0)
            return true;
    }
    return false;
}

static bool window_holds(const json_t *window, int64_t wall_ms) {
    int begin = minutes_of(json_string_value(json_object_get(window, "begin")));
    int end = minutes_of(json_string_value(json_object_get(window, "end")));
    const json_t *days = json_object_get(window, "days");
    const char *tz = json_string_value(json_object_get(window, "tz"));
    int64_t local;
    int zone, day, minute;

    if (begin < 0 || end < 0 || !tz || !zone_of(tz, &zone))
        return false;
    local = wall_ms / 60000 + zone;
    day = (int)((local / DAY_MINUTES + 3) % DAYS); /* 1970-01-01 was a Thursday */
    minute = (int)(local % DAY_MINUTES);
    if (end > begin)
        return minute >= begin && minute < end && has_day(days, day);
    return (minute >= begin && has_day(days, day)) ||
           (minute < end && has_day(days, (day + DAYS - 1) % DAYS));
}

/* ---- reading ----------------------------------------------------------------------------- */

static void wrong(struct spec_report *report, size_t i, const char *member, const char *code,
                  const char *detail) {
    char pointer[80];

    snprintf(pointer, sizeof(pointer), "/throttle/schedule/%zu%s", i, member);
    spec_report_add(report, pointer, code, "%s", detail);
}

static json_t *read_days(const json_t *given, size_t i, struct spec_report *report) {
    json_t *days = json_array();

    for (int day = 0; day < DAYS; day++) {
        if (!given || json_is_null(given))
            json_array_append_new(days, json_string(day_names[day]));
    }
    if (!given || json_is_null(given))
        return days;
    for (size_t d = 0; d < json_array_size(given); d++) {
        const char *name = json_string_value(json_array_get(given, d));
        int day = 0;

        while (day < DAYS && (!name || strcmp(name, day_names[day]) != 0))
            day++;
        if (day == DAYS)
            wrong(report, i, "/days", "invalid", "names are mon tue wed thu fri sat sun");
        else if (!has_day(days, day))
            json_array_append_new(days, json_string(name));
    }
    if (json_array_size(days) == 0)
        wrong(report, i, "/days", "invalid", "must be a list of at least one day");
    return days;
}

static void read_limit(const json_t *given, const char *name, json_int_t lowest, const char *phase,
                       json_t *into, size_t i, struct spec_report *report) {
    const json_t *value = json_object_get(given, name);
    char member[60];

    snprintf(member, sizeof(member), "/limits/%s/%s", phase, name);
    if (json_is_integer(value) && json_integer_value(value) >= lowest)
        json_object_set_new(into, name, json_integer(json_integer_value(value)));
    else if (value && !json_is_null(value))
        wrong(report, i, member, "range", "must be a whole number not below the smallest limit");
}

static json_t *read_limits(const json_t *given, size_t i, struct spec_report *report) {
    static const struct {
        const char *phase, *name;
        json_int_t lowest;
    } limits[] = {
        {"full", "source_qps", 1},
        {"full", "rps", 1},
        {"full", "bytes_per_second", 65536},
        {"incremental", "rps", 1},
        {"incremental", "bytes_per_second", 65536},
    };
    json_t *all = json_pack("{s:{}, s:{}}", "full", "incremental");

    for (size_t l = 0; l < LENGTH_OF(limits); l++)
        read_limit(json_object_get(given, limits[l].phase), limits[l].name, limits[l].lowest,
                   limits[l].phase, json_object_get(all, limits[l].phase), i, report);
    return all;
}

static bool has_limit(const json_t *phase) {
    return json_is_true(json_object_get(phase, "enabled")) &&
           (json_is_integer(json_object_get(phase, "rps")) ||
            json_is_integer(json_object_get(phase, "source_qps")) ||
            json_is_integer(json_object_get(phase, "bytes_per_second")));
}

static void read_measure(const json_t *given, const json_t *throttle, json_t *window, size_t i,
                         struct spec_report *report) {
    const json_t *factor = json_object_get(given, "factor"),
                 *limits = json_object_get(given, "limits");

    if ((factor != NULL) == (limits != NULL)) {
        wrong(report, i, "", "invalid", "needs either factor or limits");
    } else if (limits) {
        if (!json_is_object(limits))
            wrong(report, i, "/limits", "type", "must be an object");
        json_object_set_new(window, "limits", read_limits(limits, i, report));
    } else if (!json_is_number(factor) || json_number_value(factor) < 0 ||
               json_number_value(factor) > 1) {
        wrong(report, i, "/factor", "range", "must be a number from 0 to 1");
    } else {
        if (json_number_value(factor) > 0 && !has_limit(json_object_get(throttle, "full")) &&
            !has_limit(json_object_get(throttle, "incremental")))
            wrong(report, i, "/factor", "invalid",
                  "multiplies throttle.full and throttle.incremental, which set no limit; give "
                  "limits instead");
        json_object_set_new(window, "factor", json_real(json_number_value(factor)));
    }
}

static json_t *read_window(const json_t *given, const json_t *throttle, size_t i,
                           struct spec_report *report) {
    static const char *const known[] = {"days", "begin", "end", "tz", "factor", "limits"};
    const json_t *zone = json_object_get(given, "tz");
    const char *begin = json_string_value(json_object_get(given, "begin"));
    const char *end = json_string_value(json_object_get(given, "end"));
    const char *tz = !zone || json_is_null(zone) ? "UTC" : json_string_value(zone), *name;
    json_t *window = json_object(), *value;
    int ignored;

    json_object_foreach((json_t *)(uintptr_t)given, name, value) {
        size_t k = 0;

        while (k < LENGTH_OF(known) && strcmp(name, known[k]) != 0)
            k++;
        if (k == LENGTH_OF(known))
            wrong(report, i, "", "unknown_field",
                  "knows days, begin, end, tz, and factor or limits");
    }
    if (minutes_of(begin) < 0 || minutes_of(begin) == DAY_MINUTES)
        wrong(report, i, "/begin", "invalid", "must be a time like 22:00");
    if (minutes_of(end) < 0)
        wrong(report, i, "/end", "invalid", "must be a time like 06:00");
    if (!tz || !zone_of(tz, &ignored))
        wrong(report, i, "/tz", "invalid", "must be UTC or a distance from it, like +01:00");
    json_object_set_new(window, "days", read_days(json_object_get(given, "days"), i, report));
    json_object_set_new(window, "begin", json_string(begin ? begin : ""));
    json_object_set_new(window, "end", json_string(end ? end : ""));
    json_object_set_new(window, "tz", json_string(tz ? tz : ""));
    read_measure(given, throttle, window, i, report);
    return window;
}

void throttle_plan_read(const json_t *given, json_t *throttle, struct spec_report *report) {
    json_t *schedule = json_array();
    const json_t *window;
    size_t i;

    json_object_set_new(throttle, "schedule", schedule);
    if (!given || json_is_null(given))
        return;
    if (!json_is_array(given) || json_array_size(given) > THROTTLE_WINDOWS_MAX) {
        spec_report_add(report, "/throttle/schedule", "invalid",
                        "must be a list of at most 24 windows");
        return;
    }
    json_array_foreach((json_t *)(uintptr_t)given, i, window) {
        if (json_is_object(window))
            json_array_append_new(schedule, read_window(window, throttle, i, report));
        else
            wrong(report, i, "", "type", "must be an object");
    }
}

/* ---- the limits -------------------------------------------------------------------------- */

static uint64_t limit_of(const json_t *phase, const char *name) {
    json_int_t value = json_integer_value(json_object_get(phase, name));

    return value < 1 ? 0 : (uint64_t)value;
}

static void take_phases(const json_t *full, const json_t *tail, struct throttle_limits *ret) {
    *ret = (struct throttle_limits){
        .full_bytes = limit_of(full, "bytes_per_second"),
        .full_keys = limit_of(full, "rps"),
        .full_source_commands = limit_of(full, "source_qps"),
        .tail_bytes = limit_of(tail, "bytes_per_second"),
        .tail_commands = limit_of(tail, "rps"),
    };
}

static const json_t *enabled(const json_t *throttle, const char *phase) {
    const json_t *limits = json_object_get(throttle, phase);

    return json_is_true(json_object_get(limits, "enabled")) ? limits : NULL;
}

static void multiply(struct throttle_limits *limits, double factor) {
    uint64_t *const all[] = {&limits->full_bytes, &limits->full_keys, &limits->full_source_commands,
                             &limits->tail_bytes, &limits->tail_commands};

    for (size_t i = 0; i < LENGTH_OF(all); i++) {
        if (factor <= 0)
            *all[i] = THROTTLE_HALT;
        else if (*all[i] > 0)
            *all[i] = (uint64_t)((double)*all[i] * factor) + 1;
    }
}

void throttle_plan_at(const json_t *throttle, int64_t wall_ms, struct throttle_limits *ret_limits,
                      int *ret_window) {
    const json_t *window;
    size_t i;

    take_phases(enabled(throttle, "full"), enabled(throttle, "incremental"), ret_limits);
    *ret_window = -1;
    json_array_foreach(json_object_get(throttle, "schedule"), i, window) {
        const json_t *limits = json_object_get(window, "limits");

        if (!window_holds(window, wall_ms))
            continue;
        *ret_window = (int)i;
        if (limits)
            take_phases(json_object_get(limits, "full"), json_object_get(limits, "incremental"),
                        ret_limits);
        else
            multiply(ret_limits, json_number_value(json_object_get(window, "factor")));
        return;
    }
}

void throttle_plan_cap(struct throttle_limits *limits, uint64_t per_second,
                       uint64_t bytes_per_second) {
    uint64_t *const counted[] = {&limits->full_keys, &limits->full_source_commands,
                                 &limits->tail_commands};

    for (size_t i = 0; i < LENGTH_OF(counted); i++)
        *counted[i] = throttle_stricter(*counted[i], per_second);
    limits->full_bytes = throttle_stricter(limits->full_bytes, bytes_per_second);
    limits->tail_bytes = throttle_stricter(limits->tail_bytes, bytes_per_second);
}
