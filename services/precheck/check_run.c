#include "services/precheck/check_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/precheck/check_shards.h"

static json_t *text(const char *s) {
    char escaped[sizeof(((struct check_finding *)0)->message) * 4];
    json_t *value = *s ? json_string(s) : json_null();

    if (value)
        return value;
    str_escape(str_from(s), escaped, sizeof(escaped)); /* cut inside a character */
    return json_string(escaped);
}

static const char *severity_name(enum check_severity severity) {
    return severity == CHECK_ERROR ? "error" : severity == CHECK_WARN ? "warn" : "info";
}

static json_t *item_of(const struct check_row *row, const struct check_finding *f) {
    static const char *const results[] = {
        [CHECK_PASSED] = "pass",     [CHECK_WARNED] = "warn",  [CHECK_FAILED] = "fail",
        [CHECK_SKIPPED] = "skipped", [CHECK_BROKEN] = "error",
    };
    bool bad = f->result == CHECK_WARNED || f->result == CHECK_FAILED || f->result == CHECK_BROKEN;
    char doc_url[64];
    const char *remedy = f->remedy[0] ? f->remedy : bad ? row->info.remedy : "";

    snprintf(doc_url, sizeof(doc_url), CHECK_DOC_PATH "%s", row->info.id);
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:s}", "id", row->info.id,
                     "title", row->info.title, "severity", severity_name(row->info.severity),
                     "result", results[f->result], "ignorable",
                     /* Only a warning can be accepted; a remark needs nobody's consent. */
                     row->info.ignorable && row->info.severity != CHECK_INFO &&
                         f->result != CHECK_FAILED && f->result != CHECK_BROKEN,
                     "observed", text(f->observed), "threshold", text(f->threshold), "message",
                     text(f->message), "remedy", text(remedy), "shard", text(f->shard), "doc_url",
                     doc_url);
}

/* The end that the row needs and that is not there, or NULL. */
static const struct check_end *missing_end(const struct check_run *run, enum check_needs needs) {
    bool source = needs == CHECK_NEEDS_SOURCE || needs == CHECK_NEEDS_BOTH;
    bool destination = needs == CHECK_NEEDS_DESTINATION || needs == CHECK_NEEDS_BOTH;

    if (source && run->source.reached != CHECK_STAGE_LOGGED_IN)
        return &run->source;
    if (destination && run->destination.reached != CHECK_STAGE_LOGGED_IN)
        return &run->destination;
    return NULL;
}

static void set_deadline(struct check_run *run, struct check_end *end) {
    int64_t one = clock_mono_ms() + CHECK_ONE_MAX_MS;

    end->deadline_ms = one < run->run_deadline_ms ? one : run->run_deadline_ms;
}

void check_carry_out(struct check_run *run, const struct check_row *row, struct check_finding *f) {
    const struct check_end *missing = missing_end(run, row->needs);
    struct err err = ERR_INIT;

    if (endpoint_is_file(&run->source.ep) &&
        (row->needs == CHECK_NEEDS_SERVER || row->needs == CHECK_NEEDS_SOURCE ||
         row->needs == CHECK_NEEDS_BOTH)) {
        check_skip(f, "The source is a file");
        return;
    }
    if (missing) {
        check_skip(f, "Not run: there is no login at the %s", missing->name);
        return;
    }
    if (clock_mono_ms() >= run->run_deadline_ms) {
        check_skip(f, "Not run: the precheck took more than %d s", CHECK_RUN_MAX_MS / 1000);
        f->result = CHECK_BROKEN;
        return;
    }
    if (!row->function(run, f, &err)) {
        struct check_end *shard = run->source.slots        ? &run->source
                                  : run->destination.slots ? &run->destination
                                                           : NULL;

        err_format(&err, f->message, sizeof(f->message));
        f->result = CHECK_BROKEN;
        if (shard && err.code == ERR_TIMEOUT)
            shard->is_silent = true;
        check_remedy(f, "Run the precheck again; if it stays, the server cuts such connections");
    }
}

