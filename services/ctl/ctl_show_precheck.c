#include <stdio.h>
#include <string.h>

#include "proto/base/str.h"
#include "services/ctl/ctl_json.h"
#include "services/ctl/ctl_show.h"
#include "services/ctl/ctl_text.h"

static bool add_escaped(struct buf *out, const char *text, struct err *err) {
    char safe[1024];

    str_escape(str_from(text), safe, sizeof(safe));
    return buf_append(out, str_from(safe), err);
}

/* Keys and memory: what there is on a source, what room there is on a destination. */
static bool show_content(const json_t *facts, struct buf *out, struct err *err) {
    double keys = ctl_json_number(facts, "keys"), max = ctl_json_number(facts, "maxmemory_bytes");
    double used = ctl_json_number(facts, "used_memory_bytes");
    size_t databases = json_array_size(json_object_get(facts, "databases"));
    char text[CTL_TEXT_SIZE];

    if (json_is_number(json_object_get(facts, "keys"))) {
        if (keys < 1 && !buf_append(out, STR_LIT("   empty"), err))
            return false;
        if (keys >= 1 &&
            !buf_printf(out, err, "   %zu database%s   %s keys", databases,
                        databases == 1 ? "" : "s", ctl_text_count((uint64_t)keys, text)))
            return false;
    }
    if (used > 0 && !buf_printf(out, err, "   %s", ctl_text_bytes(used, text)))
        return false;
    return max <= used || buf_printf(out, err, "   %s free", ctl_text_bytes(max - used, text));
}

static bool show_end(const json_t *facts, const char *title, struct buf *out, struct err *err) {
    static const char *const texts[] = {"label", "product", "version", "topology"};
    static const char *const before[] = {"", "   ", " ", "   "};
    char rate[CTL_TEXT_SIZE];

    if (!json_is_object(facts))
        return true;
    if (!buf_printf(out, err, "%-13s", title))
        return false;
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        const char *text = i == 1 ? ctl_show_product(facts) : ctl_json_text(facts, texts[i]);

        if (*text && (!buf_append(out, str_from(before[i]), err) || !add_escaped(out, text, err)))
            return false;
    }
    if (json_is_false(json_object_get(facts, "reachable")) &&
        !buf_append(out, STR_LIT("   not reached"), err))
        return false;
    if (!show_content(facts, out, err))
        return false;
    if (json_is_number(json_object_get(facts, "writes_per_second")) &&
        !buf_printf(out, err, "   %s writes/s",
                    ctl_text_short(ctl_json_number(facts, "writes_per_second"), rate)))
        return false;
    return buf_append(out, STR_LIT("\n"), err);
}

static bool show_item(const json_t *item, const char *title, struct buf *out, struct err *err) {
    const char *remedy = ctl_json_text(item, "remedy");

    return buf_printf(out, err, "%s  %-18s ", title, ctl_json_text(item, "id")) &&
           add_escaped(out, ctl_json_text(item, "message"), err) &&
           (!*remedy ||
            (buf_append(out, STR_LIT("\n      fix   "), err) && add_escaped(out, remedy, err))) &&
           buf_append(out, STR_LIT("\n"), err);
}

static bool show_items(const json_t *precheck, struct buf *out, struct err *err) {
    bool any = false;
    static const struct {
        const char *result, *title;
    } rows[] = {{"fail", "FAIL"}, {"error", "ERR "}, {"warn", "WARN"}, {"ignored", "OK'D"}};
    const json_t *items = json_object_get(precheck, "items"), *item;
    size_t i;

    for (size_t row = 0; row < LENGTH_OF(rows); row++) {
        json_array_foreach(items, i, item) {
            if (!ctl_json_is(item, "result", rows[row].result))
                continue;
            if ((!any && !buf_append(out, STR_LIT("\n"), err)) ||
                !show_item(item, rows[row].title, out, err))
                return false;
            any = true;
        }
    }
    return true;
}

static bool show_plan(const json_t *plan, struct buf *out, struct err *err) {
    static const struct {
        const char *member, *before, *after;
        const char *(*text)(double value, char *dst);
    } rows[] = {
        {"duration_seconds", " · about ", "", ctl_text_seconds},
        {"spool_bytes", " · spool ", "", ctl_text_bytes},
        {"write_pause_ms", " · write pause at the switch about ", " ms", ctl_text_short},
        {"source_forks", " · forks of the source: ", "", ctl_text_short},
    };
    char text[CTL_TEXT_SIZE];

    if (!json_is_object(plan))
        return true;
    if (!buf_append(out, STR_LIT("\nPlan  "), err) ||
        !add_escaped(out, ctl_json_text(plan, "method"), err))
        return false;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const json_t *value = json_object_get(plan, rows[i].member);

        if (json_is_number(value) &&
            !buf_printf(out, err, "%s%s%s", rows[i].before,
                        rows[i].text(json_number_value(value), text), rows[i].after))
            return false;
    }
    return buf_append(out, STR_LIT("\n"), err);
}

bool ctl_show_precheck(const json_t *precheck, struct buf *out, struct err *err) {
    const json_t *counts = json_object_get(precheck, "counts");
    const char *failure = ctl_json_text(precheck, "last_error.detail");

    if (!show_end(ctl_json_at(precheck, "facts.source"), "Source", out, err) ||
        !show_end(ctl_json_at(precheck, "facts.destination"), "Destination", out, err) ||
        !buf_printf(out, err, "\n  pass %3.0f    warn %2.0f    fail %2.0f    skipped %2.0f",
                    ctl_json_number(counts, "pass"), ctl_json_number(counts, "warn"),
                    ctl_json_number(counts, "fail") + ctl_json_number(counts, "error"),
                    ctl_json_number(counts, "skipped")))
        return false;
    if (ctl_json_number(counts, "ignored") > 0 &&
        !buf_printf(out, err, "    ignored %.0f", ctl_json_number(counts, "ignored")))
        return false;
    if (!buf_append(out, STR_LIT("\n"), err) || !show_items(precheck, out, err))
        return false;
    if (*failure && (!buf_append(out, STR_LIT("\nERR   "), err) ||
                     !add_escaped(out, failure, err) || !buf_append(out, STR_LIT("\n"), err)))
        return false;
    return show_plan(json_object_get(precheck, "plan"), out, err);
}
