#include "services/alert/alert_rule.h"

#include <string.h>

static const struct alert_type_row types[] = {
#define ALERT_TYPE(symbol, name, side, threshold, lowest, highest, for_seconds, severity, unit,    \
                   title)                                                                          \
    [ALERT_##symbol] = {name,        ALERT_SIDE_##side, threshold, lowest, highest,                \
                        for_seconds, severity,          unit,      title},
#include "services/alert/alert_types.def"
#undef ALERT_TYPE
};

const struct alert_type_row *alert_type_row(enum alert_type type) {
    return &types[type];
}

bool alert_type_parse(const char *name, enum alert_type *ret) {
    for (int i = 0; name && i < ALERT_TYPE_COUNT; i++) {
        if (strcmp(name, types[i].name) == 0) {
            *ret = (enum alert_type)i;
            return true;
        }
    }
    return false;
}

void alert_type_add_unit(json_t *shown) {
    const char *name = json_string_value(json_object_get(shown, "type"));
    enum alert_type type;
    const char *unit = name && alert_type_parse(name, &type) ? alert_type_row(type)->unit : "";

    json_object_set_new(shown, "unit", unit[0] ? json_string(unit) : json_null());
}

static const char *text_of(const json_t *row, const char *name) {
    return json_string_value(json_object_get(row, name));
}

static int64_t ms_of(const json_t *row, const char *name) {
    return json_integer_value(json_object_get(row, name)) * 1000;
}

bool alert_rule_from_row(const json_t *row, struct alert_rule *ret) {
    *ret = (struct alert_rule){
        .id = text_of(row, "id"),
        .account = text_of(row, "account"),
        .name = text_of(row, "name"),
        .job = text_of(row, "job_id"),
        .severity = text_of(row, "severity"),
        .labels = json_object_get(row, "labels"),
        .contacts = json_object_get(row, "contacts"),
        .threshold = json_number_value(json_object_get(row, "threshold")),
        .resolve_threshold = json_number_value(json_object_get(row, "resolve_threshold")),
        .for_ms = ms_of(row, "for_seconds"),
        .resolve_for_ms = ms_of(row, "resolve_for_seconds"),
        .repeat_ms = ms_of(row, "repeat_interval_seconds"),
        .suppress_until_caught_up = json_is_true(json_object_get(row, "suppress_until_caught_up")),
        .send_resolved = json_is_true(json_object_get(row, "send_resolved")),
    };
    return ret->id && ret->account && alert_type_parse(text_of(row, "type"), &ret->type);
}

bool alert_rule_covers(const struct alert_rule *rule, const char *account, const char *job,
                       const json_t *labels) {
    const char *name;
    json_t *value;

    if (strcmp(rule->account, account) != 0 || (rule->job && strcmp(rule->job, job) != 0))
        return false;
    json_object_foreach((json_t *)(uintptr_t)rule->labels, name, value) {
        if (!json_equal(value, json_object_get(labels, name)))
            return false;
    }
    return true;
}

bool alert_rule_is_bad(const struct alert_rule *rule, double value) {
    switch (types[rule->type].side) {
    case ALERT_SIDE_ABOVE:
        return value > rule->threshold;
    case ALERT_SIDE_BELOW:
        return value < rule->threshold;
    case ALERT_SIDE_NONE:
        break;
    }
    return value > 0;
}

bool alert_rule_is_well(const struct alert_rule *rule, double value) {
    switch (types[rule->type].side) {
    case ALERT_SIDE_ABOVE:
        return value <= rule->resolve_threshold;
    case ALERT_SIDE_BELOW:
        return value >= rule->resolve_threshold;
    case ALERT_SIDE_NONE:
        break;
    }
    return value <= 0;
}
