#include "services/flow/scan_reader.h"

#include <stdint.h>

#include "proto/resp/resp_reply.h"
#include "proto/resp/resp_write.h"
#include "services/common/clock.h"

enum {
    CALL_MS = 10000,
    SILENT_MS = 60000,
    READ_BYTES = 256 * 1024,
    KEYS_FIRST = 16,
    KEEP_BYTES = 4 * 1024 * 1024, /* of memory between requests */
    KEYS_PER_CLOCK = 16,
    TIME_ITEMS = 3,      /* an array and its two texts */
    READS_PER_PUMP = 64, /* then the owner has its turn */
};

#define SCAN_COUNT "1000"

static bool refused(const struct scan_reader *s, struct str text, const char *doing,
                    struct err *err) {
    const struct resp_value reply = {.type = RESP_ERROR, .str = text};

    return redis_client_refused(&s->client, &reply, doing, err);
}

bool scan_reader_open(struct scan_reader *s, struct redis_client client,
                      const struct redis_info *info, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok;

    *s = (struct scan_reader){.client = client,
                              .has_functions = info->redis_compat >= 70000,
                              .keys_wanted = KEYS_FIRST,
                              .match = "",
                              .type = "",
                              .out = BUF_INIT(SCAN_READER_ANSWERS_MAX),
                              .in = BUF_INIT(SCAN_READER_ANSWERS_MAX)};
    s->client.timeout_ms = CALL_MS;
    /* Reading every key must not make every key look used. Servers before 7.2 do not know
     * how, and an account may not be allowed to say so: then it does. */
    ok = redis_client_call(&s->client, &arena, &reply, err, "CLIENT", "NO-TOUCH", "ON", NULL) &&
         redis_client_call(&s->client, &arena, &reply, err, "PEXPIRETIME", "", NULL);
    s->has_expiretime = ok && reply->type == RESP_INTEGER;
    arena_done(&arena);
    return ok;
}

void scan_reader_close(struct scan_reader *s) {
    redis_client_close(&s->client);
    buf_done(&s->out);
    buf_done(&s->in);
}

bool scan_reader_select(struct scan_reader *s, uint32_t db, bool *ret_exists, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok = redis_client_call(&s->client, &arena, &reply, err, "SELECT",
                                arena_printf(&arena, "%u", (unsigned)db), NULL);

    if (ok && reply->type == RESP_ERROR && resp_error_class(reply->str) == RESP_ERROR_DB_RANGE) {
        *ret_exists = false;
    } else if (ok) {
        *ret_exists = true;
        ok = resp_value_is(reply, "OK") ||
             redis_client_refused(&s->client, reply, "choosing a database", err);
    }
    arena_done(&arena);
    return ok;
}

bool scan_reader_scan(struct scan_reader *s, uint64_t cursor, struct arena *arena,
                      const struct resp_value **ret_keys, uint64_t *ret_next, struct err *err) {
    const char *at = arena_printf(arena, "%llu", (unsigned long long)cursor);
    struct str argv[8] = {STR_LIT("SCAN"), str_from(at), STR_LIT("COUNT"), STR_LIT(SCAN_COUNT)};
    const struct resp_value *reply, *keys;
    size_t argc = 4;

    if (s->match[0]) {
        argv[argc++] = STR_LIT("MATCH");
        argv[argc++] = str_from(s->match);
    }
    if (s->type[0]) {
        argv[argc++] = STR_LIT("TYPE");
        argv[argc++] = str_from(s->type);
    }
    if (!redis_client_command(&s->client, argc, argv, arena, &reply, err))
        return false;
    if (reply->type == RESP_ERROR)
        return redis_client_refused(&s->client, reply, "SCAN", err);
    keys = reply->type == RESP_ARRAY && reply->count == 2 ? &reply->items[1] : NULL;
    if (!keys || keys->type != RESP_ARRAY || reply->items[0].type != RESP_BULK ||
        !str_parse_u64(reply->items[0].str, ret_next))
        return err_set(err, ERR_PROTOCOL, "SCAN was answered with something else than its form");
    for (size_t i = 0; i < keys->count; i++)
        if (keys->items[i].type != RESP_BULK)
            return err_set(err, ERR_PROTOCOL, "SCAN named a key that is no text");
    *ret_keys = keys;
    return true;
}