/* Checks that leave something others go by. */
static const struct {
    const char *id, *after;
} dependencies[] = {
    {"dst.error_seal", "dst.permission"},
    {"src.replconf_permission", "src.psync_permission"},
    {"src.read_permission", "src.replconf_permission"},
    {"src.read_permission", "src.psync_permission"},
    {"dst.memory", "src.big_keys"}, /* the sample */
    {"dst.limits", "src.big_keys"},
};

/* Is the row to be carried out, asked for or for what it leaves to one that is? */
static bool is_needed(const struct check_run *run, size_t row) {
    bool needed = run->asked[row];

    for (size_t i = 0; !needed && i < LENGTH_OF(dependencies); i++)
        needed = strcmp(dependencies[i].after, check_rows[row].info.id) == 0 &&
                 run->asked[check_find(dependencies[i].id)];
    return needed && check_rows[row].function;
}

static bool tell(struct check_run *run, const struct check_row *row,
                 const struct check_finding *f) {
    json_t *item = item_of(row, f);
    struct check_talk *talk = run->talk;
    struct err why = ERR_INIT;
    bool goes_on;

    if (!item)
        err_set(&why, ERR_INTERNAL, "the item of %s is no JSON", row->info.id);
    pthread_mutex_lock(&talk->lock);
    if (!talk->is_over && (!item || !talk->hooks->item(talk->hooks->context, item, &why))) {
        talk->is_over = true;
        talk->failure = why;
    }
    goes_on = !talk->is_over;
    pthread_mutex_unlock(&talk->lock);
    json_decref(item);
    return goes_on;
}

/* Which end's thread a row runs in; NULL: behind both. */
static const struct check_end *lane_of(const struct check_run *run, const struct check_row *row) {
    if (row->needs == CHECK_NEEDS_BOTH)
        return NULL;
    if (strncmp(row->info.id, "src.", 4) == 0)
        return &run->source;
    return strncmp(row->info.id, "dst.", 4) == 0 ? &run->destination : NULL;
}

/* Whose end the row looks at is not part of the run. */
static bool is_beside_the_point(const struct check_run *run, const struct check_row *row) {
    const struct check_end *end = lane_of(run, row);

    return end ? !end->is_wanted
               : row->needs == CHECK_NEEDS_BOTH &&
                     (!run->source.is_wanted || !run->destination.is_wanted);
}

static void run_rows(struct check_run *run, struct check_end *lane) {
    for (size_t i = 0; i < check_row_count; i++) {
        struct check_finding f = {.result = CHECK_BROKEN};

        if (lane_of(run, &check_rows[i]) != lane || !is_needed(run, i) ||
            is_beside_the_point(run, &check_rows[i]))
            continue;
        if (lane != &run->destination)
            set_deadline(run, &run->source);
        if (lane != &run->source)
            set_deadline(run, &run->destination);
        check_shards_carry_out(run, &check_rows[i], &f);
        if (run->asked[i] && !tell(run, &check_rows[i], &f))
            return;
    }
}

struct lane {
    struct check_run *run;
    struct check_end *end;
    void (*work)(struct check_run *run, struct check_end *end);
    pthread_t thread;
};

static void open_end(struct check_run *run, struct check_end *end) {
    set_deadline(run, end);
    if (end->is_wanted && !endpoint_is_file(&end->ep))
        check_end_open(run, end);
}

static void *lane_main(void *arg) {
    struct lane *lane = arg;

    lane->work(lane->run, lane->end);
    return NULL;
}

/* The work for the source in a thread of its own, that for the destination in this one. */
static void beside(struct check_run *run, void (*work)(struct check_run *, struct check_end *)) {
    struct lane lane = {.run = run, .end = &run->source, .work = work};
    bool is_apart = pthread_create(&lane.thread, NULL, lane_main, &lane) == 0;

    if (!is_apart)
        work(run, &run->source);
    work(run, &run->destination);
    if (is_apart)
        (void)pthread_join(lane.thread, NULL);
}

