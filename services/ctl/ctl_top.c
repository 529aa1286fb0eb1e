#include "services/ctl/ctl_top.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "services/common/clock.h"
#include "services/ctl/api_client.h"
#include "services/ctl/ctl_exit.h"
#include "services/ctl/ctl_json.h"
#include "services/ctl/ctl_show.h"
#include "services/ctl/ctl_top_view.h"
#include "services/ctl/ctl_watch.h"

enum {
    JOBS_MAX = 2000, /* more are not asked for */
    PAGE = 200,
    LIVE_SECONDS = 2,
    PIPE_SECONDS = 10,
    INTERVAL_MAX_SECONDS = 3600,
    SCREEN_MAX = 4 * 1024 * 1024,
    BUSY_MAX = 5, /* a look may take a fifth of the time */
    COLUMNS = 80, /* where the terminal does not say */
    ROWS = 24,
};

struct top {
    struct api_client api;
    struct ctl_output output;
    bool is_once, is_raw;
    bool has_no_reader; /* `keyferry top | head` */
    int interval_ms;
    struct termios before;
    struct buf text;
};

static volatile sig_atomic_t resized;

static void note_resize(int number) {
    (void)number;
    resized = 1;
}

/* ---- the terminal ---- */

static void put(const char *text) {
    (void)!write(STDOUT_FILENO, text, strlen(text));
}

/* Another screen, no cursor, keys as they are typed. Ctrl-Z would leave it so. */
static void take_terminal(struct top *top) {
    struct sigaction action = {.sa_handler = note_resize};
    struct termios raw;

    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGWINCH, &action, NULL);
    if (tcgetattr(STDIN_FILENO, &top->before) == 0) {
        raw = top->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        raw.c_cc[VSUSP] = _POSIX_VDISABLE;
        top->is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
    put("\033[?1049h\033[?25l");
}

static void give_terminal_back(struct top *top) {
    put("\033[?25h\033[?1049l");
    if (top->is_raw)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &top->before);
}

static void size_of(size_t *ret_columns, size_t *ret_rows) {
    struct winsize size;
    bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;

    *ret_columns = is_known ? size.ws_col : COLUMNS;
    *ret_rows = is_known && size.ws_row > 1 ? size.ws_row : ROWS;
}

/* ---- what there is ---- */

static bool is_known(const json_t *jobs, const json_t *job) {
    const json_t *one;
    size_t i;

    json_array_foreach(jobs, i, one) {
        if (ctl_json_is(one, "id", ctl_json_text(job, "id")))
            return true;
    }
    return false;
}

/* Append the jobs of a list, newest first, until there are enough; not those that are in `known`.
 */
static bool get_list(struct top *top, const char *query, const json_t *known, size_t most,
                     json_t *all, struct err *err) {
    char cursor[401] = "", path[600];
    size_t count = 0;
    bool ok = true;

    do {
        json_t *page = NULL, *job;
        size_t i;

        snprintf(path, sizeof(path), "/v1/jobs?limit=%d%s%s%.400s", PAGE, query,
                 *cursor ? "&cursor=" : "", cursor);
        ok = top->output.live ? api_client_call(&top->api, "GET", path, NULL, &page, err)
                              : ctl_watch_get(&top->api, path, &page, err);
        json_array_foreach(json_object_get(page, "items"), i, job) {
            count++;
            if (!is_known(known, job))
                json_array_append(all, job);
        }
        if (ok)
            snprintf(cursor, sizeof(cursor), "%s", ctl_json_text(page, "next_cursor"));
        json_decref(page);
    } while (ok && *cursor && count < most);
    return ok;
}

/* Those that need somebody, however old they are, and the newest of all. */
static bool get_jobs(struct top *top, json_t **ret, struct err *err) {
    json_t *urgent = json_array(), *others = json_array();
    bool ok = get_list(top, "&attention=true", NULL, PAGE, urgent, err) &&
              get_list(top, "", urgent, JOBS_MAX, others, err);

    json_array_extend(urgent, others);
    if (ok)
        *ret = ctl_top_sort(urgent);
    json_decref(others);
    json_decref(urgent);
    return ok;
}

/* ---- ways to show it ---- */

/* Every line ends where the old one may go on. */
static void draw(const struct buf *text) {
    struct str rest = buf_str(text), one;
    bool is_first = true;

    put("\033[H");
    while (str_cut(&rest, '\n', &one)) {
        if (!is_first)
            put("\n");
        is_first = false;
        (void)!write(STDOUT_FILENO, one.ptr, one.len);
        put("\033[K");
    }
    put("\033[J");
}

static bool show_screen(struct top *top, const json_t *jobs, struct err *err) {
    size_t columns, rows;

    size_of(&columns, &rows);
    buf_clear(&top->text);
    if (!ctl_top_screen(jobs, top->api.base_url, columns, top->is_once ? 0 : rows, &top->text, err))
        return false;
    if (top->is_once)
        (void)!write(STDOUT_FILENO, top->text.ptr, top->text.len);
    else
        draw(&top->text);
    return true;
}

