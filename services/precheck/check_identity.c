/* Is an end that is to be reached another way still the server that the job knows?
 *
 *   "worker": {"known": {"has_position": bool, "history"}}, and "job"
 *
 * Only a run for a job that was started is told so; of others these rows are not part. The
 * destination is known by our position there, the source by its history: a failover replica
 * passes under any name. A process is not enough: it may be one that was connected to and
 * found to be a stranger.
 */
#include <stdio.h>
#include <string.h>

#include "services/flow/position.h"
#include "services/precheck/check_run.h"

/* A history that we named ourselves: sources that know no PSYNC. */
#define SYNC_HISTORY "00000000"

static const json_t *known(const struct check_run *run) {
    return json_object_get(json_object_get(run->message, "worker"), "known");
}

bool check_identity_is_asked(const struct check_run *run) {
    return json_is_object(known(run));
}

static bool equal(const char *a, const char *b) {
    return a[0] && strcmp(a, b) == 0;
}

static bool is_no_history(const char *id) {
    return id[strspn(id, "0")] == '\0';
}

/* What receive would go on from: the server's own history, the one it had before a failover,
 * or its process where nothing else names a history. */
static bool has_history(const struct redis_info *info, const char *history) {
    size_t prefix = strlen(SYNC_HISTORY);

    return equal(info->replid, history) || equal(info->run_id, history) ||
           (!is_no_history(info->replid2) && equal(info->replid2, history)) ||
           (strncmp(history, SYNC_HISTORY, prefix) == 0 && strlen(history) == 40 &&
            strncmp(info->run_id, history + prefix, 40 - prefix) == 0);
}

bool check_src_identity(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct redis_info *info = &run->source.info;
    const char *history = json_string_value(json_object_get(known(run), "history"));
    const char *is = info->replid[0] ? info->replid : info->run_id;

    (void)err;
    if (!history || !history[0])
        return check_skip(ret, "Nothing of the source was copied yet");
    if (!is[0])
        return check_skip(ret, "The account may not ask which server it is (INFO)");
    check_observed(ret, "history %s", is);
    check_threshold(ret, "history %s", history);
    if (has_history(info, history))
        return check_pass(ret, "It has the history that the job follows");
    return check_fail(ret,
                      "The server at %.200s is another one: its history is %.40s, the job follows "
                      "%.40s",
                      run->source.ep.label, is, history);
}

/* Where the position is: the lowest database that is written. */
static int lowest_database(const struct check_run *run) {
    int lowest = -1;

    for (int i = 0; i < CHECK_DATABASES_MAX; i++) {
        int to = run->database_map[i];

        if (to >= 0 && (lowest < 0 || to < lowest))
            lowest = to;
    }
    return lowest < 0 ? 0 : lowest;
}

bool check_dst_identity(struct check_run *run, struct check_finding *ret, struct err *err) {
    const char *job = json_string_value(json_object_get(run->message, "job"));
    char key[POSITION_KEY_MAX], database[12], shown[160];
    const struct resp_value *reply;
    struct arena arena = ARENA_INIT;
    bool ok;

    if (!job || !json_is_true(json_object_get(known(run), "has_position")))
        return check_skip(ret, "The job has written no position yet");
    snprintf(key, sizeof(key), POSITION_PREFIX "%.40s:0", job);
    snprintf(database, sizeof(database), "%d", lowest_database(run));
    ok = check_ask(run, &run->destination, &arena, &reply, err, "SELECT", database);
    if (ok && resp_value_is(reply, "OK"))
        ok = check_ask(run, &run->destination, &arena, &reply, err, "HMGET", key, "state");
    if (!ok) {
        arena_done(&arena);
        return false;
    }
    if (reply->type != RESP_ARRAY || reply->count != 1) {
        check_skip(ret, "The position there cannot be read: %s", check_show(reply, shown));
    } else if (reply->items[0].type == RESP_NIL) {
        check_observed(ret, "no position");
        check_threshold(ret, "%s", key);
        check_fail(ret,
                   "The server at %.200s is another one, or was emptied: the job's position is "
                   "not there",
                   run->destination.ep.label);
    } else {
        check_observed(ret, "%s", key);
        check_pass(ret, "It carries the job's position");
    }
    ok = check_ask(run, &run->destination, &arena, &reply, err, "SELECT", "0");
    arena_done(&arena);
    return ok;
}