static bool run_all(struct check_run *run, struct err *err) {
    beside(run, open_end);
    check_shards_meet(run);
    beside(run, check_reading);
    beside(run, run_rows);
    if (!run->talk->is_over) {
        check_shards_share(run);
        run_rows(run, NULL);
    }
    if (run->talk->is_over)
        *err = run->talk->failure;
    return !run->talk->is_over;
}

static struct check_run *begin(struct check_talk *talk, const struct check_hooks *hooks) {
    struct check_run *run = check_run_new();

    *talk = (struct check_talk){.hooks = hooks};
    pthread_mutex_init(&talk->lock, NULL);
    run->talk = talk;
    run->run_deadline_ms = clock_mono_ms() + CHECK_RUN_MAX_MS;
    return run;
}

static void end(struct check_run *run) {
    struct check_talk *talk = run->talk;

    check_sample_done(run);
    check_end_close(&run->source);
    check_end_close(&run->destination);
    json_decref(run->source.reading);
    json_decref(run->destination.reading);
    free(run);
    pthread_mutex_destroy(&talk->lock);
}

bool check_run(const json_t *message, const struct check_hooks *hooks, json_t **ret_facts,
               json_t **ret_plan, struct err *err) {
    struct check_talk talk;
    struct check_run *run = begin(&talk, hooks);
    bool ok = check_message_read(message, run, err) && run_all(run, err);

    if (ok) {
        check_sample_snapshot_wait(run);
        *ret_facts = check_facts(run);
        *ret_plan = check_plan(run);
    }
    end(run);
    return ok;
}

/* What there is to be said of an end that is named as a cluster. */
static bool has_what_it_should(const struct check_end *found, struct err *err) {
    const struct check_cluster *cluster = found->cluster;

    if (cluster && cluster->is_none)
        return err_set(err, ERR_NOT_SUPPORTED_YET,
                       "%.150s is named as a cluster and is none: name it as redis://",
                       found->label);
    if (cluster && cluster->is_refused)
        return err_set(err, ERR_SOURCE_NOPERM,
                       "the account may not ask which shards there are (CLUSTER NODES)");
    if (cluster && cluster->broken.code != ERR_NONE) {
        *err = cluster->broken;
        return false;
    }
    /* A login is good when it is good everywhere; what is only away is told by the facts. */
    for (size_t i = 0; cluster && i < cluster->count; i++) {
        const struct check_end *shard = cluster->shards[i].end;

        if (shard->failed_at == CHECK_STAGE_LOGGED_IN && shard->failure.code == ERR_SOURCE_AUTH) {
            *err = shard->failure;
            return false;
        }
    }
    return !cluster || cluster->count > 0 ||
           err_set(err, ERR_SOURCE_BUSY, "no node of the cluster serves a slot");
}

bool check_look(const json_t *endpoint, const struct check_hooks *hooks, json_t **ret_facts,
                struct err *err) {
    struct check_talk talk;
    struct check_run *run = begin(&talk, hooks);
    json_t *message =
               json_pack("{s:O, s:{}, s:s}", "source", endpoint, "spec", "probe", "read_only"),
           *facts;
    bool ok = check_message_read(message, run, err);

    if (ok) {
        open_end(run, &run->source);
        ok = run->source.reached == CHECK_STAGE_LOGGED_IN;
        if (!ok)
            *err = run->source.failure;
        ok = ok && has_what_it_should(&run->source, err);
    }
    if (ok) {
        facts = check_facts(run);
        *ret_facts = json_incref(json_object_get(facts, "source"));
        json_decref(facts);
    }
    end(run);
    json_decref(message);
    return ok;
}
