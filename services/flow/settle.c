#include "services/flow/settle.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/base/arena.h"
#include "proto/command/held_expiry.h"
#include "proto/resp/resp_write.h"
#include "services/common/clock.h"
#include "services/common/failpoint.h"
#include "services/flow/selection.h"

enum {
    COUNT_FIRST = 500, /* keys a script looks at, to begin with */
    COUNT_MIN = 10,
    COUNT_MAX = 5000,
    COMMAND_MAX = 128 * 1024,
    SCRIPT_US_MAX = 4000, /* the destination serves nobody else meanwhile */
};

/* ARGV: position's db, db, epoch ("" = nobody's), cursor, count, first, end, pad, selection.
 * Before 7.0 there is no PEXPIRETIME; a TTL and the server's clock, which must not have moved
 * on around it, give the same to the millisecond. Numbers that a script hands to a command are
 * written with 17 digits, so a time in milliseconds arrives whole. */
static const char script[] = SELECTION_LUA(
    "9") "if ARGV[3]~='' then redis.call('SELECT',ARGV[1]) "
         "if redis.call('HGET',KEYS[1],'epoch')~=ARGV[3] then return 'fenced' end end "
         "redis.call('SELECT',ARGV[2]) "
         "local f,e,p=tonumber(ARGV[6]),tonumber(ARGV[7]),tonumber(ARGV[8]) "
         "local r=redis.call('SCAN',ARGV[4],'COUNT',ARGV[5]) "
         "local n,call=0,redis.call "
         "local x=redis.pcall('PEXPIRETIME',KEYS[1]) "
         "local old=type(x)=='table' "
         "local function now() local t=redis.call('TIME') "
         "return t[1]*1000+math.floor(t[2]/1000) end "
         "local fields=type(redis.pcall('HPEXPIRETIME',KEYS[1],'FIELDS','1','x'))=='table' "
         "and redis.pcall('HPEXPIRETIME',KEYS[1],'FIELDS','1','x')['err']==nil "
         "for _,k in ipairs(r[2]) do if all or sel(k) then local t "
         "if old then local u,v repeat u=now() t=redis.call('PTTL',k) v=now() until u==v "
         "if t>0 then t=t+v end "
         "else t=call('PEXPIRETIME',k) end "
         "if t>=f and t<e then call('PEXPIREAT',k,t-p) n=n+1 end "
         "if fields and call('TYPE',k)['ok']=='hash' then local c='0' repeat "
         "local h=redis.call('HSCAN',k,c,'COUNT',200) c=h[1] "
         "for i=1,#h[2],2 do local x=redis.call('HPEXPIRETIME',k,'FIELDS','1',h[2][i]) "
         "if x[1] and x[1]>=f and x[1]<e then "
         "call('HPEXPIREAT',k,x[1]-p,'FIELDS','1',h[2][i]) n=n+1 end "
         "end "
         "until c=='0' end end end "
         "return {r[1],n}";

static bool one_script(struct redis_client *client, struct arena *arena, int db,
                       const struct settle_options *o, const char *cursor, unsigned count,
                       const struct resp_value **ret_reply, struct err *err) {
    const struct command_prefixes *p = o ? o->prefixes : NULL;
    bool owned = o && o->position_key;
    struct str argv[] = {
        STR_LIT("EVAL"),
        str_from(script),
        STR_LIT("1"),
        str_from(owned ? o->position_key : "keyferry"),
        str_from(arena_printf(arena, "%d", o ? o->position_database : 0)),
        str_from(arena_printf(arena, "%d", db)),
        str_from(owned ? arena_printf(arena, "%" PRIu64, o->epoch) : ""),
        str_from(cursor),
        str_from(arena_printf(arena, "%u", count)),
        str_from(arena_printf(arena, "%" PRIu64, HELD_EXPIRY_FIRST_MS)),
        str_from(arena_printf(arena, "%" PRIu64, HELD_EXPIRY_END_MS)),
        str_from(arena_printf(arena, "%" PRIu64, HELD_EXPIRY_PAD_MS)),
    };
    struct buf command = BUF_INIT(COMMAND_MAX);
    bool ok = resp_put_array(&command, LENGTH_OF(argv) + selection_arg_count(p, false), err);

    for (size_t i = 0; ok && i < LENGTH_OF(argv); i++)
        ok = resp_put_bulk(&command, argv[i], err);
    ok = ok && selection_put_args(p, false, &command, err) &&
         redis_client_pipeline(client, buf_str(&command), 1, arena, ret_reply, err);
    buf_done(&command);
    return ok;
}

bool settle_database(struct redis_client *client, int db, const struct settle_options *options,
                     uint64_t *ret_settled, struct err *err) {
    char cursor[32] = "0";
    unsigned count = COUNT_FIRST;
    uint64_t settled = 0;
    bool ok = true;

    do {
        struct arena arena = ARENA_INIT;
        const struct resp_value *reply;
        int64_t begun_us = clock_mono_us();

        ok = failpoint(FAILPOINT_SETTLE_STEP, err) &&
             one_script(client, &arena, db, options, cursor, count, &reply, err);
        if (ok && reply->type == RESP_ERROR) {
            ok = redis_client_refused(client, reply, "settling expiries", err);
        } else if (ok && resp_value_is(reply, "fenced")) {
            ok = err_set(err, ERR_FENCED, "another claim has taken the task");
        } else if (ok && (reply->type != RESP_ARRAY || reply->count != 2 ||
                          reply->items[0].type != RESP_BULK ||
                          reply->items[0].str.len >= sizeof(cursor) ||
                          reply->items[1].type != RESP_INTEGER)) {
            ok = err_set(err, ERR_PROTOCOL, "the settling script answered something else");
        }
        if (ok) {
            int64_t took_us = clock_mono_us() - begun_us;

            memcpy(cursor, reply->items[0].str.ptr, reply->items[0].str.len);
            cursor[reply->items[0].str.len] = '\0';
            settled += (uint64_t)reply->items[1].integer;
            if (options && options->keys_done)
                atomic_fetch_add_explicit(options->keys_done, (uint64_t)reply->items[1].integer,
                                          memory_order_relaxed);
            if (took_us > SCRIPT_US_MAX && count > COUNT_MIN)
                count /= 2;
            else if (took_us < SCRIPT_US_MAX / 3 && count < COUNT_MAX)
                count += count / 4;
        }
        arena_done(&arena);
    } while (ok && strcmp(cursor, "0") != 0);
    if (ok)
        *ret_settled = settled;
    return ok;
}
