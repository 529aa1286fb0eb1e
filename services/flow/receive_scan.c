#include <poll.h>
#include <stdlib.h>

#include "proto/rdb/rdb_compose.h"
#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/flow/child.h"
#include "services/flow/receiver.h"
#include "services/flow/scan_reader.h"
#include "services/flow/throttle.h"

enum {
    OPEN_MS = 10000,
    WAIT_MS = 200,
    RECORDS_BYTES = 256 * 1024, /* written to the log at once */
    LONG_VALUE = 64 * 1024,     /* not copied between */
    COMMANDS_PER_KEY = 2,
    BURSTS_PER_SECOND = 20, /* of a source with a limit */
};

struct scan {
    struct receiver *r;
    struct scan_reader reader;
    struct rdb_composer composer;
    struct buf records; /* on their way to the log */
    struct throttle commands;
    int64_t waits_since_us; /* for it; 0 = it does not */
    uint64_t keys_gone;
    uint32_t pass; /* over all databases: one for each type asked for, or only one */
};

/* ---- waiting ------------------------------------------------------------------------------- */

static uint64_t commands_per_second_max(const struct scan *s) {
    return atomic_load_explicit(&s->r->control->full_source_commands_per_second_max,
                                memory_order_relaxed);
}

/* Until there is room for more and the source may be asked; it may be over before. */
static bool wait_to_ask(struct scan *s, struct err *err) {
    while (!receive_over(s->r)) {
        int64_t wait_us =
            throttle_wait_us(&s->commands, commands_per_second_max(s), clock_mono_us());
        uint64_t waited_us;

        if (!receive_turn(s->r, err))
            return false;
        waited_us = throttle_waited_us(&s->waits_since_us, wait_us > 0, clock_mono_us());
        atomic_fetch_add_explicit(&s->r->control->source_waited_us, waited_us,
                                  memory_order_relaxed);
        if (receive_has_room(s->r) && wait_us == 0)
            return true;
        receive_sleep(s->r, wait_us > 0 ? wait_us / 1000 + 1 : WAIT_MS);
    }
    return true;
}

/* Until the answers to what was asked are here; it may be over before. */
static bool wait_for_answers(struct scan *s, struct err *err) {
    struct conn *conn = s->reader.client.conn;

    while (!receive_over(s->r)) {
        struct pollfd fds[2] = {{.fd = s->r->socket_fd, .events = POLLIN}, {.fd = conn_fd(conn)}};
        bool done;

        if (!scan_reader_pump(&s->reader, &done, err))
            return false;
        if (done)
            return true;
        if (!receive_turn(s->r, err))
            return false;
        fds[1].events = conn_events(conn, true, s->reader.out_at < s->reader.out.len);
        if (!conn_has_pending(conn))
            (void)poll(fds, LENGTH_OF(fds), WAIT_MS);
    }
    return true;
}

/* ---- writing ------------------------------------------------------------------------------ */

static bool flush(struct scan *s, struct err *err) {
    bool ok = receive_append(s->r, buf_str(&s->records), err);

    buf_clear(&s->records);
    return ok;
}

static bool put_value(struct scan *s, struct str value, struct err *err) {
    if (value.len >= LONG_VALUE)
        return flush(s, err) && receive_append(s->r, value, err);
    return buf_append(&s->records, value, err) && (s->records.len < RECORDS_BYTES || flush(s, err));
}

/* Everything that was answered, and the mark that covers it. */
static bool write_answers(struct scan *s, const struct resp_value *keys, size_t count, uint32_t db,
                          struct err *err) {
    for (size_t i = 0; i < count; i++) {
        struct rdb_compose_key key = {.db = db, .key = keys[i].str};
        struct str value;

        if (!scan_reader_answer(&s->reader, i, &key.payload, &key.expire_at_ms)) {
            s->keys_gone++;
            continue;
        }
        if (!rdb_compose_key(&s->composer, &s->records, &key, &value, err) ||
            !put_value(s, value, err))
            return err_wrap(err, "a key of database %u", (unsigned)db);
    }
    return flush(s, err);
}

