/* alert_rule.h - a rule as it is kept: what is looked at, and when somebody is told.
 *
 * Pure on jansson.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/str.h"

enum alert_type {
#define ALERT_TYPE(symbol, ...) ALERT_##symbol,
#include "services/alert/alert_types.def"
#undef ALERT_TYPE
    ALERT_TYPE_COUNT
};

enum alert_side { ALERT_SIDE_NONE, ALERT_SIDE_ABOVE, ALERT_SIDE_BELOW };

struct alert_type_row {
    const char *name;
    enum alert_side side; /* of the threshold, on which a value is bad; NONE = there is none */
    double threshold, lowest, highest; /* default and range */
    int for_seconds;
    const char *severity, *unit, *title;
};

/* Never NULL for a type below ALERT_TYPE_COUNT. */
const struct alert_type_row *alert_type_row(enum alert_type type);
/* {"unit"} of what that type measures into an object that shows a figure of it: null where it is
 * yes or no. */
void alert_type_add_unit(json_t *shown);

MUST_CHECK bool alert_type_parse(const char *name, enum alert_type *ret);

struct alert_rule {
    const char *id, *account, *name, *job, *severity; /* borrowed from the row; job may be NULL */
    const json_t *labels, *contacts;
    enum alert_type type;
    double threshold, resolve_threshold;
    int64_t for_ms, resolve_for_ms, repeat_ms; /* repeat 0 = never */
    bool suppress_until_caught_up, send_resolved;
};

/* A row as store_alert.h lists it. False for a type that this program does not know. */
MUST_CHECK bool alert_rule_from_row(const json_t *row, struct alert_rule *ret);

/* Does the rule look at a job of that account, id and labels? */
bool alert_rule_covers(const struct alert_rule *rule, const char *account, const char *job,
                       const json_t *labels);

/* On the bad side of the threshold, and on the good side of where it ends. A type without a
 * threshold measures 1 and 0. */
bool alert_rule_is_bad(const struct alert_rule *rule, double value);
bool alert_rule_is_well(const struct alert_rule *rule, double value);