bool scan_reader_functions(struct scan_reader *s, struct arena *arena, struct str *ret_payload,
                           bool *ret_refused, struct err *err) {
    const struct resp_value *reply;

    *ret_payload = STR_EMPTY;
    *ret_refused = false;
    if (!s->has_functions)
        return true;
    if (!redis_client_call(&s->client, arena, &reply, err, "FUNCTION", "DUMP", NULL))
        return false;
    if (reply->type == RESP_BULK) {
        *ret_payload = reply->str;
        return true;
    }
    *ret_refused =
        reply->type == RESP_ERROR && (resp_error_class(reply->str) == RESP_ERROR_NOPERM ||
                                      resp_error_class(reply->str) == RESP_ERROR_UNKNOWN_COMMAND);
    return *ret_refused || redis_client_refused(&s->client, reply, "FUNCTION DUMP", err);
}

/* ---- many keys at once ------------------------------------------------------------------ */

static void clear(struct buf *b) {
    if (b->cap > KEEP_BYTES)
        buf_done(b);
    buf_clear(b);
}

/* Clocks that are asked for among so many keys. */
static size_t clocks_of(const struct scan_reader *s, size_t keys) {
    return s->has_expiretime ? 0 : (keys + KEYS_PER_CLOCK - 1) / KEYS_PER_CLOCK;
}

/* Expiries come behind all values, which may take the source a while: its clock is then
 * right behind them. */
static bool put_expiries(struct scan_reader *s, const struct resp_value *keys, struct err *err) {
    struct str ttl[] = {s->has_expiretime ? STR_LIT("PEXPIRETIME") : STR_LIT("PTTL"), STR_EMPTY};

    for (size_t i = 0; i < s->asked; i++) {
        bool clock = (i + 1) % KEYS_PER_CLOCK == 0 || i + 1 == s->asked;

        ttl[1] = keys[i].str;
        if (!resp_put_command(&s->out, LENGTH_OF(ttl), ttl, err) ||
            (clock && !s->has_expiretime && !resp_put_words(&s->out, err, "TIME", NULL)))
            return false;
    }
    return true;
}

bool scan_reader_ask(struct scan_reader *s, const struct resp_value *keys, size_t count,
                     size_t limit, size_t *ret_asked, struct err *err) {
    struct str dump[] = {STR_LIT("DUMP"), STR_EMPTY};
    size_t most = s->keys_wanted < limit ? s->keys_wanted : limit, n;

    clear(&s->out);
    clear(&s->in);
    s->out_at = s->in_at = s->items = 0;
    for (n = 0; n < count && n < most; n++) {
        dump[1] = keys[n].str;
        if (n > 0 && s->out.len + keys[n].str.len > SCAN_READER_REQUEST_BYTES)
            break;
        if (!resp_put_command(&s->out, LENGTH_OF(dump), dump, err))
            return false;
    }
    s->asked = n;
    s->items_wanted = 2 * n + TIME_ITEMS * clocks_of(s, n);
    s->heard_at_ms = clock_mono_ms();
    *ret_asked = n;
    return put_expiries(s, keys, err);
}

static bool take_value(struct scan_reader *s, size_t i, const struct resp_item *item,
                       struct err *err) {
    bool gone = item->type == RESP_NIL;

    if (!gone && item->type != RESP_BULK)
        return err_set(err, ERR_PROTOCOL, "DUMP was answered with something else than a payload");
    s->answers[i].is_gone = gone;
    s->answers[i].dump_at = gone ? 0 : (size_t)(item->str.ptr - s->in.ptr);
    s->answers[i].dump_len = gone ? 0 : item->str.len;
    return true;
}

/* Part `at` of the clock behind the expiries [first, end), which count from it. */
static bool take_clock(struct scan_reader *s, size_t at, size_t first, size_t end,
                       const struct resp_item *item, struct err *err) {
    int64_t number;

    if (at == 0 && item->type == RESP_ARRAY && item->integer == 2)
        return true;
    if (at == 0 || item->type != RESP_BULK || !str_parse_i64(item->str, &number) || number < 0 ||
        number > INT32_MAX * (int64_t)1000)
        return err_set(err, ERR_PROTOCOL, "TIME was answered with something else than a time");
    s->clock_ms = at == 1 ? number * 1000 : s->clock_ms + number / 1000;
    for (size_t i = first; at == 2 && i < end; i++)
        if (s->answers[i].expiry >= 0 &&
            __builtin_add_overflow(s->answers[i].expiry, s->clock_ms, &s->answers[i].expiry))
            return err_set(err, ERR_PROTOCOL, "an expiry lies beyond all time");
    return true;
}

