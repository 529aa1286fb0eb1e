#include "services/ctl/ctl_settle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/arena.h"
#include "services/ctl/ctl_exit.h"
#include "services/ctl/ctl_secrets.h"
#include "services/ctl/ctl_text.h"
#include "services/flow/position.h"
#include "services/flow/settle.h"
#include "services/net/endpoint.h"
#include "services/redis/redis_scan.h"

enum { CONNECT_MS = 10000 };

struct settle {
    struct redis_client client;
    struct redis_info info;
    bool abandoned;
    unsigned closed; /* positions */
    uint64_t keys;
};

static bool select_database(struct settle *s, struct arena *arena, int db, struct err *err) {
    const struct resp_value *reply;

    return redis_client_call(&s->client, arena, &reply, err, "SELECT",
                             arena_printf(arena, "%d", db), NULL) &&
           (reply->type != RESP_ERROR ||
            redis_client_refused(&s->client, reply, "selecting a database", err));
}

/* One key that has our prefix: a position that is not over is closed, or refused. */
static bool look_at(struct settle *s, struct arena *arena, struct str key, struct err *err) {
    const struct str read[] = {STR_LIT("HGET"), key, STR_LIT("state")};
    const struct str close[] = {STR_LIT("HSET"), key, STR_LIT("state"), STR_LIT("stopped")};
    const struct str fence[] = {STR_LIT("HINCRBY"), key, STR_LIT("epoch"), STR_LIT("1")};
    const struct resp_value *state, *reply;
    char name[128];

    if (!redis_client_command(&s->client, LENGTH_OF(read), read, arena, &state, err))
        return false;
    /* Another type, or no state: not a position. */
    if (state->type != RESP_BULK || (!resp_value_is(state, position_state_name(POSITION_COPY)) &&
                                     !resp_value_is(state, position_state_name(POSITION_TAIL))))
        return true;
    str_escape(key, name, sizeof(name));
    if (!s->abandoned)
        return err_set(
            err, ERR_USAGE,
            "the job of %s has not ended there: `keyferry job stop` settles it; if it is "
            "gone for good, add --abandoned",
            name);
    s->closed++;
    return redis_client_command(&s->client, LENGTH_OF(fence), fence, arena, &reply, err) &&
           (reply->type != RESP_ERROR ||
            redis_client_refused(&s->client, reply, "closing a position", err)) &&
           redis_client_command(&s->client, LENGTH_OF(close), close, arena, &reply, err) &&
           (reply->type != RESP_ERROR ||
            redis_client_refused(&s->client, reply, "closing a position", err));
}

static bool look_at_page(struct settle *s, char cursor[REDIS_SCAN_CURSOR_SIZE], struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *keys;
    bool ok = redis_scan_step(&s->client, &arena, cursor, POSITION_PREFIX "*", "1000",
                              "looking for positions", &keys, err);

    for (size_t i = 0; ok && i < keys->count; i++)
        ok = look_at(s, &arena, keys->items[i].str, err);
    arena_done(&arena);
    return ok;
}

static bool close_positions(struct settle *s, int db, struct err *err) {
    char cursor[REDIS_SCAN_CURSOR_SIZE] = "0";
    struct arena arena = ARENA_INIT;
    bool ok = select_database(s, &arena, db, err);

    arena_done(&arena);
    do
        ok = ok && look_at_page(s, cursor, err);
    while (ok && !redis_scan_is_over(cursor));
    return ok;
}

static bool settle_walk(struct settle *s, uint64_t *ret_settled, struct err *err) {
    *ret_settled = 0;
    for (uint32_t i = 0; i < s->info.database_count; i++) {
        uint64_t settled = 0;

        if (!settle_database(&s->client, s->info.databases[i].number, NULL, &settled, err))
            return false;
        *ret_settled += settled;
    }
    return true;
}

static bool settle_all(struct settle *s, struct err *err) {
    uint64_t settled = 1;
    bool refused = false;

    if (!redis_client_info(&s->client, &s->info, &refused, err))
        return false;
    if (refused || !s->info.has_keyspace)
        return err_set(err, ERR_DEST_NOPERM, "the account may not read which databases there are");
    /* All positions first: an epoch counts in every database. */
    for (uint32_t i = 0; i < s->info.database_count; i++) {
        if (!close_positions(s, s->info.databases[i].number, err))
            return false;
    }
    for (int walk = 0; settled > 0 && walk < SETTLE_WALKS_MAX; walk++) {
        if (!settle_walk(s, &settled, err))
            return false;
        s->keys += settled;
    }
    return true;
}

static bool connect(const struct ctl_args *args, struct redis_client *ret, struct err *err) {
    struct credentials cred = CREDENTIALS_INIT;
    struct endpoint ep = ENDPOINT_INIT;
    char pointer[ENDPOINT_POINTER_SIZE];
    json_t *reference = NULL;
    /* Whoever runs this reaches what is here without us. */
    bool ok = setenv("KEYFERRY_EGRESS_ALLOW", "unix loopback", 0) == 0 &&
              ctl_secrets_endpoint(args, CTL_DESTINATION, args->argument[0], &reference, err) &&
              endpoint_parse_reference(reference, &ep, &cred, pointer, err) &&
              redis_client_open(ret, &ep, &cred, REDIS_DESTINATION, CONNECT_MS, err);

    json_decref(reference);
    credentials_done(&cred);
    endpoint_done(&ep);
    return ok;
}

int ctl_settle_run(const struct ctl_args *args) {
    struct settle s = {.client = REDIS_CLIENT_INIT,
                       .abandoned = ctl_args_flag(args, CTL_ABANDONED)};
    struct err err = ERR_INIT;
    char text[CTL_TEXT_SIZE];
    bool ok;

    ok = connect(args, &s.client, &err) && settle_all(&s, &err);
    redis_client_close(&s.client);
    if (!ok)
        return ctl_exit_with(&err);
    if (s.closed > 0)
        printf("closed %u position%s of jobs that had not ended\n", s.closed,
               s.closed == 1 ? "" : "s");
    printf("%s expiries put right\n", ctl_text_count(s.keys, text));
    return CTL_EXIT_REACHED;
}
