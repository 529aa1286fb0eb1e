#include "services/ctl/ctl_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/str.h"
#include "services/ctl/ctl_json.h"
#include "services/ctl/ctl_text.h"

const char *ctl_show_label(const json_t *job, const char *end) {
    const json_t *view = json_object_get(job, end);
    const char *label = ctl_json_text(view, "label");

    return *label                                 ? label
           : *ctl_json_text(view, "inline.label") ? ctl_json_text(view, "inline.label")
                                                  : "?";
}

const char *ctl_show_product(const json_t *facts) {
    if (ctl_json_is(facts, "product", "redis"))
        return "Redis";
    return ctl_json_is(facts, "product", "valkey") ? "Valkey" : ctl_json_text(facts, "product");
}

static bool add_escaped(struct buf *out, const char *text, struct err *err) {
    char safe[1024];

    str_escape(str_from(text), safe, sizeof(safe));
    return buf_append(out, str_from(safe), err);
}

/* ---- the live line ---- */

static bool live_copy(const json_t *job, struct buf *out, struct err *err) {
    char bar[CTL_TEXT_SIZE], a[CTL_TEXT_SIZE], b[CTL_TEXT_SIZE], rate[CTL_TEXT_SIZE],
        left[CTL_TEXT_SIZE];
    double percent = ctl_json_number(job, "progress.full.percent");
    double total = ctl_json_number(job, "progress.full.keys_total");
    double bytes_total = ctl_json_number(job, "progress.full.bytes_total");

    if (!buf_printf(out, err, "copy    %s %3.0f %%   %s", ctl_text_bar(percent, bar), percent,
                    ctl_text_short(ctl_json_number(job, "progress.full.keys_done"), a)))
        return false;
    if (total > 0 && !buf_printf(out, err, " / %s", ctl_text_short(total, b)))
        return false;
    if (!buf_printf(out, err, " keys   %s",
                    ctl_text_bytes(ctl_json_number(job, "progress.full.bytes_done"), a)))
        return false;
    if (bytes_total > 0 && !buf_printf(out, err, " / %s", ctl_text_bytes(bytes_total, b)))
        return false;
    if (!buf_printf(out, err, "   %s keys/s",
                    ctl_text_short(ctl_json_number(job, "rates.keys_per_second"), rate)))
        return false;
    return !json_is_number(ctl_json_at(job, "progress.full.eta_seconds")) ||
           buf_printf(out, err, "   %s left",
                      ctl_text_seconds(ctl_json_number(job, "progress.full.eta_seconds"), left));
}

static bool live_follow(const json_t *job, struct buf *out, struct err *err) {
    char rate[CTL_TEXT_SIZE], behind[CTL_TEXT_SIZE], safe[CTL_TEXT_SIZE];
    const char *quality = ctl_json_text(job, "latency.quality");
    const char *limit = ctl_json_text(job, "safe_for.limited_by");

    if (json_is_number(ctl_json_at(job, "latency.ms"))) {
        if (!buf_printf(out, err, "follow  lag %.0f ms%s%s%s", ctl_json_number(job, "latency.ms"),
                        *quality ? " (" : "", quality, *quality ? ")" : ""))
            return false;
    } else if (!buf_append(out, STR_LIT("follow  lag not measured yet"), err)) {
        return false;
    }
    if (!buf_printf(out, err, "   %s commands/s   behind %s",
                    ctl_text_short(ctl_json_number(job, "rates.commands_per_second"), rate),
                    ctl_text_bytes(ctl_json_number(job, "latency.lag_bytes"), behind)))
        return false;
    return !json_is_number(ctl_json_at(job, "safe_for.seconds")) ||
           buf_printf(out, err, "   safe for %s%s%s%s",
                      ctl_text_seconds(ctl_json_number(job, "safe_for.seconds"), safe),
                      *limit ? " (" : "", limit, *limit ? ")" : "");
}

static bool live_retry(const json_t *job, struct buf *out, struct err *err) {
    const char *error = ctl_json_text(job, "retry_state.error");

    if (!*error)
        error = ctl_json_text(job, "last_error.detail");
    if (!buf_printf(out, err, "retry   "))
        return false;
    return add_escaped(out, *error ? error : "an end does not answer", err) &&
           buf_printf(out, err, "   attempt %.0f", ctl_json_number(job, "retry_state.attempt"));
}

