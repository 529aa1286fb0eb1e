/* What a copy leaves behind that ends within a value; see copy.h. */
#include <inttypes.h>
#include <stdio.h>

#include "proto/base/arena.h"
#include "services/flow/copy.h"
#include "services/flow/copy_mark.h"

/* KEYS: position, temporary. ARGV: epoch, database, UNLINK or DEL. */
static const char script[] =
    "if redis.call('HGET',KEYS[1],'epoch')~=ARGV[1] then return 'fenced' end "
    "redis.call('SELECT',ARGV[2]) return redis.call(ARGV[3],KEYS[2])";

bool copy_remove_leftover(struct applier *a, struct redis_client *client, struct err *err) {
    struct arena arena = ARENA_INIT;
    char key[POSITION_KEY_MAX], name[COPY_TEMPORARY_MAX];
    const struct resp_value *reply;
    struct copy_mark mark;
    bool ok;

    if (a->position.state != POSITION_COPY || !a->position.mark[0])
        return true;
    if (!copy_mark_parse(str_from(a->position.mark), &mark, err))
        return false;
    if (mark.temporary.database < 0)
        return true;
    position_key(&a->spec, key);
    copy_temporary_name(mark.temporary.tag, &a->spec, name);
    ok = redis_client_call(client, &arena, &reply, err, "EVAL", script, "2", key, name,
                           arena_printf(&arena, "%" PRIu64, a->position.epoch),
                           arena_printf(&arena, "%d", mark.temporary.database),
                           a->target.has_unlink ? "UNLINK" : "DEL", NULL);
    if (ok && reply->type == RESP_ERROR)
        ok = redis_client_refused(client, reply, "removing a temporary key", err);
    else if (ok && resp_value_is(reply, "fenced"))
        ok = err_set(err, ERR_FENCED, "another claim has taken the task");
    arena_done(&arena);
    return ok;
}
