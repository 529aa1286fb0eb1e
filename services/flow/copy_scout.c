#include "services/flow/copy_scout.h"

#include "proto/rdb/rdb_string.h"
#include "proto/resp/resp_write.h"
#include "services/common/clock.h"

enum { KEY_MAX = 512 * 1024 * 1024, OUT_MAX = REDIS_CLIENT_REQUEST_MAX };

void copy_scout_init(struct copy_scout *s) {
    s->is_on = false;
    s->client = REDIS_CLIENT_INIT;
    s->count = s->next = 0;
    s->walked_to = 0;
    s->out = BUF_INIT(OUT_MAX);
    s->key_scratch = BUF_INIT(KEY_MAX);
}

void copy_scout_done(struct copy_scout *s) {
    redis_client_close(&s->client);
    buf_done(&s->out);
    buf_done(&s->key_scratch);
}

bool copy_scout_open(struct copy_scout *s, struct applier *a, struct err *err) {
    s->is_on = applier_connect(a, &s->client, err);
    return s->is_on;
}

/* What is asked in one go. */
struct question {
    int database; /* selected so far */
    size_t replies;
    size_t reply_of[SCOUT_KEYS_MAX];
};

static bool put_key(struct copy_scout *s, struct applier *a, const struct rdb_event *ev,
                    uint64_t end, struct question *q, struct err *err) {
    struct str key;
    int database;
    char text[16];

    if (!applier_map_database(a, ev->key.db, &database, err))
        return false;
    if (database < 0)
        return true; /* not selected: the copy leaves it out, too */
    if (!rdb_string_decode(ev->key.key, &s->key_scratch, &key, err))
        return false;
    if (!command_prefixes_take(task_objects_prefixes(&a->spec.objects, (int)ev->key.db), key))
        return true;
    if (database != q->database) {
        snprintf(text, sizeof(text), "%d", database);
        if (!resp_put_words(&s->out, err, "SELECT", text, NULL))
            return false;
        q->database = database;
        q->replies++;
    }
    if (!resp_put_array(&s->out, 2, err) || !resp_put_bulk(&s->out, STR_LIT("EXISTS"), err) ||
        !resp_put_bulk(&s->out, key, err))
        return false;
    s->answers[s->count].end = end;
    q->reply_of[s->count++] = q->replies++;
    return true;
}

/* Walk over whole records and write down what to ask. */
static bool gather(struct copy_scout *s, struct applier *a, struct rdb_parser *parser,
                   struct str rest, struct question *q, struct err *err) {
    uint64_t from = parser->offset;

    buf_clear(&s->out);
    s->count = s->next = 0;
    while (s->count < SCOUT_KEYS_MAX && s->out.len < SCOUT_REQUEST_BYTES) {
        struct err ignored = ERR_INIT;
        struct rdb_event ev;

        /* What is wrong there, the copy itself will meet. */
        if (rdb_parser_next(parser, str_skip(rest, parser->offset - from), &ev, &ignored) !=
            RDB_EVENT)
            break;
        if (ev.kind == RDB_EV_KEY && !put_key(s, a, &ev, parser->offset, q, err))
            return false;
        /* Templates are the copy's to gather; behind them it will look again. */
        if (ev.kind == RDB_EV_HASH_TEMPLATE || ev.kind == RDB_EV_EOF)
            break;
    }
    s->walked_to = parser->offset;
    return true;
}

static bool ask(struct copy_scout *s, const struct question *q, struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *replies[2 * SCOUT_KEYS_MAX];
    bool ok;

    if (s->count == 0)
        return true;
    ok = redis_client_pipeline(&s->client, buf_str(&s->out), q->replies, &arena, replies, err) ||
         err_recode(err, ERR_DEST_DOWN, "asking which keys exist");
    for (size_t i = 0; ok && i < q->replies; i++) {
        if (replies[i]->type == RESP_ERROR)
            ok = redis_client_refused(&s->client, replies[i], "asking which keys exist", err);
    }
    for (size_t i = 0; ok && i < s->count; i++)
        s->answers[i].exists =
            replies[q->reply_of[i]]->type == RESP_INTEGER && replies[q->reply_of[i]]->integer > 0;
    arena_done(&arena);
    s->asked_at_ms = clock_mono_ms();
    return ok;
}

bool copy_scout_look(struct copy_scout *s, struct applier *a, const struct rdb_parser *parser,
                     struct str rest, struct err *err) {
    struct question q;
    struct rdb_parser ahead;

    if (!s->is_on)
        return true;
    /* Records that are not selected need no answer, however many they are. */
    if (s->next < s->count ? clock_mono_ms() - s->asked_at_ms < SCOUT_ANSWER_MS
                           : parser->offset < s->walked_to)
        return true;
    q = (struct question){.database = -1};
    ahead = *parser;
    rdb_parser_skip_crc(&ahead);
    return gather(s, a, &ahead, rest, &q, err) && ask(s, &q, err);
}

bool copy_scout_take(struct copy_scout *s, uint64_t end) {
    while (s->next < s->count && s->answers[s->next].end < end)
        s->next++;
    return s->next < s->count && s->answers[s->next].end == end && s->answers[s->next++].exists;
}

bool copy_scout_count(struct copy_scout *s, struct applier *a, const struct rdb_parser *parser,
                      struct str rest, uint64_t *ret_count, struct err *err) {
    struct rdb_parser ahead = *parser;
    uint64_t from = ahead.offset;
    uint64_t count = 0;

    rdb_parser_skip_crc(&ahead);
    do {
        struct question q = {.database = -1};

        if (!gather(s, a, &ahead, str_skip(rest, ahead.offset - from), &q, err) || !ask(s, &q, err))
            return false;
        for (size_t i = 0; i < s->count; i++)
            count += s->answers[i].exists;
    } while (s->count > 0);
    s->count = 0;
    *ret_count = count;
    return true;
}