static const struct {
    const char *state, *text;
} waits[] = {
    {"scheduled", "wait    for its time"},
    {"queued", "wait    for a worker"},
    {"starting", "wait    a worker brings it up"},
    {"pausing", "pause   finishing the unit in flight"},
    {"paused", "paused  nothing is written; go on with `keyferry job resume`"},
    {"stopping", "stop    draining, then settling expiries"},
    {"cutting_over", "switch  draining, then sealing the destination"},
    {"stopped", "stopped"},
    {"completed", "completed"},
    {"blocked", "blocked"},
    {"failed", "failed"},
};

bool ctl_show_live(const json_t *job, struct buf *out, struct err *err) {
    const char *state = ctl_json_text(job, "state");

    if (strcmp(state, "retrying") == 0)
        return live_retry(job, out, err);
    if (strcmp(state, "stopping") == 0 && json_is_object(json_object_get(job, "retry_state")))
        return live_retry(job, out, err) &&
               buf_append(out,
                          STR_LIT("   the drain waits for it; `keyferry job stop --no-drain` "
                                  "does not"),
                          err);
    if (strcmp(state, "running") == 0) {
        if (ctl_json_is(job, "phase", "incremental"))
            return live_follow(job, out, err);
        if (ctl_json_is(job, "phase", "full"))
            return live_copy(job, out, err);
        return buf_append(out, STR_LIT("wait    for the source's snapshot"), err);
    }
    for (size_t i = 0; i < LENGTH_OF(waits); i++) {
        if (strcmp(state, waits[i].state) == 0)
            return buf_append(out, str_from(waits[i].text), err);
    }
    return add_escaped(out, state, err);
}

/* ---- the plain line ---- */

static bool plain_copy(const json_t *job, struct buf *out, struct err *err) {
    return buf_printf(out, err,
                      " full percent=%.1f keys=%.0f/%.0f bytes=%.0f/%.0f keys_per_second=%.0f",
                      ctl_json_number(job, "progress.full.percent"),
                      ctl_json_number(job, "progress.full.keys_done"),
                      ctl_json_number(job, "progress.full.keys_total"),
                      ctl_json_number(job, "progress.full.bytes_done"),
                      ctl_json_number(job, "progress.full.bytes_total"),
                      ctl_json_number(job, "rates.keys_per_second")) &&
           (!json_is_number(ctl_json_at(job, "progress.full.eta_seconds")) ||
            buf_printf(out, err, " eta_seconds=%.0f",
                       ctl_json_number(job, "progress.full.eta_seconds")));
}

static bool plain_follow(const json_t *job, struct buf *out, struct err *err) {
    const char *method = ctl_json_text(job, "latency.method");

    return buf_printf(out, err, " incremental %s", ctl_json_text(job, "sync_state")) &&
           (!json_is_number(ctl_json_at(job, "latency.ms")) ||
            buf_printf(out, err, " lag_ms=%.0f", ctl_json_number(job, "latency.ms"))) &&
           (!*method || buf_printf(out, err, " method=%s", method)) &&
           buf_printf(out, err, " commands_per_second=%.0f lag_bytes=%.0f",
                      ctl_json_number(job, "rates.commands_per_second"),
                      ctl_json_number(job, "latency.lag_bytes"));
}

/* The last error stays on record when a job goes on, and is nothing to act on then. */
static bool is_going_on(const json_t *job) {
    return !ctl_json_is(job, "state", "blocked") && !ctl_json_is(job, "state", "failed") &&
           !ctl_json_is(job, "state", "retrying");
}

bool ctl_show_plain(const json_t *job, const char *time, struct buf *out, struct err *err) {
    bool running = ctl_json_is(job, "state", "running"), ok;

    ok = buf_printf(out, err, "%s %s %s", time, ctl_json_text(job, "id"),
                    ctl_json_text(job, "state"));
    if (ok && running && ctl_json_is(job, "phase", "full"))
        ok = plain_copy(job, out, err);
    else if (ok && running && ctl_json_is(job, "phase", "incremental"))
        ok = plain_follow(job, out, err);
    if (ok && !is_going_on(job) && *ctl_json_text(job, "last_error.code"))
        ok = buf_printf(out, err, " error=%s", ctl_json_text(job, "last_error.code"));
    if (ok && *ctl_json_text(job, "attention.code"))
        ok = buf_printf(out, err, " attention=%s", ctl_json_text(job, "attention.code"));
    return ok && buf_append(out, STR_LIT("\n"), err);
}