static bool show(struct scan *s, uint64_t db, uint64_t cursor, struct err *err) {
    s->r->mark.db = (uint64_t)s->pass * TASK_DATABASES_MAX + db;
    s->r->mark.cursor = cursor;
    s->r->mark.version = s->composer.version;
    return receive_show(s->r, err);
}

/* ---- reading ------------------------------------------------------------------------------ */

/* The keys of one step of SCAN. Shown as they come: the cursor stays that of the step
 * until all of it is in the log, because a step can be asked for again. */
static bool read_keys(struct scan *s, uint32_t db, const struct resp_value *keys, size_t count,
                      struct err *err) {
    size_t at = 0, asked;

    while (at < count) {
        uint64_t burst = commands_per_second_max(s) / BURSTS_PER_SECOND / COMMANDS_PER_KEY;
        size_t limit = commands_per_second_max(s) == 0 ? SCAN_READER_KEYS_MAX : (size_t)burst + 1;

        if (!wait_to_ask(s, err))
            return false;
        if (receive_over(s->r))
            return true;
        if (!scan_reader_ask(&s->reader, keys + at, count - at, limit, &asked, err))
            return false;
        throttle_take(&s->commands, asked * COMMANDS_PER_KEY);
        if (!wait_for_answers(s, err))
            return false;
        if (receive_over(s->r))
            return true;
        if (!write_answers(s, keys + at, asked, db, err) || !show(s, db, s->r->mark.cursor, err))
            return false;
        at += asked;
    }
    return true;
}

/* Of one step's keys those that are selected: the others' values are not asked for. */
static void select_keys(const struct scan *s, uint32_t db, const struct resp_value *keys,
                        struct arena *arena, const struct resp_value **ret, size_t *ret_count) {
    const struct command_prefixes *p = task_objects_prefixes(&s->r->spec.objects, (int)db);
    struct resp_value *selected;
    size_t count = 0;

    *ret = keys->items;
    *ret_count = keys->count;
    if (!p || keys->count == 0)
        return;
    selected = arena_alloc(arena, keys->count * sizeof(*selected));
    for (size_t i = 0; i < keys->count; i++) {
        if (command_prefixes_take(p, keys->items[i].str))
            selected[count++] = keys->items[i];
    }
    *ret = selected;
    *ret_count = count;
}

static bool read_database(struct scan *s, uint32_t db, struct err *err) {
    do {
        struct arena arena = ARENA_INIT;
        const struct resp_value *keys, *selected;
        uint64_t next = 0;
        size_t count;
        bool ok = wait_to_ask(s, err);

        if (ok && receive_over(s->r))
            return true;
        throttle_take(&s->commands, 1);
        ok = ok && scan_reader_scan(&s->reader, s->r->mark.cursor, &arena, &keys, &next, err);
        if (ok) {
            select_keys(s, db, keys, &arena, &selected, &count);
            ok = read_keys(s, db, selected, count, err);
        }
        arena_done(&arena);
        if (!ok)
            return err_wrap(err, "reading database %u", (unsigned)db);
        if (receive_over(s->r))
            return true;
        if (!show(s, next ? db : db + 1, next, err))
            return false;
    } while (s->r->mark.cursor != 0);
    return true;
}

static bool is_selected(const struct receiver *r, uint32_t db) {
    return r->spec.map_all || r->spec.database_map[db] >= 0;
}

/* From database `first` on; those behind the last one do not exist. */
static bool read_databases(struct scan *s, uint32_t first, struct err *err) {
    struct receiver *r = s->r;
    bool exists = true;

    for (uint32_t db = first; exists && db < TASK_DATABASES_MAX; db++) {
        bool goes_on = r->mark.db == (uint64_t)s->pass * TASK_DATABASES_MAX + db;

        if (!is_selected(r, db))
            continue;
        if (!scan_reader_select(&s->reader, db, &exists, err))
            return false;
        if (exists && !goes_on && !show(s, db, 0, err))
            return false;
        if (exists && !read_database(s, db, err))
            return false;
        if (receive_over(r))
            return true;
    }
    return true;
}