static bool take_expiry(struct scan_reader *s, size_t at, const struct resp_item *item,
                        struct err *err) {
    size_t row = s->has_expiretime ? SIZE_MAX : KEYS_PER_CLOCK + TIME_ITEMS;
    size_t first = at / row * KEYS_PER_CLOCK, place = at % row, end = s->asked;

    if (!s->has_expiretime && end - first > KEYS_PER_CLOCK)
        end = first + KEYS_PER_CLOCK;
    if (place >= end - first)
        return take_clock(s, place - (end - first), first, end, item, err);
    if (item->type != RESP_INTEGER)
        return err_set(err, ERR_PROTOCOL, "an expiry is no number");
    s->answers[first + place].expiry = item->integer;
    return true;
}

static bool take_item(struct scan_reader *s, const struct resp_item *item, struct err *err) {
    if (item->type == RESP_ERROR)
        return refused(s, item->str, "reading a key", err);
    return s->items < s->asked ? take_value(s, s->items, item, err)
                               : take_expiry(s, s->items - s->asked, item, err);
}

static bool parse(struct scan_reader *s, struct err *err) {
    while (s->items < s->items_wanted) {
        struct resp_item item;
        size_t used;

        switch (resp_reply_next(str_skip(buf_str(&s->in), s->in_at), &used, &item, err)) {
        case RESP_WRONG:
            return err_wrap(err, "an answer of %s", s->client.label);
        case RESP_NEED_MORE:
            return true;
        case RESP_GOT:
            break;
        }
        if (!take_item(s, &item, err))
            return false;
        s->items++;
        s->in_at += used;
    }
    return true;
}

/* As many keys as would have filled the answers that are wanted, by the size of these:
 * never more than twice as many as before, because sizes lie together. */
static void learn(struct scan_reader *s) {
    size_t average = s->asked ? s->in.len / s->asked + 1 : 1;
    size_t fit = SCAN_READER_ANSWERS_WANTED / average;

    if (fit > s->keys_wanted * 2)
        fit = s->keys_wanted * 2;
    s->keys_wanted = fit < 1 ? 1 : fit < SCAN_READER_KEYS_MAX ? fit : SCAN_READER_KEYS_MAX;
}

static bool read_some(struct scan_reader *s, bool *ret_any, struct err *err) {
    size_t n;

    if (!buf_reserve(&s->in, READ_BYTES, err))
        return err_wrap(err, "the answers of %s", s->client.label);
    if (!conn_read(s->client.conn, s->in.ptr + s->in.len, READ_BYTES, &n, err))
        return err_recode(err, ERR_SOURCE_DOWN, "reading from the source");
    s->in.len += n;
    *ret_any = n > 0;
    return n == 0 || parse(s, err);
}

bool scan_reader_pump(struct scan_reader *s, bool *ret_done, struct err *err) {
    bool any = true;

    while (s->out_at < s->out.len) {
        struct iovec iov = {.iov_base = s->out.ptr + s->out_at, .iov_len = s->out.len - s->out_at};
        size_t n;

        if (!conn_writev(s->client.conn, &iov, 1, &n, err))
            return err_recode(err, ERR_SOURCE_DOWN, "writing to the source");
        if (n == 0)
            break;
        s->out_at += n;
    }
    for (int i = 0; i < READS_PER_PUMP && any && s->items < s->items_wanted; i++) {
        if (!read_some(s, &any, err))
            return false;
        if (any)
            s->heard_at_ms = clock_mono_ms();
    }
    *ret_done = s->items == s->items_wanted;
    if (*ret_done && s->in_at != s->in.len)
        return err_set(err, ERR_PROTOCOL, "%s answered more than it was asked", s->client.label);
    if (*ret_done)
        learn(s);
    else if (clock_mono_ms() - s->heard_at_ms > SILENT_MS)
        return err_set(err, ERR_TIMEOUT, "the source was silent for %d s", SILENT_MS / 1000);
    return true;
}

bool scan_reader_answer(const struct scan_reader *s, size_t i, struct str *ret_payload,
                        int64_t *ret_expire_at_ms) {
    int64_t expiry = s->answers[i].expiry;

    /* -2: it went away between the two commands. */
    if (s->answers[i].is_gone || expiry == -2)
        return false;
    *ret_payload = str_of(s->in.ptr + s->answers[i].dump_at, s->answers[i].dump_len);
    *ret_expire_at_ms = expiry < 0 ? -1 : expiry;
    return true;
}