bool ctl_show_copied(const json_t *job, double seconds, struct buf *out, struct err *err) {
    char keys[CTL_TEXT_SIZE], expired[CTL_TEXT_SIZE], refused[CTL_TEXT_SIZE],
        conflicts[CTL_TEXT_SIZE], time[CTL_TEXT_SIZE];

    return buf_printf(
        out, err, "copy    done   %s keys in %s; %s expired, %s refused, %s conflicts\n",
        ctl_text_count((uint64_t)ctl_json_number(job, "progress.full.keys_done"), keys),
        ctl_text_seconds(seconds, time),
        ctl_text_count((uint64_t)ctl_json_number(job, "progress.full.skipped.expired"), expired),
        ctl_text_count((uint64_t)ctl_json_number(job, "progress.full.failed"), refused),
        ctl_text_count((uint64_t)ctl_json_number(job, "progress.full.skipped.conflict"),
                       conflicts));
}

/* ---- trouble ---- */

/* The call of the API, for what the command line has no word for. */
static bool show_call(const char *job, const char *action, const json_t *body, struct buf *out,
                      struct err *err) {
    bool is_patch = strcmp(action, "patch") == 0;
    char *text = body ? json_dumps(body, CTL_JSON_LINE) : NULL;
    bool ok = buf_printf(out, err, "%s /v1/jobs/%s%s%s ", is_patch ? "PATCH" : "POST", job,
                         is_patch ? "" : "/", is_patch ? "" : action) &&
              add_escaped(out, text ? text : "{}", err);

    free(text);
    return ok;
}

/* What to type for a choice. */
static bool show_command(const json_t *job, const json_t *choice, struct buf *out,
                         struct err *err) {
    const char *action = ctl_json_text(choice, "action"), *id = ctl_json_text(job, "id");
    const json_t *body = json_object_get(choice, "body");
    const char *resync = ctl_json_text(body, "on_full_resync_needed");
    bool no_drain = json_is_false(json_object_get(body, "drain"));
    bool is_resume = strcmp(action, "resume") == 0, is_stop = strcmp(action, "stop") == 0;
    size_t known = (size_t)(is_resume && *resync) + (size_t)(is_stop && no_drain);

    if (!buf_append(out, STR_LIT("  "), err))
        return false;
    if ((!is_resume && !is_stop) || known != json_object_size(body))
        return show_call(id, action, body, out, err);
    return buf_printf(out, err, "keyferry job %s %s", action, id) &&
           (!*resync || (buf_append(out, STR_LIT(" --on-full-resync-needed "), err) &&
                         add_escaped(out, resync, err))) &&
           (!no_drain || buf_append(out, STR_LIT(" --no-drain"), err));
}

static bool show_choices(const json_t *job, struct buf *out, struct err *err) {
    const json_t *choice;
    size_t i;

    json_array_foreach(ctl_json_at(job, "attention.choices"), i, choice) {
        if (!show_command(job, choice, out, err) || !buf_append(out, STR_LIT("\n      "), err) ||
            !add_escaped(out, ctl_json_text(choice, "consequence"), err) ||
            !buf_append(out, STR_LIT("\n"), err))
            return false;
    }
    return true;
}

static bool may(const json_t *job, const char *action) {
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(job, "allowed_actions"), i, one) {
        if (strcmp(json_is_string(one) ? json_string_value(one) : "", action) == 0)
            return true;
    }
    return false;
}

/* A retry clock ran out: nobody asks, and it goes on only when it is told to. */
static bool show_ways_on(const json_t *job, struct buf *out, struct err *err) {
    const char *id = ctl_json_text(job, "id");

    if (!ctl_json_is(job, "state", "failed"))
        return true;
    return (!may(job, "resume") ||
            buf_printf(out, err,
                       "  keyferry job resume %s\n"
                       "      When the cause is put right: goes on where it stands.\n",
                       id)) &&
           (!may(job, "stop") ||
            buf_printf(out, err,
                       "  keyferry job stop %s\n"
                       "      Ends the migration; held expiries are made right.\n",
                       id));
}

