#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
static bool show_content(const json_t *facts, bool is_source, struct buf *out, struct err *err) {
    double keys = ctl_json_number(facts, "keys"), max = ctl_json_number(facts, "maxmemory_bytes");
    double machine = ctl_json_number(facts, "system_memory_bytes");
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
    if (used > 0 && is_source && !buf_printf(out, err, "   %s", ctl_text_bytes(used, text)))
        return false;
    max = max > 0 ? max : machine;
    return is_source || max <= used ||
           buf_printf(out, err, "   %s free", ctl_text_bytes(max - used, text));
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
    if (json_is_integer(json_object_get(facts, "shard_count")) &&
        !buf_printf(out, err, " of %d shard%s", (int)ctl_json_number(facts, "shard_count"),
                    ctl_json_number(facts, "shard_count") == 1 ? "" : "s"))
        return false;
    if (json_is_false(json_object_get(facts, "reachable")) &&
        !buf_append(out, STR_LIT("   not reached"), err))
        return false;
    if (!show_content(facts, strcmp(title, "Source") == 0, out, err))
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
    } rows[] = {{"fail", "FAIL"},
                {"error", "ERR "},
                {"warn", "WARN"},
                {"ignored", "OK'D"},
                {"warn", "NOTE"}};
    const json_t *items = json_object_get(precheck, "items"), *item;
    size_t i;

    for (size_t row = 0; row < LENGTH_OF(rows); row++) {
        json_array_foreach(items, i, item) {
            /* What is only a remark is confirmed by nobody, and comes last. */
            bool is_note =
                strcmp(rows[row].result, "warn") == 0 &&
                (ctl_json_is(item, "severity", "info") != (strcmp(rows[row].title, "NOTE") == 0));

            if (is_note || !ctl_json_is(item, "result", rows[row].result))
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
        {"write_pause_ms", " · write pause at cutover about ", " ms", ctl_text_short},
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
    if (json_is_integer(json_object_get(plan, "source_forks")) &&
        !buf_printf(out, err, " · source %s",
                    ctl_json_number(plan, "source_forks") > 0 ? "forks once" : "does not fork"))
        return false;
    return buf_append(out, STR_LIT("\n"), err);
}

/* Milliseconds of a time like 2026-11-20T09:10:11.123Z; -1 when it is none. */
static int64_t time_ms(const char *text) {
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    return rest ? (int64_t)timegm(&tm) * 1000 + (*rest == '.' ? atoi(rest + 1) : 0) : -1;
}

/* "   1.3 s   wrote 3 probe keys, removed" */
static bool show_effort(const json_t *precheck, struct buf *out, struct err *err) {
    int64_t began = time_ms(ctl_json_text(precheck, "started_at"));
    int64_t ended = time_ms(ctl_json_text(precheck, "finished_at"));
    double keys = ctl_json_number(precheck, "facts.probe_keys");

    if (began >= 0 && ended >= began &&
        !buf_printf(out, err, "      %.1f s", (double)(ended - began) / 1000))
        return false;
    return keys <= 0 ||
           buf_printf(out, err, "   wrote %.0f probe key%s, removed", keys, keys > 1 ? "s" : "");
}

/* Warnings that somebody must accept: a remark counts as one in the run, not here. */
static double count_notes(const json_t *precheck) {
    const json_t *item;
    size_t i;
    int notes = 0;

    json_array_foreach(json_object_get(precheck, "items"), i, item) notes +=
        ctl_json_is(item, "result", "warn") && ctl_json_is(item, "severity", "info");
    return notes;
}

bool ctl_show_precheck(const json_t *precheck, struct buf *out, struct err *err) {
    const json_t *counts = json_object_get(precheck, "counts");
    const char *failure = ctl_json_text(precheck, "last_error.detail");

    if (!show_end(ctl_json_at(precheck, "facts.source"), "Source", out, err) ||
        !show_end(ctl_json_at(precheck, "facts.destination"), "Destination", out, err) ||
        !buf_printf(out, err, "\n  pass %3.0f    warn %2.0f    fail %2.0f    skipped %2.0f",
                    ctl_json_number(counts, "pass"),
                    ctl_json_number(counts, "warn") - count_notes(precheck),
                    ctl_json_number(counts, "fail") + ctl_json_number(counts, "error"),
                    ctl_json_number(counts, "skipped")))
        return false;
    if (ctl_json_number(counts, "ignored") > 0 &&
        !buf_printf(out, err, "    ignored %.0f", ctl_json_number(counts, "ignored")))
        return false;
    if (!show_effort(precheck, out, err) || !buf_append(out, STR_LIT("\n"), err) ||
        !show_items(precheck, out, err))
        return false;
    if (*failure && (!buf_append(out, STR_LIT("\nERR   "), err) ||
                     !add_escaped(out, failure, err) || !buf_append(out, STR_LIT("\n"), err)))
        return false;
    return show_plan(json_object_get(precheck, "plan"), out, err);
}
