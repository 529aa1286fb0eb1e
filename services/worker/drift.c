#include "services/worker/drift.h"

#include <string.h>

/* What people are told it is, and the fact's name. */
static const struct {
    const char *fact, *what;
} watched[] = {
    {"product", "product"},
    {"version", "version"},
    {"run_id", "process"},
    {"address", "address"},
    {"maxmemory_policy", "maxmemory-policy"},
};

static json_t *entry_of(const json_t *drift, const char *what) {
    json_t *one;
    size_t i;

    json_array_foreach(drift, i, one) {
        const char *its = json_string_value(json_object_get(one, "what"));

        if (its && strcmp(its, what) == 0)
            return one;
    }
    return NULL;
}

void drift_note(const json_t *was, json_t *facts, const char *at, struct buf *sentence) {
    json_t *known = json_object_get(was, "drift");
    json_t *drift = known ? json_deep_copy(known) : json_array();

    for (size_t i = 0; i < LENGTH_OF(watched); i++) {
        const char *before = json_string_value(json_object_get(was, watched[i].fact));
        const char *now = json_string_value(json_object_get(facts, watched[i].fact));
        struct err full = ERR_INIT;
        json_t *entry;

        if (!before || !now || !before[0] || !now[0] || strcmp(before, now) == 0)
            continue;
        entry = entry_of(drift, watched[i].what);
        if (entry) {
            json_object_set_new(entry, "is", json_string(now));
            json_object_set_new(entry, "at", json_string(at));
        } else {
            json_array_append_new(drift, json_pack("{s:s, s:s, s:s, s:s}", "what", watched[i].what,
                                                   "was", before, "is", now, "at", at));
        }
        /* A sentence that is too long is cut: the list has it all. */
        (void)!buf_printf(sentence, &full, "%s%s %.64s, now %.64s", sentence->len ? "; " : "",
                          watched[i].what, before, now);
    }
    if (json_array_size(drift) > 0)
        json_object_set_new(facts, "drift", drift);
    else
        json_decref(drift);
}
