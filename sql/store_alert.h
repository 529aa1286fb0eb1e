/* store_alert.h - rules, what they found, and the one statement that the alerter looks with.
 *
 * Rows are the API's: JSON with a `version` beside. What a rule's members mean is
 * services/alert/alert_rule.h's.
 */
#pragma once

#include <jansson.h>

#include "sql/store.h"

/* `rule` has all members of a rule. */
MUST_CHECK bool store_alert_rule_add(struct store *store, const char *id, const char *account,
                                     const json_t *rule, struct err *err);
/* *ret_written is false when the version is another by now. */
MUST_CHECK bool store_alert_rule_change(struct store *store, const char *id, int64_t version,
                                        const json_t *rule, bool *ret_written, struct err *err);
/* What it had found is over. */
MUST_CHECK bool store_alert_rule_delete(struct store *store, const char *account, const char *id,
                                        bool *ret_found, struct err *err);
/* id, job, before NULL = any. A new reference. */
MUST_CHECK bool store_alert_rule_list(struct store *store, const char *account, const char *id,
                                      const char *job, const char *before, int limit,
                                      json_t **ret_list, struct err *err);

/* state, job, before NULL = any; pending ones are not shown. A new reference. */
MUST_CHECK bool store_alert_list(struct store *store, const char *account, const char *id,
                                 const char *state, const char *job, const char *before, int limit,
                                 json_t **ret_list, struct err *err);

/* `by` NULL leaves; until_ms -1 leaves, 0 ends a silence. *ret_found is false when none of that id
 * fires. */
MUST_CHECK bool store_alert_heed(struct store *store, const char *account, const char *id,
                                 const char *by, int64_t until_ms, bool *ret_found,
                                 struct err *err);

/* ---- for the alerter ---- */

/* In a transaction: take the turn, or keep it, for so many seconds. *ret_ours is false while
 * another has it. */
MUST_CHECK bool store_alert_turn(struct store *store, const char *alerter, int seconds,
                                 bool *ret_ours, struct err *err);
/* It is free at once. */
MUST_CHECK bool store_alert_turn_end(struct store *store, const char *alerter, struct err *err);

/* {"now_ms", "rules", "jobs", "open"}, of one moment. A new reference. */
MUST_CHECK bool store_alert_watch(struct store *store, json_t **ret_watch, struct err *err);

/* Times are wall clock milliseconds; 0 = not. */
struct store_alert {
    const char *id, *account, *rule, *job, *type, *severity, *state, *detail;
    bool has_value, is_told;
    double value;
    int64_t since_ms, well_since_ms, fired_ms, notified_ms;
};
MUST_CHECK bool store_alert_write(struct store *store, const struct store_alert *alert,
                                  struct err *err);
/* One that no rule looks at any more. */
MUST_CHECK bool store_alert_end(struct store *store, const char *id, struct err *err);
/* One that was pending and did not come true. */
MUST_CHECK bool store_alert_forget(struct store *store, const char *id, struct err *err);
