#include "services/flow/tail_records.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/hex.h"
#include "services/flow/child.h"

enum {
    MESSAGE_BYTES = 64 * 1024, /* of commands in one message; they travel as hex */
    POLL_MS = 200,
    DETAIL_MAX = 400,
};

static bool ask(struct applier *a, json_t *question_taken, json_t **ret_answer, struct err *err) {
    bool ok = child_ask(a->socket_fd, question_taken, "records_answer", ret_answer, err);

    json_decref(question_taken);
    return ok || err_wrap(err, "asking about commands on record");
}

/* ---- keeping ------------------------------------------------------------------------- */

static json_t *hex_json(const char *bytes, size_t len) {
    char *hex = malloc(2 * len + 1);
    json_t *text;

    if (!hex)
        abort();
    hex_encode(str_of(bytes, len), hex);
    text = json_string(hex);
    free(hex);
    return text;
}

static json_t *item_json(const struct stream_unit *u, const struct stream_reject *r) {
    json_t *item =
        json_pack("{s:I, s:i, s:s, s:s}", "offset", (json_int_t)r->offset, "db", r->source_db,
                  "command", r->name, "reason", stream_reason_name(r->reason));
    char hash[17];

    snprintf(hash, sizeof(hash), "%016" PRIx64, r->key_hash);
    if (r->has_key)
        json_object_set_new(item, "key_hash", json_string(hash));
    if (r->len > 0)
        json_object_set_new(item, "payload", hex_json(u->reject_bytes.ptr + r->at, r->len));
    return item;
}

bool tail_records_keep(struct applier *a, const struct stream_unit *u, struct err *err) {
    for (uint32_t i = 0; i < u->reject_count;) {
        json_t *items = json_array(), *answer = NULL;
        size_t bytes = 0;

        do {
            json_array_append_new(items, item_json(u, &u->rejects[i]));
            bytes += u->rejects[i].len + 256;
            i++;
        } while (i < u->reject_count && bytes + u->rejects[i].len < MESSAGE_BYTES);
        if (!ask(a,
                 json_pack("{s:s, s:s, s:I, s:o}", "type", "records", "op", "keep", "generation",
                           (json_int_t)a->position.generation, "items", items),
                 &answer, err))
            return false;
        json_decref(answer);
    }
    return true;
}

/* ---- replaying ------------------------------------------------------------------------- */

/* The last replay that the destination has. The tail's own connection is inside MULTI. */
static bool last_done(struct applier *a, uint64_t *ret_replay, struct err *err) {
    struct redis_client client = REDIS_CLIENT_INIT;
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    char key[POSITION_KEY_MAX];
    bool ok;

    position_key(&a->spec, key);
    ok = applier_connect(a, &client, err) &&
         redis_client_call(&client, &arena, &reply, err, "HGET", key, "replay", NULL);
    if (ok && reply->type == RESP_ERROR)
        ok = redis_client_refused(&client, reply, "reading our position", err);
    else if (ok && (reply->type != RESP_BULK || !str_parse_u64(reply->str, ret_replay)))
        *ret_replay = 0;
    redis_client_close(&client);
    arena_done(&arena);
    return ok;
}

static bool put_number(struct applier *a, uint64_t replay, struct stream_unit *u, struct err *err) {
    char key[POSITION_KEY_MAX], number[24];
    struct str argv[] = {STR_LIT("HSET"), STR_EMPTY, STR_LIT("replay"), STR_EMPTY};

    position_key(&a->spec, key);
    snprintf(number, sizeof(number), "%" PRIu64, replay);
    argv[1] = str_from(key);
    argv[3] = str_from(number);
    return unit_select(&u->unit, a->spec.lowest_database, err) &&
           unit_command(&u->unit, argv, LENGTH_OF(argv), err);
}

