#include "services/alert/webhook_schedule.h"

enum { RETRY_AFTER_MAX_S = 86400, SECONDS_MAX = 7 * 86400 };

static const int64_t standard_s[] = {5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400};

bool webhook_schedule_parse(struct str text, struct webhook_schedule *ret, struct err *err) {
    struct webhook_schedule found = {.count = 0};
    struct str word;
    uint64_t seconds;

    if (text.len == 0) {
        for (size_t i = 0; i < LENGTH_OF(standard_s); i++)
            found.after_ms[found.count++] = standard_s[i] * 1000;
    }
    while (str_cut(&text, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (!str_parse_u64(word, &seconds) || seconds > SECONDS_MAX ||
            found.count == WEBHOOK_RETRIES_MAX)
            return err_set(err, ERR_CONFIG,
                           "\"" STR_FMT "\" is no number of seconds, or one too many",
                           STR_ARG(word));
        found.after_ms[found.count++] = (int64_t)seconds * 1000;
    }
    *ret = found;
    return true;
}

enum webhook_verdict webhook_schedule_next(const struct webhook_schedule *schedule,
                                           const struct webhook_answer *answer, int attempt,
                                           int attempts_max, uint32_t random, int64_t *ret_in_ms) {
    int last = attempts_max > 0 ? attempts_max : schedule->count + 1;
    int64_t asked_s = answer->retry_after_s;
    int64_t in_ms;

    if (answer->status >= 200 && answer->status < 300)
        return WEBHOOK_DELIVERED;
    if (answer->status == 410)
        return WEBHOOK_DISABLE;
    if (attempt >= last || schedule->count == 0)
        return WEBHOOK_GIVE_UP;
    in_ms = schedule->after_ms[attempt <= schedule->count ? attempt - 1 : schedule->count - 1];
    in_ms += in_ms * (random % 1000) / 5000;
    if (asked_s > RETRY_AFTER_MAX_S)
        asked_s = RETRY_AFTER_MAX_S;
    *ret_in_ms = asked_s * 1000 > in_ms ? asked_s * 1000 : in_ms;
    return WEBHOOK_AGAIN;
}
