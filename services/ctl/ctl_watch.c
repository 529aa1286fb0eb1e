#include "services/ctl/ctl_watch.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "services/common/clock.h"
#include "services/ctl/ctl_exit.h"
#include "services/ctl/ctl_json.h"
#include "services/ctl/ctl_show.h"
#include "services/ctl/ctl_text.h"

enum {
    LIVE_INTERVAL_MS = 200,
    PLAIN_INTERVAL_MS = 500,
    PLAIN_LINE_MS = 10000, /* a line at least this often, or at each change */
    AGAIN_INTERVAL_MS = 500,
    AGAIN_MAX_MS = 60000,
    SCREEN_MAX = 64 * 1024,
};

struct watch {
    struct api_client *api;
    const char *job;
    enum ctl_until until;
    struct ctl_output output;
    struct buf text;
    int64_t began_ms, line_ms;
    char last[96];   /* state, phase and sync state of the last line */
    bool from_start; /* the copy began under our eyes, however short it was */
    bool copying, copied, caught_up;
    int64_t copy_began_ms;
};

static volatile sig_atomic_t interrupted;

static void note_signal(int number) {
    (void)number;
    interrupted = 1;
}

void ctl_watch_signals(void) {
    struct sigaction action = {.sa_handler = note_signal};

    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

bool ctl_watch_interrupted(void) {
    return interrupted != 0;
}

bool ctl_watch_sleep(int ms) {
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};

    if (!interrupted)
        nanosleep(&pause, NULL);
    return !interrupted;
}

struct ctl_output ctl_output_of(const struct ctl_args *args) {
    struct ctl_output output = {.json = ctl_args_flag(args, CTL_JSON)};

    output.live = !output.json && isatty(STDOUT_FILENO);
    return output;
}

bool ctl_watch_get(struct api_client *api, const char *path, json_t **ret, struct err *err) {
    int64_t deadline_ms = clock_mono_ms() + AGAIN_MAX_MS;

    for (;;) {
        struct err why = ERR_INIT;

        if (api_client_call(api, "GET", path, NULL, ret, &why))
            return true;
        if (!api_client_may_pass(&why) || clock_mono_ms() > deadline_ms ||
            !ctl_watch_sleep(AGAIN_INTERVAL_MS)) {
            *err = why;
            return false;
        }
    }
}

/* The window's width in characters. */
static size_t width(void) {
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
        return 80;
    return size.ws_col;
}

/* Write over the live line. A line that wraps could not be written over. */
static void draw(const struct buf *text) {
    size_t columns = 0, end = 0, limit = width() - 1;

    while (end < text->len && columns < limit) {
        end++;
        while (end < text->len && ((unsigned char)text->ptr[end] & 0xc0) == 0x80)
            end++; /* the rest of a UTF-8 character */
        columns++;
    }
    printf("\r\033[K%.*s", (int)end, text->len ? text->ptr : "");
    fflush(stdout);
}

/* Lines that stay: they take the live line's place. */
static void print_above(struct watch *watch, const char *text) {
    printf("%s%s", watch->output.live ? "\r\033[K" : "", text);
    fflush(stdout);
}

static void say_caught_up(struct watch *watch, const json_t *job) {
    char time[CTL_TEXT_SIZE];
    bool held = ctl_json_is(job, "expiry.mode", "held");

    if (watch->output.json ||
        (watch->until != CTL_UNTIL_CAUGHT_UP && watch->until != CTL_UNTIL_OVER))
        return;
    print_above(watch, "");
    printf("CAUGHT UP after %s. Every write on the source now arrives once, within milliseconds.\n",
           ctl_text_seconds((double)(clock_mono_ms() - watch->began_ms) / 1000, time));
    if (held)
        printf("  expiries are held until the job is stopped; do not switch clients before that\n");
    printf("  watch    keyferry job watch %s\n  stop     keyferry job stop %s\n", watch->job,
           watch->job);
    if (watch->until != CTL_UNTIL_CAUGHT_UP)
        printf("Ctrl-C leaves the job running.\n");
    fflush(stdout);
}

