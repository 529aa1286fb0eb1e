#include "services/flow/apply_end.h"

#include "services/common/clock.h"
#include "services/common/failpoint.h"
#include "services/flow/copy.h"
#include "services/flow/selection.h"
#include "services/flow/settle.h"

static bool is_mapped(const struct applier *a, int db) {
    bool mapped = a->spec.map_all;

    for (int i = 0; !mapped && i < TASK_DATABASES_MAX; i++)
        mapped = a->spec.database_map[i] == db;
    return mapped && (a->database_ok[db / 8] & (1u << (db % 8)));
}

static bool settle_walk(struct applier *a, struct redis_client *client,
                        struct settle_options *options, uint64_t *ret_settled, struct err *err) {
    *ret_settled = 0;
    for (int db = 0; a->target.held && db < TASK_DATABASES_MAX; db++) {
        uint64_t settled;

        if (!is_mapped(a, db))
            continue;
        options->prefixes = selection_of(&a->spec, db);
        if (!settle_database(client, db, options, &settled, err))
            return false;
        *ret_settled += settled;
    }
    return true;
}

static bool settle_all(struct applier *a, struct redis_client *client, struct err *err) {
    char key[POSITION_KEY_MAX];
    struct settle_options options = {
        .position_key = key,
        .position_database = a->spec.lowest_database,
        .epoch = a->position.epoch,
        .keys_done = &a->control->settle_keys_done,
    };
    uint64_t settled = 1;

    position_key(&a->spec, key);
    CONTROL_SET(a, phase, CONTROL_SETTLING);
    if (!failpoint(FAILPOINT_APPLY_STOPS, err) || !copy_remove_leftover(a, client, err))
        return false;
    for (int walk = 0; settled > 0 && walk < SETTLE_WALKS_MAX; walk++) {
        if (!settle_walk(a, client, &options, &settled, err))
            return false;
    }
    CONTROL_SET(a, settled, 1);
    return failpoint(FAILPOINT_APPLY_SETTLED, err);
}

bool apply_end_stop(struct applier *a, struct redis_client *client, struct err *err) {
    if (!settle_all(a, client, err) ||
        !position_close(client, &a->spec, &a->position, POSITION_STOPPED, err) ||
        !failpoint(FAILPOINT_APPLY_SEALED, err))
        return false;
    CONTROL_SET(a, phase, CONTROL_DONE);
    return applier_say(a, "settled", err);
}

bool apply_end_done(struct applier *a, struct redis_client *client, struct err *err) {
    if (!failpoint(FAILPOINT_APPLY_COMPLETES, err) ||
        !position_close(client, &a->spec, &a->position, POSITION_DONE, err) ||
        !failpoint(FAILPOINT_APPLY_COMPLETED, err))
        return false;
    CONTROL_SET(a, settled, 1);
    CONTROL_SET(a, phase, CONTROL_DONE);
    return applier_say(a, "done", err);
}

bool applier_may_seal(const struct applier *a) {
    return atomic_load(&a->control->want) == CONTROL_CUTOVER &&
           atomic_load_explicit(&a->control->cutover_step, memory_order_acquire) ==
               CUTOVER_MAY_SEAL &&
           (uint64_t)clock_mono_ms() < CONTROL_GET(a, cutover_seal_until_ms);
}

bool apply_end_sealed(struct applier *a, struct redis_client *client, struct err *err) {
    return settle_all(a, client, err) && apply_end_done(a, client, err);
}

/* As the seal of a unit counts them (lane.c): a tail that had nothing to write has not looked
 * since its last one. */
static bool check_evicted(struct applier *a, struct redis_client *client, struct err *err) {
    static const char script[] =
        "local w=tonumber(redis.call('HGET',KEYS[1],'evicted') or '') "
        "local e=tonumber(string.match(redis.call('INFO','stats'),'evicted_keys:(%d+)')) "
        "if not w then return 0 end if e<w then w=0 end return e-w";
    struct arena arena = ARENA_INIT;
    char key[POSITION_KEY_MAX];
    const struct resp_value *reply;
    bool ok;

    if (!a->can_seal)
        return true;
    position_key(&a->spec, key);
    ok = redis_client_call(client, &arena, &reply, err, "EVAL", script, "1", key, NULL);
    if (ok && reply->type != RESP_INTEGER)
        ok = redis_client_refused(client, reply, "looking for evicted keys", err);
    else if (ok && reply->integer > 0)
        ok = err_set(err, ERR_DIVERGED, "%lld keys were evicted on the destination",
                     (long long)reply->integer);
    arena_done(&arena);
    return ok;
}

bool apply_end_cutover(struct applier *a, struct redis_client *client, enum applier_next *ret_next,
                       struct err *err) {
    if (!check_evicted(a, client, err))
        return false;
    /* TRYING before the last look: who calls it off after that look finds TRYING. */
    atomic_store(&a->control->seal, SEAL_TRYING);
    if (!applier_may_seal(a)) {
        atomic_store(&a->control->seal, SEAL_OPEN);
        *ret_next = APPLIER_RESTART;
        return true;
    }
    /* When this fails TRYING stays: only the next claim can tell. */
    if (!position_close(client, &a->spec, &a->position, POSITION_SEALED, err))
        return false;
    atomic_store(&a->control->seal, SEAL_SET);
    *ret_next = APPLIER_STOP;
    return applier_say(a, "sealed", err) && apply_end_sealed(a, client, err);
}

bool apply_end_forget(struct applier *a, struct err *err) {
    struct redis_client client = REDIS_CLIENT_INIT;
    bool ok = applier_connect(a, &client, err) && position_forget(&client, &a->spec, err);

    redis_client_close(&client);
    if (!ok)
        return false;
    CONTROL_SET(a, phase, CONTROL_DONE);
    return applier_say(a, "forgotten", err);
}
