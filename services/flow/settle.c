#include "services/flow/settle.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/base/arena.h"
#include "proto/command/held_expiry.h"
#include "proto/resp/resp_write.h"
#include "services/common/clock.h"
#include "services/common/failpoint.h"
#include "services/flow/selection.h"
#include "services/redis/redis_scan.h"

enum {
    COUNT_FIRST = 500, /* keys a script looks at, to begin with */
    COUNT_MIN = 10,
    COUNT_MAX = 5000,
    COMMAND_MAX = 128 * 1024,
    SCRIPT_US_MAX = 4000, /* the destination serves nobody else meanwhile */
    FIELDS_AT_ONCE = 200, /* of a hash: one with more is walked in steps */
};

/* What both scripts begin with. ARGV: position's db, db, epoch ("" = nobody's), cursor, count,
 * first, end, pad. */
#define BEGIN                                                                                      \
    "if ARGV[3]~='' then redis.call('SELECT',ARGV[1]) "                                            \
    "if redis.call('HGET',KEYS[1],'epoch')~=ARGV[3] then return 'fenced' end end "                 \
    "redis.call('SELECT',ARGV[2]) "                                                                \
    "local f,e,p=tonumber(ARGV[6]),tonumber(ARGV[7]),tonumber(ARGV[8]) "                           \
    "local n,call=0,redis.call "                                                                   \
    "local function fields(k,h) for i=1,#h do local x=call('HPEXPIRETIME',k,'FIELDS','1',h[i]) "   \
    "if x[1] and x[1]>=f and x[1]<e then "                                                         \
    "call('HPEXPIREAT',k,x[1]-p,'FIELDS','1',h[i]) n=n+1 end end end "

/* One step over the keys; hashes of many fields are named for steps of their own. ARGV[9]: how many
 * that is, then the selection.
 * Before 7.0 there is no PEXPIRETIME; a TTL and the server's clock, which must not have moved
 * on around it, give the same to the millisecond. Numbers that a script hands to a command are
 * written with 17 digits, so a time in milliseconds arrives whole. */
static const char keys_script[] = SELECTION_LUA("10") BEGIN
    "local r=redis.call('SCAN',ARGV[4],'COUNT',ARGV[5]) "
    "local x=redis.pcall('PEXPIRETIME',KEYS[1]) "
    "local old=type(x)=='table' "
    "local function now() local t=redis.call('TIME') "
    "return t[1]*1000+math.floor(t[2]/1000) end "
    "x=redis.pcall('HPEXPIRETIME',KEYS[1],'FIELDS','1','x') "
    "local knows=type(x)=='table' and x['err']==nil local large={} "
    "for _,k in ipairs(r[2]) do if all or sel(k) then local t "
    "if old then local u,v repeat u=now() t=redis.call('PTTL',k) v=now() until u==v "
    "if t>0 then t=t+v end "
    "else t=call('PEXPIRETIME',k) end "
    "if t>=f and t<e then call('PEXPIREAT',k,t-p) n=n+1 end "
    "if knows and call('TYPE',k)['ok']=='hash' then "
    "if call('HLEN',k)>tonumber(ARGV[9]) then large[#large+1]=k "
    "else fields(k,call('HKEYS',k)) end end end end "
    "return {r[1],n,large}";

/* One step over the fields of the hash KEYS[2], which may be gone by now. Whoever lets fields
 * expire knows NOVALUES. */
static const char fields_script[] =
    BEGIN "local r=redis.pcall('HSCAN',KEYS[2],ARGV[4],'COUNT',ARGV[5],'NOVALUES') "
          "if r['err'] then return {'0',0} end "
          "fields(KEYS[2],r[2]) return {r[1],n}";

/* Where a walk is. */
struct walk {
    struct redis_client *client;
    int db;
    const struct settle_options *options; /* NULL: no owner is checked */
    char cursor[REDIS_SCAN_CURSOR_SIZE];
    unsigned count;
    uint64_t settled;
};