/* What happens once: the end of the copy, having caught up. */
static void note_milestones(struct watch *watch, const json_t *job) {
    bool running = ctl_json_is(job, "state", "running");
    bool full = running && ctl_json_is(job, "phase", "full");
    bool beyond = (running && ctl_json_is(job, "phase", "incremental")) ||
                  ctl_json_is(job, "state", "completed");
    struct err err = ERR_INIT;

    if (!watch->last[0])
        watch->from_start = !full && !beyond && ctl_json_number(job, "progress.full.keys_done") < 1;
    if (full && !watch->copying) {
        watch->copying = true;
        watch->copy_began_ms = clock_mono_ms();
    }
    if (beyond && (watch->copying || watch->from_start) && !watch->copied && !watch->output.json) {
        watch->copied = true;
        buf_clear(&watch->text);
        if (ctl_show_copied(job, (double)(clock_mono_ms() - watch->copy_began_ms) / 1000,
                            &watch->text, &err))
            print_above(watch, watch->text.ptr);
    }
    if (running && ctl_json_is(job, "sync_state", "caught_up") && !watch->caught_up) {
        watch->caught_up = true;
        say_caught_up(watch, job);
    }
}

static void show(struct watch *watch, const json_t *job) {
    int64_t now_ms = clock_mono_ms();
    struct err err = ERR_INIT;
    char now[sizeof(watch->last)];
    bool changed, ok;

    snprintf(now, sizeof(now), "%.30s %.30s %.30s", ctl_json_text(job, "state"),
             ctl_json_text(job, "phase"), ctl_json_text(job, "sync_state"));
    changed = strcmp(now, watch->last) != 0;
    snprintf(watch->last, sizeof(watch->last), "%s", now);
    buf_clear(&watch->text);
    if (watch->output.live) {
        if (ctl_show_live(job, &watch->text, &err))
            draw(&watch->text);
        return;
    }
    if (!changed && now_ms - watch->line_ms < (watch->output.json ? 1000 : PLAIN_LINE_MS))
        return;
    watch->line_ms = now_ms;
    if (watch->output.json) {
        ok = json_dumpf(job, stdout, CTL_JSON_LINE) == 0;
        printf("\n");
    } else {
        char time[CLOCK_RFC3339_SIZE];

        clock_rfc3339(clock_wall_ms(), time);
        ok = ctl_show_plain(job, time, &watch->text, &err);
        if (ok)
            printf("%s", watch->text.ptr);
    }
    if (!ok || fflush(stdout) != 0)
        interrupted = 1; /* nobody reads us any more */
}

static bool is_one_of(const char *state, const char *const *states, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(state, states[i]) == 0)
            return true;
    }
    return false;
}

/* Is it over for us? */
static bool is_reached(const struct watch *watch, const json_t *job, int *ret_code) {
    static const char *const over[] = {"stopped", "completed", "released"};
    const char *state = ctl_json_text(job, "state");
    bool ended = is_one_of(state, over, LENGTH_OF(over));
    bool reached = false;

    switch (watch->until) {
    case CTL_UNTIL_CAUGHT_UP:
        reached = watch->caught_up || strcmp(state, "completed") == 0;
        break;
    case CTL_UNTIL_OVER:
    case CTL_UNTIL_STOPPED:
        reached = ended;
        break;
    case CTL_UNTIL_PAUSED:
        reached = strcmp(state, "paused") == 0;
        break;
    case CTL_UNTIL_RUNNING:
        reached = strcmp(state, "running") == 0;
        break;
    case CTL_UNTIL_CUT_OVER:
        reached = strcmp(state, "completed") == 0;
        *ret_code = CTL_EXIT_FAILED;
        if (ctl_json_is(job, "cutover.state", "aborted") && strcmp(state, "cutting_over") != 0)
            return true;
        break;
    case CTL_UNTIL_FORGOTTEN:
        reached = ctl_json_is(job, "seal", "forgotten");
        *ret_code = CTL_EXIT_FAILED;
        if (!reached && !ctl_json_is(job, "seal", "forgetting"))
            return true;
        ended = false; /* the job had ended before */
        break;
    }
    *ret_code = CTL_EXIT_REACHED;
    if (reached)
        return true;
    if (strcmp(state, "blocked") == 0)
        *ret_code = CTL_EXIT_BLOCKED;
    else if (ended || strcmp(state, "failed") == 0)
        *ret_code = CTL_EXIT_FAILED;
    return *ret_code != CTL_EXIT_REACHED;
}

