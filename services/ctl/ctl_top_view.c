#include "services/ctl/ctl_top_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/ctl/ctl_json.h"
#include "services/ctl/ctl_show.h"
#include "services/ctl/ctl_text.h"

enum {
    SAFE_SECONDS_MIN = 1800, /* less is worth a look */
    LINE_MAX = 512,
    COLUMNS_MIN = 40,
    NAME_MIN = 18,
    NAME_MAX = 40,
    FIXED = 60,        /* the columns beside the name, with blanks */
    ENDS_COLUMNS = 48, /* both ends, where there is room */
    TOLD_MAX = 3,      /* jobs whose trouble is told in a sentence */
};

static bool is_one_of(const char *text, const char *const *texts, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, texts[i]) == 0)
            return true;
    return false;
}

static bool is_worrying(const json_t *job) {
    bool has_limit = json_is_number(ctl_json_at(job, "safe_for.seconds"));

    return (has_limit && ctl_json_number(job, "safe_for.seconds") < SAFE_SECONDS_MIN) ||
           ctl_json_is(job, "latency.quality", "stale") ||
           ctl_json_is(job, "sync_state", "stalled") || ctl_json_is(job, "consistency", "at_risk");
}

enum ctl_top_rank ctl_top_rank(const json_t *job) {
    static const char *const needing[] = {"blocked", "failed"};
    static const char *const resting[] = {"draft",           "configured", "prechecking",
                                          "precheck_passed", "scheduled",  "paused"};
    static const char *const over[] = {"stopped", "completed", "released"};
    const char *state = ctl_json_text(job, "state");

    if (is_one_of(state, needing, LENGTH_OF(needing)) || *ctl_json_text(job, "attention.code"))
        return CTL_TOP_NEEDS_YOU;
    if (strcmp(state, "retrying") == 0)
        return CTL_TOP_RETRIES;
    if (is_one_of(state, over, LENGTH_OF(over)))
        return CTL_TOP_OVER;
    if (is_one_of(state, resting, LENGTH_OF(resting)))
        return CTL_TOP_RESTS;
    if (strcmp(state, "precheck_failed") == 0 || is_worrying(job))
        return CTL_TOP_WARNS;
    return CTL_TOP_GOES;
}

static const char *name_of(const json_t *job) {
    const char *name = ctl_json_text(job, "name");

    return *name ? name : ctl_json_text(job, "id");
}

static int compare(const void *a, const void *b) {
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    enum ctl_top_rank rank_x = ctl_top_rank(x), rank_y = ctl_top_rank(y);
    double lag_x = ctl_json_number(x, "latency.ms"), lag_y = ctl_json_number(y, "latency.ms");
    int by_name;

    if (rank_x != rank_y)
        return rank_x < rank_y ? -1 : 1;
    /* What moves a little from look to look shall not make rows change places. */
    if (rank_x <= CTL_TOP_WARNS && (lag_x > lag_y + 1000 || lag_y > lag_x + 1000))
        return lag_x > lag_y ? -1 : 1;
    by_name = strcmp(name_of(x), name_of(y));
    return by_name ? by_name : strcmp(ctl_json_text(x, "id"), ctl_json_text(y, "id"));
}

json_t *ctl_top_sort(const json_t *jobs) {
    size_t count = json_array_size(jobs);
    json_t **order = calloc(count + 1, sizeof(json_t *)), *sorted = json_array();

    if (!order)
        abort();
    for (size_t i = 0; i < count; i++)
        order[i] = json_array_get(jobs, i);
    qsort(order, count, sizeof(json_t *), compare);
    for (size_t i = 0; i < count; i++)
        json_array_append(sorted, order[i]);
    free(order);
    return sorted;
}

/* ---- lines ---- */

struct screen {
    size_t columns, lines_left; /* SIZE_MAX: any number of lines */
    struct buf *out;
    struct err *err;
};

/* One line, cut to the width. Nothing where there is no line left. */
static bool line(struct screen *s, const char *text) {
    size_t len = strlen(text);

    if (s->lines_left == 0)
        return true;
    if (s->lines_left != SIZE_MAX)
        s->lines_left--;
    while (len > 0 && text[len - 1] == ' ')
        len--;
    return buf_printf(s->out, s->err, "%.*s\n", (int)(len < s->columns ? len : s->columns), text);
}

