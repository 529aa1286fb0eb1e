#include "web-api/job_template.h"

#include <stdlib.h>
#include <string.h>

#include "sql/json_scan.h"
#include "web-api/json_compact.h"
#include "web-api/json_out.h"

/* The members in the order of the contract; the database keeps another one. Those this list does
 * not know come last. */
static const char *const order[] = {
    "kind",           "name",   "labels",      "environment", "resource_group",    "region",
    "worker_pool",    "source", "destination", "migration",   "objects",           "conflict_mode",
    "conflict_scope", "retry",  "throttle",    "expiry",      "hash_field_expiry", "heartbeat",
    "verification",   "alerts",
};

const char *const job_template_found[JOB_FOUND_COUNT] = {"product", "version", "topology"};

void job_template_done(struct job_template *t) {
    buf_done(&t->text);
}

void job_template_trim(struct job_template *t) {
    char *less = realloc(t->text.ptr, t->text.len + 1);

    if (!less)
        abort();
    t->text.ptr = less;
    t->text.cap = t->text.len + 1;
}

/* `value` is what stands there while nothing else is known; empty is null. */
static void put_hole(struct job_template *t, enum job_hole hole, struct str value) {
    size_t at = t->text.len;

    json_compact(&t->text, value.len ? value : STR_LIT("null"));
    if (t->hole_count == JOB_HOLE_COUNT)
        return; /* a member stands there twice, which no object of the database does */
    t->holes[t->hole_count].hole = hole;
    t->holes[t->hole_count].at = at;
    t->holes[t->hole_count].len = t->text.len - at;
    t->hole_count++;
}

static void put_member(struct job_template *t, struct json_member m) {
    json_out_name(&t->text, NULL);
    json_out_raw(&t->text, STR_LIT("\""));
    json_out_raw(&t->text, m.name);
    json_out_raw(&t->text, STR_LIT("\":"));
    json_compact(&t->text, m.value);
}

static bool is_one_of(struct str name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (str_equal(name, str_from(names[i])))
            return true;
    return false;
}

/* ---- members that tell more than the specification does ---- */

static void put_name(struct job_template *t, const char *name, struct str value) {
    json_out_name(&t->text, name);
    put_hole(t, JOB_HOLE_NAME, value);
}

/* The specification's says what is wanted of it, and is another member's. */
static void put_cutover(struct job_template *t, const char *name, struct str value) {
    (void)value;
    json_out_name(&t->text, name);
    put_hole(t, JOB_HOLE_CUTOVER, STR_EMPTY);
}

static void put_class(struct job_template *t, const char *name, struct str value) {
    json_out_name(&t->text, name);
    put_hole(t, JOB_HOLE_CLASS, value);
}

static void put_expiry(struct job_template *t, const char *name, struct str value) {
    bool is_text = value.len > 0 && value.ptr[0] == '"';

    t->is_exact = str_equal(value, STR_LIT("\"exact\""));
    json_out_open(&t->text, name, '{');
    json_out_name(&t->text, "mode");
    json_out_raw(&t->text, is_text ? value : STR_LIT("null"));
    json_out_name(&t->text, "settled");
    put_hole(t, JOB_HOLE_SETTLED, t->is_exact ? STR_LIT("true") : STR_EMPTY);
    json_out_close(&t->text, '}');
}

static void put_found(struct job_template *t, struct str end, enum job_hole first) {
    for (int i = 0; i < JOB_FOUND_COUNT; i++) {
        json_out_name(&t->text, job_template_found[i]);
        put_hole(t, (enum job_hole)((int)first + i),
                 json_scan_find(end, str_from(job_template_found[i])));
    }
}

static void put_end(struct job_template *t, const char *name, struct str end, bool is_source) {
    struct json_scan scan = json_scan_begin(end);
    struct json_member m;
    struct str label;

    if (end.len == 0 || end.ptr[0] != '{') {
        json_out_null(&t->text, name);
        return;
    }
    json_out_open(&t->text, name, '{');
    while (json_scan_next(&scan, &m))
        if (!is_one_of(m.name, job_template_found, JOB_FOUND_COUNT))
            put_member(t, m);
    if (json_scan_find(end, STR_LIT("label")).len == 0) {
        label = json_scan_find(json_scan_find(end, STR_LIT("inline")), STR_LIT("label"));
        json_out_name(&t->text, "label");
        json_compact(&t->text, label.len ? label : STR_LIT("null"));
    }
    put_found(t, end, is_source ? JOB_HOLE_SOURCE : JOB_HOLE_DESTINATION);
    json_out_close(&t->text, '}');
    t->is_cluster[!is_source] =
        str_equal(json_scan_find(end, STR_LIT("topology")), STR_LIT("\"cluster\""));
}

static void put_source(struct job_template *t, const char *name, struct str value) {
    put_end(t, name, value, true);
}

static void put_destination(struct job_template *t, const char *name, struct str value) {
    put_end(t, name, value, false);
}

/* They are there whether the specification has them or not. */
static const struct special {
    const char *name;
    void (*put)(struct job_template *t, const char *name, struct str value);
} specials[] = {
    {"name", put_name},     {"source", put_source},   {"destination", put_destination},
    {"expiry", put_expiry}, {"cutover", put_cutover}, {"instance_class", put_class},
};

/* ---- all of them ---- */

struct members {
    struct json_member *at;
    size_t count, room;
};

static void read_members(struct members *all, struct str spec) {
    struct json_scan scan = json_scan_begin(spec);
    struct json_member one;

    while (json_scan_next(&scan, &one)) {
        if (all->count == all->room) {
            all->room = all->room ? 2 * all->room : 64;
            all->at = realloc(all->at, all->room * sizeof(*all->at));
            if (!all->at)
                abort();
        }
        all->at[all->count++] = one;
    }
}

static struct str value_of(const struct members *all, const char *name) {
    for (size_t i = 0; i < all->count; i++)
        if (str_equal(all->at[i].name, str_from(name)))
            return all->at[i].value;
    return STR_EMPTY;
}

static const struct special *special_of(struct str name) {
    for (size_t i = 0; i < LENGTH_OF(specials); i++)
        if (str_equal(name, str_from(specials[i].name)))
            return &specials[i];
    return NULL;
}

static void put(struct job_template *t, struct json_member m) {
    const struct special *special = special_of(m.name);

    if (special)
        special->put(t, special->name, m.value);
    else
        put_member(t, m);
}

void job_template_make(struct job_template *t, struct str spec) {
    struct members all = {0};

    *t = (struct job_template){.text = t->text};
    buf_clear(&t->text);
    read_members(&all, spec);
    for (size_t i = 0; i < LENGTH_OF(order); i++) {
        struct json_member m = {str_from(order[i]), value_of(&all, order[i])};

        if (m.value.len > 0)
            put(t, m);
    }
    for (size_t i = 0; i < all.count; i++)
        if (!is_one_of(all.at[i].name, order, LENGTH_OF(order)))
            put(t, all.at[i]);
    for (size_t i = 0; i < LENGTH_OF(specials); i++)
        if (value_of(&all, specials[i].name).len == 0)
            specials[i].put(t, specials[i].name, STR_EMPTY);
    t->is_incremental = str_equal(
        json_scan_find(value_of(&all, "migration"), STR_LIT("incremental")), STR_LIT("true"));
    free(all.at);
}