static bool show_lines(struct top *top, const json_t *jobs, struct err *err) {
    char time[CLOCK_RFC3339_SIZE];
    const json_t *job;
    size_t i;
    bool ok = true;

    clock_rfc3339(clock_wall_ms(), time);
    buf_clear(&top->text);
    json_array_foreach(jobs, i, job) {
        if (top->output.json)
            ok = json_dumpf(job, stdout, CTL_JSON_LINE) == 0 && printf("\n") > 0;
        else
            ok = ok && ctl_show_plain(job, time, &top->text, err);
    }
    if (!top->output.json)
        ok = ok && (top->text.len == 0 ||
                    fwrite(top->text.ptr, 1, top->text.len, stdout) == top->text.len);
    if (err->code != ERR_NONE)
        return false;
    top->has_no_reader = !ok || fflush(stdout) != 0;
    return !top->has_no_reader || err_set(err, ERR_IO, "nobody reads any more");
}

/* The service is away: the screen says so, and goes on when it is back. */
static void show_failure(struct top *top, const struct err *why) {
    struct err ignored = ERR_INIT;
    char text[512];

    err_format(why, text, sizeof(text));
    buf_clear(&top->text);
    if (buf_printf(&top->text, &ignored, "keyferry %s\n\n%.400s\n", top->api.base_url, text))
        draw(&top->text);
}

static bool show(struct top *top, const json_t *jobs, struct err *err) {
    bool is_table = top->output.live || (top->is_once && !top->output.json);

    return is_table ? show_screen(top, jobs, err) : show_lines(top, jobs, err);
}

/* ---- the loop ---- */

/* Wait for the time to look again. False: it is over. *ret_resized: draw what is known anew. */
static bool rest(struct top *top, int64_t until_ms, bool *ret_resized) {
    *ret_resized = false;
    for (;;) {
        int64_t left = until_ms - clock_mono_ms();
        struct pollfd keys = {.fd = top->is_raw ? STDIN_FILENO : -1, .events = POLLIN};
        char key;

        if (ctl_watch_interrupted())
            return false;
        if (resized) {
            resized = 0;
            *ret_resized = true;
            return true;
        }
        if (left <= 0)
            return true;
        if (poll(&keys, 1, (int)left) <= 0)
            continue; /* the time, or a signal: both are looked at above */
        if (read(STDIN_FILENO, &key, 1) != 1)
            return false; /* the terminal is gone */
        if (key == 'q' || key == 'Q' || key == 3)
            return false;
    }
}

static bool look(struct top *top, json_t **jobs, struct err *err) {
    json_t *fresh = NULL;

    if (!get_jobs(top, &fresh, err))
        return false;
    json_decref(*jobs);
    *jobs = fresh;
    return show(top, *jobs, err);
}

static bool run(struct top *top, struct err *err) {
    json_t *jobs = NULL;
    bool goes_on = true, has_resized, ok = true;

    while (ok && goes_on) {
        int64_t began_ms = clock_mono_ms(), took_ms, next_ms;
        struct err why = ERR_INIT;

        if (!look(top, &jobs, &why)) {
            if (top->output.live && !top->is_once && jobs && api_client_may_pass(&why))
                show_failure(top, &why);
            else if (!ctl_watch_interrupted())
                ok = (*err = why, false);
        }
        if (!ok || top->is_once)
            break;
        /* A service with very many jobs is not asked all the time. */
        took_ms = clock_mono_ms() - began_ms;
        next_ms = began_ms +
                  (took_ms * BUSY_MAX > top->interval_ms ? took_ms * BUSY_MAX : top->interval_ms);
        while ((goes_on = rest(top, next_ms, &has_resized)) && has_resized && ok)
            ok = show(top, jobs, err);
    }
    json_decref(jobs);
    return ok;
}

static bool read_interval(const struct ctl_args *args, struct top *top, struct err *err) {
    const char *text = ctl_args_value(args, CTL_INTERVAL);
    uint64_t seconds = top->output.live ? LIVE_SECONDS : PIPE_SECONDS;

    if (text &&
        (!str_parse_u64(str_from(text), &seconds) || seconds < 1 || seconds > INTERVAL_MAX_SECONDS))
        return err_set(err, ERR_USAGE, "--interval takes 1 to %d seconds", INTERVAL_MAX_SECONDS);
    top->interval_ms = (int)seconds * 1000;
    return true;
}

int ctl_top_run(const struct ctl_args *args) {
    struct top top = {.api = API_CLIENT_INIT,
                      .output = ctl_output_of(args),
                      .is_once = ctl_args_flag(args, CTL_ONCE),
                      .text = BUF_INIT(SCREEN_MAX)};
    struct err err = ERR_INIT;
    bool ok, on_screen;

    ctl_watch_signals();
    ok = read_interval(args, &top, &err) && api_client_open(&top.api, args, &err);
    on_screen = ok && top.output.live && !top.is_once;
    if (on_screen)
        take_terminal(&top);
    ok = ok && run(&top, &err);
    if (on_screen)
        give_terminal_back(&top);
    buf_done(&top.text);
    api_client_close(&top.api);
    return ok || top.has_no_reader ? CTL_EXIT_REACHED : ctl_exit_with(&err);
}