/* Of keys when `hash` is NULL, else of its fields. */
static bool one_script(const struct walk *w, const struct str *hash, struct arena *arena,
                       const struct resp_value **ret_reply, struct err *err) {
    const struct settle_options *o = w->options;
    const struct command_prefixes *p = o ? o->prefixes : NULL;
    bool owned = o && o->position_key;
    struct str argv[] = {
        STR_LIT("EVAL"),
        str_from(hash ? fields_script : keys_script),
        str_from(hash ? "2" : "1"),
        str_from(owned ? o->position_key : "keyferry"),
        str_from(arena_printf(arena, "%d", o ? o->position_database : 0)),
        str_from(arena_printf(arena, "%d", w->db)),
        str_from(owned ? arena_printf(arena, "%" PRIu64, o->epoch) : ""),
        str_from(w->cursor),
        str_from(arena_printf(arena, "%u", w->count)),
        str_from(arena_printf(arena, "%" PRIu64, HELD_EXPIRY_FIRST_MS)),
        str_from(arena_printf(arena, "%" PRIu64, HELD_EXPIRY_END_MS)),
        str_from(arena_printf(arena, "%" PRIu64, HELD_EXPIRY_PAD_MS)),
        str_from(arena_printf(arena, "%d", FIELDS_AT_ONCE)),
    };
    size_t argc = LENGTH_OF(argv) - (hash ? 1 : 0);
    struct buf command = BUF_INIT(COMMAND_MAX + (hash ? hash->len : 0));
    bool ok = resp_put_array(&command, argc + (hash ? 1 : selection_arg_count(p, false)), err);

    for (size_t i = 0; ok && i < argc; i++)
        ok = resp_put_bulk(&command, argv[i], err) &&
             (!hash || i != 3 || resp_put_bulk(&command, *hash, err));
    ok = ok && (hash || selection_put_args(p, false, &command, err)) &&
         redis_client_pipeline(w->client, buf_str(&command), 1, arena, ret_reply, err);
    buf_done(&command);
    return ok;
}

/* The cursor moves. */
static bool check(struct walk *w, const struct resp_value *reply, size_t count, struct err *err) {
    if (resp_value_is(reply, "fenced"))
        return err_set(err, ERR_FENCED, "another claim has taken the task");
    if (reply->type != RESP_ARRAY || reply->count != count ||
        reply->items[1].type != RESP_INTEGER || (count > 2 && reply->items[2].type != RESP_ARRAY) ||
        !redis_scan_move(w->cursor, &reply->items[0]))
        return redis_client_unexpected(w->client, reply, "settling expiries", err);
    return true;
}

static void advance(struct walk *w, const struct resp_value *reply, int64_t took_us) {
    uint64_t settled = (uint64_t)reply->items[1].integer;

    w->settled += settled;
    if (w->options && w->options->keys_done)
        atomic_fetch_add_explicit(w->options->keys_done, settled, memory_order_relaxed);
    if (took_us > SCRIPT_US_MAX && w->count > COUNT_MIN)
        w->count /= 2;
    else if (took_us < SCRIPT_US_MAX / 3 && w->count < COUNT_MAX)
        w->count += w->count / 4;
}

/* *ret_reply lives in `arena`. */
static bool step(struct walk *w, const struct str *hash, struct arena *arena,
                 const struct resp_value **ret_reply, struct err *err) {
    int64_t begun_us = clock_mono_us();

    if (!failpoint(FAILPOINT_SETTLE_STEP, err) || !one_script(w, hash, arena, ret_reply, err) ||
        !check(w, *ret_reply, hash ? 2 : 3, err))
        return false;
    advance(w, *ret_reply, clock_mono_us() - begun_us);
    return true;
}

static bool settle_fields(const struct walk *keys, struct str hash, uint64_t *ret_settled,
                          struct err *err) {
    struct walk w = {.client = keys->client,
                     .db = keys->db,
                     .options = keys->options,
                     .cursor = "0",
                     .count = FIELDS_AT_ONCE};
    bool ok;

    do {
        struct arena arena = ARENA_INIT;
        const struct resp_value *reply;

        ok = step(&w, &hash, &arena, &reply, err);
        arena_done(&arena);
    } while (ok && !redis_scan_is_over(w.cursor));
    *ret_settled = w.settled;
    return ok;
}

bool settle_database(struct redis_client *client, int db, const struct settle_options *options,
                     uint64_t *ret_settled, struct err *err) {
    struct walk w = {
        .client = client, .db = db, .options = options, .cursor = "0", .count = COUNT_FIRST};
    bool ok;

    do {
        struct arena arena = ARENA_INIT;
        const struct resp_value *reply;
        uint64_t fields;

        ok = step(&w, NULL, &arena, &reply, err);
        for (size_t i = 0; ok && i < reply->items[2].count; i++) {
            ok = settle_fields(&w, reply->items[2].items[i].str, &fields, err);
            w.settled += fields;
        }
        arena_done(&arena);
    } while (ok && !redis_scan_is_over(w.cursor));
    if (ok)
        *ret_settled = w.settled;
    return ok;
}
