/* The master keys by their numbers, and what is still sealed with each. */
#include "sql/store_secret.h"
#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/page.h"

static json_int_t count_of(const json_t *row, const char *name) {
    return json_integer_value(json_object_get(row, name));
}

/* Behind the one whose numbers are `used` (NULL = none); `at` is its place in the file, or -1. */
static json_t *key_view(const struct keyring *ring, int at, json_int_t id, const json_t *used) {
    bool seals = at >= 0 && at == ring->count - 1;
    json_int_t secrets = count_of(used, "secrets"), answers = count_of(used, "answers"),
               workers = count_of(used, "workers");

    return json_pack("{s:I, s:b, s:b, s:I, s:I, s:I, s:b}", "id", id, "in_file", at >= 0, "seals",
                     seals, "secrets", secrets, "answers", answers, "workers", workers, "removable",
                     at >= 0 && !seals && secrets + answers + workers == 0);
}

static int place_of(const struct keyring *ring, json_int_t id) {
    for (int i = 0; i < ring->count; i++) {
        if ((json_int_t)ring->keys[i].id == id)
            return i;
    }
    return -1;
}

bool master_keys_list(struct call *call, struct reply *reply, struct err *err) {
    const struct keyring *ring = app_keyring(call->app);
    const json_t *rows[KEYRING_KEYS_MAX] = {NULL};
    json_t *used = NULL, *items, *row;
    size_t i;

    if (!call_operator(call, "looks after the master keys", err) ||
        !store_secret_keys(call->store, &used, err))
        return false;
    items = json_array();
    json_array_foreach(used, i, row) {
        int at = place_of(ring, count_of(row, "id"));

        if (at >= 0)
            rows[at] = row;
        else if (count_of(row, "secrets") > 0) /* nobody can open these */
            json_array_append_new(items, key_view(ring, -1, count_of(row, "id"), row));
    }
    for (int at = 0; at < ring->count; at++)
        json_array_append_new(items, key_view(ring, at, ring->keys[at].id, rows[at]));
    json_decref(used);
    return page_whole(call->request, "master-keys", reply, items, err);
}