static void say_switched(const json_t *job) {
    double stray = ctl_json_number(job, "cutover.stray_writes");

    printf("SWITCHED. The destination has everything; nothing of this job writes there again.\n");
    if (json_is_number(ctl_json_at(job, "cutover.write_pause_ms")))
        printf("  writers were paused for %.0f ms\n",
               ctl_json_number(job, "cutover.write_pause_ms"));
    if (stray > 0)
        printf("  %.0f writes came to the source too late and are not on the destination\n", stray);
    printf("  report   keyferry report %s\n", ctl_json_text(job, "id"));
}

static void say_given_up(const json_t *job) {
    char text[600];

    str_escape(str_from(ctl_json_text(job, "cutover.detail")), text, sizeof(text));
    fprintf(stderr, "keyferry: the cutover was given up (%s)%s%s; the job goes on as before\n",
            ctl_json_text(job, "cutover.aborted_because"), *text ? ": " : "", text);
}

static void say_end(struct watch *watch, const json_t *job, int code) {
    struct err err = ERR_INIT;

    if (watch->output.json)
        return;
    buf_clear(&watch->text);
    if (watch->output.live)
        print_above(watch, "");
    if (code == CTL_EXIT_REACHED) {
        if (watch->until == CTL_UNTIL_CUT_OVER)
            say_switched(job);
        else if (watch->until != CTL_UNTIL_CAUGHT_UP && watch->output.live)
            printf("%s  %s%s\n", watch->job, ctl_json_text(job, "state"),
                   json_is_true(ctl_json_at(job, "expiry.settled")) ? ", expiries settled" : "");
        return;
    }
    if (watch->until == CTL_UNTIL_CUT_OVER && ctl_json_is(job, "cutover.state", "aborted"))
        say_given_up(job);
    else if (ctl_show_trouble(job, &watch->text, &err) && watch->text.len)
        fprintf(stderr, "%s", watch->text.ptr);
    else
        fprintf(stderr, "keyferry: the job is %s\n", ctl_json_text(job, "state"));
}

static int detach(struct watch *watch) {
    if (!watch->output.json) {
        print_above(watch, "");
        fprintf(stderr,
                "Detached; the job goes on.\n  watch    keyferry job watch %s\n  stop     keyferry "
                "job stop %s\n",
                watch->job, watch->job);
    }
    return CTL_EXIT_DETACHED;
}

int ctl_watch_job(struct api_client *api, const char *job_id, enum ctl_until until,
                  struct ctl_output output) {
    struct watch watch = {.api = api,
                          .job = job_id,
                          .until = until,
                          .output = output,
                          .text = BUF_INIT(SCREEN_MAX),
                          .began_ms = clock_mono_ms(),
                          .copy_began_ms = clock_mono_ms()};
    int code = CTL_EXIT_REACHED;
    struct err err = ERR_INIT;
    bool is_over = false;
    char path[160];

    snprintf(path, sizeof(path), "/v1/jobs/%.100s", job_id);
    while (!is_over && !interrupted) {
        json_t *job = NULL;

        if (!ctl_watch_get(api, path, &job, &err)) {
            if (!interrupted) {
                print_above(&watch, "");
                code = ctl_exit_with(&err);
            }
            break;
        }
        note_milestones(&watch, job);
        is_over = is_reached(&watch, job, &code);
        if (!is_over || !output.live)
            show(&watch, job);
        if (is_over)
            say_end(&watch, job, code);
        json_decref(job);
        if (!is_over)
            (void)ctl_watch_sleep(output.live ? LIVE_INTERVAL_MS : PLAIN_INTERVAL_MS);
    }
    if (interrupted && !is_over)
        code = detach(&watch);
    buf_done(&watch.text);
    return code;
}
