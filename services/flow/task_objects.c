#include "services/flow/task_objects.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/hex.h"

static bool wrong(struct err *err, const char *name, const char *what) {
    return err_set(err, ERR_PROTOCOL, "spec member \"%s\" is not %s", name, what);
}

/* ---- prefixes -------------------------------------------------------------------- */

/* One prefix at the end of `bytes`, which has the room: its memory does not move. */
static bool take_prefix(const json_t *text, struct buf *bytes, struct str *ret, struct err *err) {
    const char *hex = json_string_value(text);
    size_t len = json_string_length(text) / 2;

    if (!hex || len == 0 || len > TASK_PREFIX_MAX || json_string_length(text) % 2 != 0 ||
        bytes->len + len > TASK_PREFIX_BYTES_MAX)
        return wrong(err, "databases", "with prefixes of their lengths");
    *ret = str_of(bytes->ptr + bytes->len, len);
    if (!hex_decode(str_of(hex, 2 * len), bytes->ptr + bytes->len))
        return wrong(err, "databases", "with prefixes in hex");
    bytes->len += len;
    return true;
}

static bool take_prefixes(const json_t *pair, const char *name, struct task_objects *o,
                          size_t *used, const struct str **ret_first, uint32_t *ret_count,
                          struct err *err) {
    const json_t *list = json_object_get(pair, name), *text;
    size_t i;

    *ret_first = o->list + *used;
    *ret_count = 0;
    if (!list || json_is_null(list))
        return true;
    if (!json_is_array(list) || *used + json_array_size(list) > TASK_PREFIXES_MAX)
        return wrong(err, "databases", "with lists of prefixes");
    json_array_foreach(list, i, text) {
        if (!take_prefix(text, &o->bytes, &o->list[*used], err))
            return false;
        (*used)++;
        (*ret_count)++;
    }
    return true;
}

static bool has_prefixes(const json_t *databases) {
    const json_t *pair;
    size_t i;

    json_array_foreach(databases, i, pair) {
        if (json_array_size(json_object_get(pair, "include")) > 0 ||
            json_array_size(json_object_get(pair, "exclude")) > 0)
            return true;
    }
    return false;
}

static bool take_databases(const json_t *spec, struct task_objects *o, struct err *err) {
    const json_t *databases = json_object_get(spec, "databases"), *pair;
    size_t i, used = 0;

    if (!has_prefixes(databases))
        return true;
    o->prefixes = calloc(TASK_DATABASES_MAX, sizeof(*o->prefixes));
    o->list = calloc(TASK_PREFIXES_MAX, sizeof(*o->list));
    if (!o->prefixes || !o->list)
        return err_set(err, ERR_MEMORY, "no memory for prefixes");
    if (!buf_reserve(&o->bytes, TASK_PREFIX_BYTES_MAX, err))
        return false;
    json_array_foreach(databases, i, pair) {
        json_int_t source = json_integer_value(json_object_get(pair, "source"));
        struct command_prefixes *p;

        if (source < 0 || source >= TASK_DATABASES_MAX)
            return wrong(err, "databases", "a list of pairs");
        p = &o->prefixes[source];
        if (!take_prefixes(pair, "include", o, &used, &p->include, &p->include_count, err) ||
            !take_prefixes(pair, "exclude", o, &used, &p->exclude, &p->exclude_count, err))
            return err_wrap(err, "pair %zu of \"databases\"", i);
    }
    return true;
}

/* ---- policies -------------------------------------------------------------------- */

static bool take_policy(const json_t *policies, const char *name, const char *const words[3],
                        enum task_policy *ret, struct err *err) {
    const json_t *value = json_object_get(policies, name);
    const char *text = json_string_value(value);

    if (!value)
        return true;
    for (int i = 0; text && i < 3; i++) {
        if (words[i] && strcmp(text, words[i]) == 0) {
            *ret = (enum task_policy)i;
            return true;
        }
    }
    return wrong(err, name, "one of its words");
}

static bool take_excluded(const json_t *policies, struct task_objects *o, struct err *err) {
    const json_t *list = json_object_get(policies, "exclude"), *name;
    size_t i;

    json_array_foreach(list, i, name) {
        const struct command_row *row =
            json_is_string(name) ? command_find(str_from(json_string_value(name))) : NULL;

        if (!row)
            return wrong(err, "exclude", "a list of known commands");
        o->excludes = true;
        o->excluded[row->id / 64] |= UINT64_C(1) << (row->id % 64);
    }
    return true;
}

static bool take_policies(const json_t *spec, struct task_objects *o, struct err *err) {
    static const char *const lua[] = {"apply", "fail", "skip"};
    static const char *const flush[] = {"apply", "block_and_pause", "skip"};
    static const char *const unknown[] = {NULL, "fail", "skip_and_record"};
    const json_t *policies = json_object_get(spec, "policies");
    enum task_policy of_unknown = TASK_STOP_AT_IT;

    if (!policies || json_is_null(policies))
        return true;
    if (!take_policy(policies, "lua", lua, &o->lua, err) ||
        !take_policy(policies, "flush", flush, &o->flush, err) ||
        !take_policy(policies, "unknown", unknown, &of_unknown, err) ||
        !take_excluded(policies, o, err))
        return err_wrap(err, "policies");
    o->skip_unknown = of_unknown == TASK_SKIP_IT;
    o->publish = json_is_true(json_object_get(policies, "publish"));
    return true;
}

bool task_objects_parse(const json_t *spec, struct task_objects *ret, struct err *err) {
    struct task_objects o = {.bytes = BUF_INIT(TASK_PREFIX_BYTES_MAX)};

    if (!take_databases(spec, &o, err) || !take_policies(spec, &o, err)) {
        task_objects_done(&o);
        return false;
    }
    *ret = o;
    return true;
}

void task_objects_done(struct task_objects *objects) {
    free(objects->prefixes);
    free(objects->list);
    buf_done(&objects->bytes);
    objects->prefixes = NULL;
    objects->list = NULL;
}