/* Send and wait: a replay is rare, and what follows needs its outcome. */
static bool send_unit(struct applier *a, struct lane *lane, struct stream_unit *u,
                      struct err *err) {
    struct lane_position end = {.next = a->position.next, .source_db = a->position.source_db};

    if (!lane_send(lane, &u->unit, &a->position, &end, err))
        return false;
    while (lane->state != LANE_READY) {
        struct pollfd fd = {.fd = lane_fd(lane), .events = lane_events(lane)};

        (void)poll(&fd, 1, POLL_MS);
        if (!lane_pump(lane, err))
            return false;
    }
    a->position.seq++;
    return true;
}

static bool bytes_of(const json_t *answer, struct buf *out, struct err *err) {
    struct str hex = str_from(json_string_value(json_object_get(answer, "payload")));

    if (!buf_reserve(out, hex.len / 2 + 1, err))
        return false;
    if (hex.len == 0 || !hex_decode(hex, out->ptr))
        return err_set(err, ERR_PROTOCOL, "a replay without a command");
    out->len = hex.len / 2;
    return true;
}

bool tail_records_is_refusal(enum err_code code) {
    switch (code) {
    case ERR_PROTOCOL:
    case ERR_TOO_BIG:
    case ERR_RDB_CORRUPT:
    case ERR_UNKNOWN_COMMAND:
    case ERR_COMMAND_REFUSED:
    case ERR_SELECTION_CROSSED:
    case ERR_UNIT_TOO_LARGE:
    case ERR_DEST_UNKNOWN_COMMAND:
    case ERR_DEST_DB_RANGE:
    case ERR_DEST_RESTORE:
    case ERR_DEST_IN_USE:
    case ERR_DEST_NOPERM:
    case ERR_DEST_REFUSED:
        return true;
    default:
        return false;
    }
}

/* One command: *ret_why is its refusal, ERR_NONE when it was applied. */
static bool replay_one(struct applier *a, struct lane *lane, struct stream_units *s,
                       struct stream_unit *u, const json_t *answer, struct err *ret_why,
                       struct err *err) {
    struct buf bytes = BUF_INIT(STREAM_REJECT_BYTES_MAX);
    uint64_t replay = (uint64_t)json_integer_value(json_object_get(answer, "replay"));
    bool ok = bytes_of(answer, &bytes, err);

    if (ok && stream_units_replay(s, (int)json_integer_value(json_object_get(answer, "db")),
                                  buf_str(&bytes), u, ret_why)) {
        ok = put_number(a, replay, u, err) && send_unit(a, lane, u, err);
        if (ok) {
            CONTROL_ADD(a, commands_applied, u->commands);
            CONTROL_ADD(a, bytes_applied, u->unit.bytes);
        }
    } else if (ok && !tail_records_is_refusal(ret_why->code)) {
        *err = *ret_why;
        ok = err_wrap(err, "applying a command on record");
    }
    stream_unit_clear(u, a);
    buf_done(&bytes);
    return ok;
}

bool tail_records_replay(struct applier *a, struct lane *lane, struct stream_units *s,
                         struct stream_unit *u, uint64_t *ret_upto, struct err *err) {
    uint64_t wanted = CONTROL_GET(a, replay_wanted), done, after = 0;

    if (!last_done(a, &done, err))
        return false;
    for (;;) {
        struct err why = ERR_INIT;
        json_t *answer = NULL;
        char detail[DETAIL_MAX] = "";
        uint64_t replay;
        bool ok;

        if (!ask(a,
                 json_pack("{s:s, s:s, s:I}", "type", "records", "op", "next", "after",
                           (json_int_t)after),
                 &answer, err))
            return false;
        replay = (uint64_t)json_integer_value(json_object_get(answer, "replay"));
        ok = replay == 0 || replay <= done || replay_one(a, lane, s, u, answer, &why, err);
        json_decref(answer);
        if (!ok)
            return false;
        if (replay == 0)
            break;
        after = replay;
        if (why.code)
            err_format(&why, detail, sizeof(detail));
        answer = NULL;
        if (!ask(a,
                 json_pack("{s:s, s:s, s:I, s:s?}", "type", "records", "op", "result", "replay",
                           (json_int_t)replay, "detail", why.code ? detail : NULL),
                 &answer, err))
            return false;
        json_decref(answer);
    }
    *ret_upto = wanted;
    return true;
}