bool ctl_show_trouble(const json_t *job, struct buf *out, struct err *err) {
    bool has_attention = *ctl_json_text(job, "attention.code") != '\0';
    const char *at = has_attention ? "attention" : "last_error";
    const json_t *what = json_object_get(job, at);
    bool is_over = !has_attention && is_going_on(job);

    if (!*ctl_json_text(what, "code"))
        return true;
    if (is_over ? !buf_printf(out, err, "earlier      %s, %s", ctl_json_text(what, "code"),
                              ctl_json_text(what, "at"))
                : !buf_printf(out, err, "%s: %s", ctl_json_text(job, "state"),
                              ctl_json_text(what, "code")))
        return false;
    if (*ctl_json_text(what, "detail") && (!buf_append(out, STR_LIT("\n  "), err) ||
                                           !add_escaped(out, ctl_json_text(what, "detail"), err)))
        return false;
    if (*ctl_json_text(what, "if_you_wait") &&
        (!buf_append(out, STR_LIT("\n  if you wait: "), err) ||
         !add_escaped(out, ctl_json_text(what, "if_you_wait"), err)))
        return false;
    return buf_append(out, STR_LIT("\n"), err) && show_choices(job, out, err) &&
           show_ways_on(job, out, err);
}

/* ---- a job ---- */

static bool show_end(const json_t *job, const char *title, const char *end, struct buf *out,
                     struct err *err) {
    const json_t *view = json_object_get(job, end);

    return buf_printf(out, err, "%-13s", title) &&
           add_escaped(out, ctl_show_label(job, end), err) &&
           (!*ctl_json_text(view, "product") ||
            (buf_append(out, STR_LIT("   "), err) &&
             add_escaped(out, ctl_show_product(view), err) && buf_append(out, STR_LIT(" "), err) &&
             add_escaped(out, ctl_json_text(view, "version"), err))) &&
           buf_append(out, STR_LIT("\n"), err);
}

bool ctl_show_job(const json_t *job, struct buf *out, struct err *err) {
    char copied[CTL_TEXT_SIZE], applied[CTL_TEXT_SIZE];
    const char *expiry = ctl_json_text(job, "expiry.mode");
    const json_t *settled = ctl_json_at(job, "expiry.settled");

    return buf_printf(out, err, "%s  ", ctl_json_text(job, "id")) &&
           add_escaped(out, ctl_json_text(job, "name"), err) &&
           buf_printf(out, err, "\nstate        %s%s%s%s%s\n", ctl_json_text(job, "state"),
                      *ctl_json_text(job, "phase") ? ", " : "", ctl_json_text(job, "phase"),
                      *ctl_json_text(job, "sync_state") ? ", " : "",
                      ctl_json_text(job, "sync_state")) &&
           show_end(job, "source", "source", out, err) &&
           show_end(job, "destination", "destination", out, err) &&
           buf_append(out, STR_LIT("now          "), err) && ctl_show_live(job, out, err) &&
           buf_printf(
               out, err, "\ncopied       %s keys\napplied      %s commands\n",
               ctl_text_count((uint64_t)ctl_json_number(job, "progress.full.keys_done"), copied),
               ctl_text_count(
                   (uint64_t)ctl_json_number(job, "progress.incremental.commands_applied"),
                   applied)) &&
           (!json_is_false(ctl_json_at(job, "progress.incremental.drained")) ||
            buf_append(out, STR_LIT("drained      no: what the source wrote last may be missing\n"),
                       err)) &&
           (!*expiry || buf_printf(out, err, "expiries     %s%s\n", expiry,
                                   json_is_true(settled)    ? ", settled"
                                   : json_is_false(settled) ? ", unsettled"
                                                            : "")) &&
           ctl_show_trouble(job, out, err);
}

bool ctl_show_row(const json_t *job, struct buf *out, struct err *err) {
    char lag[CTL_TEXT_SIZE] = "-";
    const char *phase = ctl_json_text(job, "phase");

    if (!job)
        return buf_printf(out, err, "%-31s %-16s %-12s %-9s %-22s %-22s %s\n", "JOB", "STATE",
                          "PHASE", "LAG", "SOURCE", "DESTINATION", "NAME");
    if (json_is_number(ctl_json_at(job, "latency.ms")))
        snprintf(lag, sizeof(lag), "%.0f ms", ctl_json_number(job, "latency.ms"));
    return buf_printf(out, err, "%-31s %-16s %-12s %-9s %-22s %-22s ", ctl_json_text(job, "id"),
                      ctl_json_text(job, "state"), *phase ? phase : "-", lag,
                      ctl_show_label(job, "source"), ctl_show_label(job, "destination")) &&
           add_escaped(out, ctl_json_text(job, "name"), err) && buf_append(out, STR_LIT("\n"), err);
}
