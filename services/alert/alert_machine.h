/* alert_machine.h - one alert: from the first bad moment to the notice that it is over.
 *
 * Pure: it is given what was seen and the time, and says what to do. Called once for each rule
 * and job it covers, every second or so; a value that is not known changes nothing, so a gap in
 * what is seen neither fires nor ends an alert.
 *
 *   (none) --bad--> pending --bad for for_ms--> firing --well for resolve_for_ms--> resolved
 *             ^        |
 *             +--well--+
 */
#pragma once

#include "services/alert/alert_rule.h"

enum alert_state { ALERT_NONE, ALERT_PENDING, ALERT_FIRING, ALERT_RESOLVED };

/* Times are wall clock milliseconds; 0 = not. */
struct alert_open {
    enum alert_state state;
    int64_t since_ms, well_since_ms, fired_ms, notified_ms, acknowledged_ms, silenced_until_ms;
};

struct alert_seen {
    bool is_known;
    bool is_over;    /* the job has ended or left what the rule looks at: well at once */
    bool is_excused; /* it has not caught up yet: only a rule that does not mind looks */
    double value;
};

enum alert_notice { ALERT_TELL_NOTHING, ALERT_TELL_FIRING, ALERT_TELL_RESOLVED };

/* Move `open` on. *ret_changed: it is another now and has to be written down. */
enum alert_notice alert_machine_step(const struct alert_rule *rule, const struct alert_seen *seen,
                                     int64_t now_ms, struct alert_open *open, bool *ret_changed);