/* The mark says where: which pass, which database, which cursor. */
static bool read_passes(struct scan *s, struct err *err) {
    const struct task_scan *scan = &s->r->spec.scan;
    uint32_t count = scan->type_count > 0 ? scan->type_count : 1;
    uint32_t first = (uint32_t)(s->r->mark.db % TASK_DATABASES_MAX);

    s->reader.match = scan->match;
    for (s->pass = (uint32_t)(s->r->mark.db / TASK_DATABASES_MAX); s->pass < count; s->pass++) {
        s->reader.type = scan->type_count > 0 ? task_scan_types[scan->types[s->pass]] : "";
        if (!read_databases(s, first, err))
            return false;
        if (receive_over(s->r))
            return true;
        first = 0;
    }
    return true;
}

/* Before any key, and only once: a snapshot that goes on has them. */
static bool read_functions(struct scan *s, struct err *err) {
    struct arena arena = ARENA_INIT;
    struct str payload;
    bool refused;
    bool ok = scan_reader_functions(&s->reader, &arena, &payload, &refused, err);

    if (ok && refused)
        log_event(LOG_LEVEL_WARN, "receive.functions-left-out",
                  LOG_INT("generation", s->r->meta.generation));
    if (ok && payload.len > 0)
        ok = rdb_compose_functions(&s->composer, &s->records, payload, err) && flush(s, err) &&
             show(s, 0, 0, err);
    arena_done(&arena);
    return ok;
}

static bool read_all(struct scan *s, struct err *err) {
    struct receiver *r = s->r;
    const char *identity = r->source.run_id[0] ? r->source.run_id : NULL;
    bool resumed;

    if (!receive_go_on(r, identity, &resumed, err))
        return false;
    log_event(LOG_LEVEL_INFO, resumed ? "receive.scan-goes-on" : "receive.scan-begins",
              LOG_INT("generation", r->meta.generation), LOG_INT("db", r->mark.db),
              LOG_INT("offset", r->mark.end));
    s->composer.version = (uint32_t)r->mark.version;
    atomic_store_explicit(&r->control->link, CONTROL_LINK_SNAPSHOT, memory_order_relaxed);
    if (r->mark.end == 0 && !read_functions(s, err))
        return false;
    if (!read_passes(s, err))
        return false;
    if (receive_over(r))
        return true;
    return rdb_compose_end(&s->composer, &s->records, err) && flush(s, err) && receive_end(r, err);
}

/* A connection that has answered INFO is one to a server that we know: the mark is of
 * this very process of it, or of none. */
static bool open_reader(struct scan *s, struct err *err) {
    struct receiver *r = s->r;
    struct redis_client client = REDIS_CLIENT_INIT;
    struct credentials cred = CREDENTIALS_INIT;
    struct endpoint ep = r->spec.source; /* borrowed, but for the database */
    bool refused;
    bool ok;

    ep.database = -1;
    ok = child_ask_credentials(r->socket_fd, "source", &cred, err) &&
         redis_client_open(&client, &ep, &cred, REDIS_SOURCE, OPEN_MS, err);
    credentials_done(&cred);
    ok = ok && redis_client_info(&client, &r->source, &refused, err);
    if (!ok) {
        redis_client_close(&client);
        return err_wrap(err, "connecting to the source %s", r->spec.source.label);
    }
    return scan_reader_open(&s->reader, client, &r->source, err);
}

bool receive_scan(struct receiver *r, struct err *err) {
    struct scan *s = calloc(1, sizeof(*s));
    bool ok;

    if (!s)
        return err_set(err, ERR_MEMORY, "no memory for reading by SCAN");
    s->r = r;
    s->composer = RDB_COMPOSER_INIT;
    s->records = BUF_INIT(SCAN_READER_ANSWERS_MAX);
    ok = open_reader(s, err) && read_all(s, err);
    scan_reader_close(&s->reader);
    buf_done(&s->records);
    free(s);
    return ok;
}
