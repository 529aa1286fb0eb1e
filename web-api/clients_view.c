#include "web-api/clients_view.h"

#include <string.h>

#include "web-api/json_time.h"

static bool text_is(const json_t *object, const char *name, const char *text) {
    const char *value = json_string_value(json_object_get(object, name));

    return value && strcmp(value, text) == 0;
}

/* Connections of others whose commands say so. Replicas repeat what the server was written. */
static json_int_t connections(const json_t *groups, const char *writes) {
    const json_t *group;
    json_int_t sum = 0;
    size_t i;

    json_array_foreach(groups, i, group) {
        if (!json_is_true(json_object_get(group, "is_keyferry")) &&
            !text_is(group, "kind", "replica") && !text_is(group, "kind", "primary") &&
            (!writes || text_is(group, "writes", writes)))
            sum += json_integer_value(json_object_get(group, "connections"));
    }
    return sum;
}

static json_t *end_json(const struct key_counts *c, const char *end) {
    static const char *const members[] = {"looks", "connections", "connections_left_out", "groups"};
    const json_t *facts = c->reading ? json_object_get(c->reading->facts, end) : NULL;
    const json_t *reading = json_object_get(facts, "reading");
    json_t *view = key_counts_view_end(c, end), *groups = json_object_get(reading, "groups");

    for (size_t i = 0; i < LENGTH_OF(members); i++) {
        json_t *value = json_object_get(reading, members[i]);
        bool has_none = i == LENGTH_OF(members) - 1 && !json_is_array(value);

        json_object_set_new(view, members[i],
                            has_none ? json_array()
                            : value  ? json_incref(value)
                                     : json_null());
    }
    json_object_set_new(
        view, "written_by_others_at",
        json_time(strcmp(end, "source") == 0 ? c->job->progress.source_written_at_ms : 0));
    json_object_set_new(view, "others",
                        groups
                            ? json_pack("{s:I, s:I, s:I}", "connections", connections(groups, NULL),
                                        "writing", connections(groups, "yes"), "perhaps_writing",
                                        connections(groups, "perhaps"))
                            : json_null());
    return view;
}

json_t *clients_view(const struct key_counts *c) {
    json_t *view = key_counts_view_head(c);

    json_object_set_new(view, "source", end_json(c, "source"));
    json_object_set_new(view, "destination", end_json(c, "destination"));
    json_object_set_new(
        view, "note",
        json_string("Told by the last command of each connection, looked at a few times within a "
                    "second: who writes seldom may be missed. written_by_others_at is by the "
                    "source's own count of writes."));
    return view;
}
