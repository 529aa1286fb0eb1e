#include "services/flow/selection.h"

#include <string.h>

#include "proto/base/arena.h"
#include "proto/resp/resp_write.h"
#include "services/flow/position.h"
#include "services/redis/redis_scan.h"

enum { SCRIPT_MAX = 128 * 1024 };

static const char flush_script[] =
    SELECTION_LUA("1") "local c='0' repeat local r=redis.call('SCAN',c,'COUNT','1000') c=r[1] "
                       "for _,k in ipairs(r[2]) do if sel(k) then redis.call('DEL',k) end end "
                       "until c=='0' return 1";

static const char count_script[] =
    SELECTION_LUA("2") "local r=redis.call('SCAN',ARGV[1],'COUNT','2000') local n=0 "
                       "for _,k in ipairs(r[2]) do if sel(k) then n=n+1 end end return {r[1],n}";

const struct command_prefixes *selection_of(const struct task_spec *spec, int database) {
    return task_objects_prefixes(&spec->objects, task_spec_source_of(spec, database));
}

uint32_t selection_arg_count(const struct command_prefixes *p, bool without_ours) {
    return 2 + (p ? p->include_count + p->exclude_count : 0) + (without_ours ? 1 : 0);
}

bool selection_put_args(const struct command_prefixes *p, bool without_ours, struct buf *out,
                        struct err *err) {
    uint32_t includes = p ? p->include_count : 0, excludes = p ? p->exclude_count : 0;

    if (!resp_put_u64(out, includes, err))
        return false;
    for (uint32_t i = 0; i < includes; i++) {
        if (!resp_put_bulk(out, p->include[i], err))
            return false;
    }
    if (!resp_put_u64(out, excludes + (without_ours ? 1 : 0), err))
        return false;
    for (uint32_t i = 0; i < excludes; i++) {
        if (!resp_put_bulk(out, p->exclude[i], err))
            return false;
    }
    return !without_ours || resp_put_bulk(out, STR_LIT(POSITION_PREFIX), err);
}

bool selection_put_flush(const struct task_spec *spec, int database, struct unit *unit,
                         struct err *err) {
    const struct command_prefixes *p = selection_of(spec, database);
    struct str flush = STR_LIT("FLUSHDB");
    size_t before = unit->own.len;

    if (!p)
        return unit_command(unit, &flush, 1, err);
    if (!resp_put_array(&unit->own, 3 + selection_arg_count(p, true), err) ||
        !resp_put_literal(&unit->own, "EVAL", err) ||
        !resp_put_bulk(&unit->own, str_from(flush_script), err) ||
        !resp_put_literal(&unit->own, "0", err) || !selection_put_args(p, true, &unit->own, err) ||
        !unit_added(unit, before, err))
        return false;
    unit->commands++;
    return true;
}

/* One step from `cursor` on, which moves. */
static bool count_some(struct redis_client *client, const struct command_prefixes *p,
                       char cursor[REDIS_SCAN_CURSOR_SIZE], uint64_t *keys, struct err *err) {
    struct buf command = BUF_INIT(SCRIPT_MAX);
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok = resp_put_array(&command, 4 + selection_arg_count(p, true), err) &&
              resp_put_literal(&command, "EVAL", err) &&
              resp_put_bulk(&command, str_from(count_script), err) &&
              resp_put_literal(&command, "0", err) &&
              resp_put_bulk(&command, str_from(cursor), err) &&
              selection_put_args(p, true, &command, err) &&
              redis_client_pipeline(client, buf_str(&command), 1, &arena, &reply, err);

    if (ok && (reply->type != RESP_ARRAY || reply->count != 2 ||
               reply->items[1].type != RESP_INTEGER || !redis_scan_move(cursor, &reply->items[0])))
        ok = redis_client_unexpected(client, reply, "counting the selected keys", err);
    if (ok)
        *keys += (uint64_t)reply->items[1].integer;
    buf_done(&command);
    arena_done(&arena);
    return ok;
}

bool selection_count(struct redis_client *client, const struct task_spec *spec, int database,
                     uint64_t *ret_keys, struct err *err) {
    const struct command_prefixes *p = selection_of(spec, database);
    char cursor[REDIS_SCAN_CURSOR_SIZE] = "0";
    uint64_t keys = 0;

    do {
        if (!count_some(client, p, cursor, &keys, err))
            return false;
    } while (!redis_scan_is_over(cursor));
    *ret_keys = keys;
    return true;
}