static bool heading(struct screen *s, const json_t *jobs, const char *title) {
    size_t counts[CTL_TOP_RANKS] = {0}, i;
    char text[LINE_MAX];
    json_t *job;

    json_array_foreach(jobs, i, job) counts[ctl_top_rank(job)]++;
    snprintf(text, sizeof(text),
             "keyferry %.60s   %zu NEEDS YOU   %zu warn   %zu ok   %zu rest   %zu over", title,
             counts[CTL_TOP_NEEDS_YOU], counts[CTL_TOP_RETRIES] + counts[CTL_TOP_WARNS],
             counts[CTL_TOP_GOES], counts[CTL_TOP_RESTS], counts[CTL_TOP_OVER]);
    return line(s, text);
}

/* What tells one `resume` from another: the first text within its body. */
static const char *kind_of(const json_t *body) {
    while (json_is_object(body))
        body = json_object_iter_value(json_object_iter((json_t *)(uintptr_t)body));
    return json_is_string(body) ? json_string_value(body) : "";
}

/* Why the first of those stand that need somebody, and what can be done. */
static bool troubles(struct screen *s, const json_t *jobs) {
    char name[LINE_MAX], detail[LINE_MAX], text[3 * LINE_MAX];
    json_t *job, *choice;
    size_t i, c;

    for (i = 0; i < json_array_size(jobs) && i < TOLD_MAX; i++) {
        const char *at = "last_error";
        size_t used;

        job = json_array_get(jobs, i);
        if (ctl_top_rank(job) != CTL_TOP_NEEDS_YOU)
            break;
        if (*ctl_json_text(job, "attention.code"))
            at = "attention";
        job = json_object_get(job, at);
        str_escape(str_from(name_of(json_array_get(jobs, i))), name, sizeof(name));
        str_escape(str_from(ctl_json_text(job, "detail")), detail, sizeof(detail));
        snprintf(text, sizeof(text), "  %.40s  %s: %s", name,
                 ctl_json_text(json_array_get(jobs, i), "state"), ctl_json_text(job, "code"));
        if (!line(s, text))
            return false;
        /* What every other command wants to be told. */
        str_escape(str_from(ctl_json_text(json_array_get(jobs, i), "id")), name, sizeof(name));
        snprintf(text, sizeof(text), "    keyferry job show %.60s", name);
        if (!line(s, text))
            return false;
        snprintf(text, sizeof(text), "    %s", detail);
        if (*detail && !line(s, text))
            return false;
        used = 0;
        json_array_foreach(json_object_get(job, "choices"), c, choice) {
            const char *kind = kind_of(json_object_get(choice, "body"));

            if (used < sizeof(text) - 120)
                used +=
                    (size_t)snprintf(text + used, sizeof(text) - used, "%s%.40s%s%.40s",
                                     c ? " | " : "    you may: ", ctl_json_text(choice, "action"),
                                     *kind ? " " : "", kind);
        }
        if (used && !line(s, text))
            return false;
    }
    return i == 0 || line(s, "");
}

static void lag_of(const json_t *job, char dst[CTL_TEXT_SIZE]) {
    double ms = ctl_json_number(job, "latency.ms");

    if (!json_is_number(ctl_json_at(job, "latency.ms")))
        snprintf(dst, CTL_TEXT_SIZE, "-");
    else if (ms < 1000)
        snprintf(dst, CTL_TEXT_SIZE, "%.0f ms", ms);
    else
        (void)ctl_text_seconds(ms / 1000, dst);
}

static void rate_of(const json_t *job, char dst[CTL_TEXT_SIZE]) {
    bool copies = ctl_json_is(job, "phase", "full");
    double rate =
        ctl_json_number(job, copies ? "rates.keys_per_second" : "rates.commands_per_second");
    char text[CTL_TEXT_SIZE];

    snprintf(dst, CTL_TEXT_SIZE, "%.20s/s", ctl_text_short(rate, text));
}

