#include "services/alert/alert_machine.h"

static enum alert_notice fire(const struct alert_rule *rule, int64_t now_ms,
                              struct alert_open *open) {
    bool is_new = open->state != ALERT_FIRING;

    if (is_new) {
        open->state = ALERT_FIRING;
        open->fired_ms = now_ms;
    }
    if (now_ms < open->silenced_until_ms)
        return ALERT_TELL_NOTHING;
    /* One that began under a silence is told of when that ends. */
    if (open->notified_ms != 0 && (open->acknowledged_ms != 0 || rule->repeat_ms == 0 ||
                                   now_ms - open->notified_ms < rule->repeat_ms))
        return ALERT_TELL_NOTHING;
    open->notified_ms = now_ms;
    return ALERT_TELL_FIRING;
}

static enum alert_notice resolve(const struct alert_rule *rule, int64_t now_ms,
                                 struct alert_open *open) {
    bool was_told = open->notified_ms != 0;

    open->state = ALERT_RESOLVED;
    return was_told && rule->send_resolved && now_ms >= open->silenced_until_ms
               ? ALERT_TELL_RESOLVED
               : ALERT_TELL_NOTHING;
}

static enum alert_notice when_bad(const struct alert_rule *rule, int64_t now_ms,
                                  struct alert_open *open, bool *ret_changed) {
    struct alert_open was = *open;
    enum alert_notice notice = ALERT_TELL_NOTHING;

    if (open->state == ALERT_NONE || open->state == ALERT_RESOLVED)
        *open = (struct alert_open){.state = ALERT_PENDING, .since_ms = now_ms};
    open->well_since_ms = 0;
    if (open->state == ALERT_FIRING || now_ms - open->since_ms >= rule->for_ms)
        notice = fire(rule, now_ms, open);
    *ret_changed = notice != ALERT_TELL_NOTHING || was.state != open->state ||
                   was.well_since_ms != open->well_since_ms;
    return notice;
}

static enum alert_notice when_well(const struct alert_rule *rule, bool at_once, int64_t now_ms,
                                   struct alert_open *open, bool *ret_changed) {
    switch (open->state) {
    case ALERT_PENDING:
        open->state = ALERT_NONE;
        *ret_changed = true;
        return ALERT_TELL_NOTHING;
    case ALERT_FIRING:
        if (open->well_since_ms == 0) {
            open->well_since_ms = now_ms;
            *ret_changed = true;
        }
        if (!at_once && now_ms - open->well_since_ms < rule->resolve_for_ms)
            return ALERT_TELL_NOTHING;
        *ret_changed = true;
        return resolve(rule, now_ms, open);
    case ALERT_NONE:
    case ALERT_RESOLVED:
        break;
    }
    return ALERT_TELL_NOTHING;
}

enum alert_notice alert_machine_step(const struct alert_rule *rule, const struct alert_seen *seen,
                                     int64_t now_ms, struct alert_open *open, bool *ret_changed) {
    *ret_changed = false;
    if (seen->is_over)
        return when_well(rule, true, now_ms, open, ret_changed);
    if (!seen->is_known)
        return ALERT_TELL_NOTHING;
    if (alert_rule_is_bad(rule, seen->value) &&
        !(seen->is_excused && rule->suppress_until_caught_up))
        return when_bad(rule, now_ms, open, ret_changed);
    if (open->state == ALERT_PENDING || alert_rule_is_well(rule, seen->value))
        return when_well(rule, false, now_ms, open, ret_changed);
    /* Between the two thresholds a firing alert stays as it is. */
    if (open->state == ALERT_FIRING && open->well_since_ms != 0) {
        open->well_since_ms = 0;
        *ret_changed = true;
    }
    return ALERT_TELL_NOTHING;
}
