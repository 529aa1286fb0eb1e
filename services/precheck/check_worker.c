/* What only the worker and the control database know: disk, places, other jobs.
 *
 *   "worker": {"spool_dir", "spool_quota_bytes", "tasks_max", "tasks_held", "pool",
 *              "neighbours": [{"relation": "source"|"destination"|"reverse",
 *                              "job": id or null (another account's), "state"}],
 *              "contacts": how many webhook endpoints are told,
 *              "live_instance": who marked the destination as in use}
 *
 * A run without it (a test's) skips these checks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "services/precheck/check_run.h"

static const json_t *told(const struct check_run *run, const char *name) {
    return json_object_get(json_object_get(run->message, "worker"), name);
}

bool check_env_worker_disk(struct check_run *run, struct check_finding *ret, struct err *err) {
    const char *dir = json_string_value(told(run, "spool_dir"));
    int64_t quota = json_integer_value(told(run, "spool_quota_bytes"));
    int64_t need = check_spool_bytes(run), left;
    char need_text[32], left_text[32];
    struct statvfs disk;

    (void)err;
    if (!dir)
        return check_skip(ret, "The worker did not say where its spool lies");
    if (statvfs(dir, &disk) != 0)
        return check_fail(ret, "The worker's spool directory cannot be looked at");
    left = (int64_t)(disk.f_bavail * disk.f_frsize);
    check_bytes(need, need_text);
    check_bytes(left, left_text);
    check_observed(ret, "%s free", left_text);
    check_threshold(ret, "%s", need_text);
    if (left < need)
        return check_fail(ret,
                          "Snapshot and changes need about %s of spool, the worker's disk has "
                          "%s",
                          need_text, left_text);
    if (quota > 0 && quota < need) {
        check_observed(ret, "%s allowed", check_bytes(quota, left_text));
        check_remedy(ret, "Raise KEYFERRY_SPOOL_QUOTA_BYTES of the workers");
        return check_warn(ret,
                          "Snapshot and changes need about %s of spool, a job may take %s: the "
                          "copy waits for the destination more often",
                          need_text, left_text);
    }
    return check_pass(ret, "The worker has room for about %s of spool", need_text);
}

bool check_env_capacity(struct check_run *run, struct check_finding *ret, struct err *err) {
    int64_t most = json_integer_value(told(run, "tasks_max"));
    int64_t held = json_integer_value(told(run, "tasks_held"));
    const char *pool = json_string_value(told(run, "pool"));

    (void)err;
    if (most <= 0)
        return check_skip(ret, "The worker did not say how many tasks it takes");
    check_observed(ret, "%" PRId64 " of %" PRId64 " places taken", held, most);
    check_threshold(ret, "1 free");
    if (held >= most)
        return check_warn(ret,
                          "The worker that checked has no free place in the pool %s: the job "
                          "waits for one, or for another worker",
                          pool ? pool : "shared");
    return check_pass(ret, "There is a place in the pool %s", pool ? pool : "shared");
}

/* The neighbours of that relation: how many, and the first names. */
static int neighbours(const struct check_run *run, const char *relation, const char *second,
                      char names[160]) {
    const json_t *list = told(run, "neighbours"), *one;
    size_t i, used = 0;
    int count = 0;

    names[0] = '\0';
    json_array_foreach(list, i, one) {
        const char *is = json_string_value(json_object_get(one, "relation"));
        const char *job = json_string_value(json_object_get(one, "job"));

        if (!is || (strcmp(is, relation) != 0 && (!second || strcmp(is, second) != 0)))
            continue;
        count++;
        if (used < 100)
            used += (size_t)snprintf(names + used, 160 - used, "%s%.40s", used ? ", " : "",
                                     job ? job : "one of another account");
    }
    return count;
}

static int writers(const struct check_run *run) {
    const json_t *one;
    size_t i;
    int count = 0;

    json_array_foreach(told(run, "neighbours"), i, one) count +=
        json_is_true(json_object_get(one, "writes_here"));
    return count;
}

bool check_src_other_jobs(struct check_run *run, struct check_finding *ret, struct err *err) {
    char names[160];
    int count;

    (void)err;
    if (!told(run, "neighbours"))
        return check_skip(ret, "The worker did not say which other jobs there are");
    count = neighbours(run, "source", "destination", names);
    check_observed(ret, "%d", count);
    if (writers(run) > 0) {
        check_remedy(ret, "End the jobs that write to this destination, or select databases or "
                          "prefixes that none of them selects");
        return check_warn(ret,
                          "%d of %d other job%s of this service at the same ends (%s) write%s to "
                          "this destination: the start is refused while one has a part in common",
                          writers(run), count, count > 1 ? "s" : "", names,
                          writers(run) > 1 ? "" : "s");
    }
    if (count > 0)
        return check_warn(ret,
                          "%d other job%s of this service at the same ends (%s): they share the "
                          "servers' time, and a source gives few full syncs an hour unasked",
                          count, count > 1 ? "s are" : " is", names);
    return check_pass(ret, "No other job of this service is at these ends");
}

const char *check_live_instance(const struct check_run *run) {
    return json_string_value(told(run, "live_instance"));
}

/* A remark in any case: whoever looks at the job himself needs nobody to tell him. */
bool check_cfg_alerts(struct check_run *run, struct check_finding *ret, struct err *err) {
    const json_t *contacts = told(run, "contacts");

    (void)err;
    if (!json_is_integer(contacts))
        return check_skip(ret, "The worker did not say whether anybody is told");
    check_observed(ret, "%" JSON_INTEGER_FORMAT, json_integer_value(contacts));
    if (json_integer_value(contacts) == 0)
        return check_skip(ret, "No webhook endpoint is registered: nobody is told when the job "
                               "needs a person");
    return check_pass(ret, "%" JSON_INTEGER_FORMAT " webhook endpoint%s told",
                      json_integer_value(contacts),
                      json_integer_value(contacts) > 1 ? "s are" : " is");
}

bool check_dst_loop(struct check_run *run, struct check_finding *ret, struct err *err) {
    char names[160];
    int count;

    (void)err;
    if (!told(run, "neighbours"))
        return check_skip(ret, "The worker did not say which other jobs there are");
    count = neighbours(run, "reverse", NULL, names);
    check_observed(ret, "%d", count);
    if (count > 0)
        return check_fail(ret,
                          "The job %s copies the other way: every write would go round for "
                          "ever",
                          names);
    return check_pass(ret, "No job of this service copies the other way");
}