static void safe_of(const json_t *job, char dst[CTL_TEXT_SIZE]) {
    char text[CTL_TEXT_SIZE];

    if (!json_is_number(ctl_json_at(job, "safe_for.seconds")))
        snprintf(dst, CTL_TEXT_SIZE, "-");
    else
        snprintf(dst, CTL_TEXT_SIZE, "%.10s (%.12s)",
                 ctl_text_seconds(ctl_json_number(job, "safe_for.seconds"), text),
                 ctl_json_text(job, "safe_for.limited_by"));
}

static void where_of(const json_t *job, char dst[CTL_TEXT_SIZE]) {
    const char *phase = ctl_json_text(job, "phase");

    if (ctl_json_is(job, "phase", "full"))
        snprintf(dst, CTL_TEXT_SIZE, "full %.0f %%", ctl_json_number(job, "progress.full.percent"));
    else
        snprintf(dst, CTL_TEXT_SIZE, "%.30s", *phase ? phase : ctl_json_text(job, "state"));
}

static void memory_of(const json_t *job, char dst[CTL_TEXT_SIZE]) {
    double most = ctl_json_number(job, "destination_memory.max_bytes");

    if (most > 0)
        snprintf(dst, CTL_TEXT_SIZE, "%.0f %%",
                 100 * ctl_json_number(job, "destination_memory.used_bytes") / most);
    else
        snprintf(dst, CTL_TEXT_SIZE, "-");
}

static bool row(struct screen *s, const json_t *job, size_t name_columns, bool with_ends) {
    char where[CTL_TEXT_SIZE] = "STATE", lag[CTL_TEXT_SIZE] = "LAG", rate[CTL_TEXT_SIZE] = "RATE",
         safe[CTL_TEXT_SIZE] = "SAFE FOR", memory[CTL_TEXT_SIZE] = "MEM";
    char name[LINE_MAX] = "JOB", source[64] = "SOURCE", destination[64] = "DESTINATION";
    char text[2 * LINE_MAX];
    int used;

    if (job) {
        where_of(job, where);
        lag_of(job, lag);
        rate_of(job, rate);
        safe_of(job, safe);
        memory_of(job, memory);
        str_escape(str_from(name_of(job)), name, sizeof(name));
        str_escape(str_from(ctl_show_label(job, "source")), source, sizeof(source));
        str_escape(str_from(ctl_show_label(job, "destination")), destination, sizeof(destination));
    }
    used = snprintf(text, sizeof(text), "%-*.*s %-14.14s %8.8s %9.9s  %-17.17s %5.5s",
                    (int)name_columns, (int)name_columns, name, where, lag, rate, safe, memory);
    if (with_ends && used > 0)
        snprintf(text + used, sizeof(text) - (size_t)used, "  %-22.22s %.22s", source, destination);
    return line(s, text);
}

bool ctl_top_screen(const json_t *jobs, const char *title, size_t columns, size_t rows,
                    struct buf *out, struct err *err) {
    struct screen s = {.columns = columns < COLUMNS_MIN ? COLUMNS_MIN : columns,
                       .lines_left = rows ? rows : SIZE_MAX,
                       .out = out,
                       .err = err};
    size_t count = json_array_size(jobs), name_columns = NAME_MIN, shown = 0;
    bool with_ends = columns >= NAME_MIN + FIXED + ENDS_COLUMNS;
    char text[64];

    if (columns > NAME_MIN + FIXED)
        name_columns = columns - FIXED - (with_ends ? ENDS_COLUMNS : 0);
    if (name_columns > NAME_MAX)
        name_columns = NAME_MAX;
    if (!heading(&s, jobs, title) || !line(&s, "") || !troubles(&s, jobs) ||
        !row(&s, NULL, name_columns, with_ends))
        return false;
    for (; shown < count && (s.lines_left > 1 || shown + 1 == count); shown++) {
        if (s.lines_left == 0)
            break;
        if (!row(&s, json_array_get(jobs, shown), name_columns, with_ends))
            return false;
    }
    if (shown == count)
        return true;
    snprintf(text, sizeof(text), "and %zu more", count - shown);
    return line(&s, text);
}
