#include "services/job/job_spec_objects.h"

#include <stdio.h>
#include <string.h>

#include "proto/command/command.h"
#include "services/job/job_prefix.h"
#include "services/job/job_spec_conflict.h"

enum {
    DATABASES_MAX = 256,
    PREFIXES_MAX = 100, /* of one list */
    /* What one message to a child has room for. */
    ALL_PREFIXES_MAX = 1000,
    ALL_PREFIX_BYTES_MAX = 32 * 1024,
    EXCLUDED_MAX = 200,
};

static void warn(struct job_spec_objects *r, const char *pointer, const char *code,
                 const char *detail) {
    json_array_append_new(r->spec->warnings, json_pack("{s:s, s:s, s:s}", "pointer", pointer,
                                                       "code", code, "detail", detail));
}

static json_t *member_of(const struct job_spec_objects *r, const char *name) {
    json_t *value = json_object_get(r->given, name);

    return json_is_null(value) ? NULL : value;
}

struct selection {
    bool source[DATABASES_MAX], destination[DATABASES_MAX];
    size_t prefix_count, prefix_bytes; /* of all databases */
    json_t *list;
};

static bool read_number(struct job_spec_objects *r, const json_t *row, const char *at,
                        const char *name, int fallback, int *ret) {
    json_t *value = json_object_get(row, name);
    char pointer[96];

    snprintf(pointer, sizeof(pointer), "%s/%s", at, name);
    if (!value || json_is_null(value)) {
        if (fallback < 0)
            spec_report_add(r->report, pointer, "required", "is missing");
        *ret = fallback;
        return fallback >= 0;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) >= DATABASES_MAX) {
        spec_report_add(r->report, pointer, "range", "must be a number from 0 to %d",
                        DATABASES_MAX - 1);
        return false;
    }
    *ret = (int)json_integer_value(value);
    return true;
}

static void check_database_members(struct job_spec_objects *r, const json_t *row, const char *at) {
    static const char *const known[] = {"source", "destination", "include_prefixes",
                                        "exclude_prefixes"};
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)row, key, value) {
        bool found = false;

        for (size_t i = 0; i < LENGTH_OF(known); i++)
            found = found || strcmp(key, known[i]) == 0;
        if (!found)
            spec_report_add(r->report, at, "unknown_field", "has a member that is not known");
    }
}

/* The list of prefixes as it is stored: texts, each of them usable. */
static json_t *read_prefixes(struct job_spec_objects *r, struct selection *s, const json_t *row,
                             const char *at, const char *name) {
    json_t *given = json_object_get(row, name), *list = json_array(), *text;
    char pointer[96], hex[2 * JOB_PREFIX_MAX + 1];
    size_t i;

    snprintf(pointer, sizeof(pointer), "%s/%s", at, name);
    if (!given || json_is_null(given))
        return list;
    if (!json_is_array(given) || json_array_size(given) > PREFIXES_MAX) {
        spec_report_add(r->report, pointer, json_is_array(given) ? "range" : "type",
                        "must be a list of at most %d texts", (int)PREFIXES_MAX);
        return list;
    }
    json_array_foreach(given, i, text) {
        const char *what = "must be a text";

        snprintf(pointer, sizeof(pointer), "%s/%s/%zu", at, name, i);
        if (!json_is_string(text) ||
            !job_prefix_hex(str_of(json_string_value(text), json_string_length(text)), hex,
                            &what)) {
            spec_report_add(r->report, pointer, json_is_string(text) ? "invalid" : "type", "%s",
                            what);
            continue;
        }
        s->prefix_count++;
        s->prefix_bytes += strlen(hex) / 2;
        json_array_append(list, text);
    }
    return list;
}

/* Takes the row's lists of prefixes. */
static void add_database(struct job_spec_objects *r, struct selection *s, const char *at,
                         int source, int destination, json_t *include, json_t *exclude) {
    json_t *row;

    if (s->source[source] || s->destination[destination]) {
        spec_report_add(r->report, at, "invalid", "database %d of the %s is named twice",
                        s->source[source] ? source : destination,
                        s->source[source] ? "source" : "destination");
        json_decref(include);
        json_decref(exclude);
        return;
    }
    s->source[source] = s->destination[destination] = true;
    row = json_pack("{s:i, s:i}", "source", source, "destination", destination);
    if (json_array_size(include) > 0)
        json_object_set(row, "include_prefixes", include);
    if (json_array_size(exclude) > 0)
        json_object_set(row, "exclude_prefixes", exclude);
    json_decref(include);
    json_decref(exclude);
    json_array_append_new(s->list, row);
}

static void read_given_databases(struct job_spec_objects *r, struct selection *s,
                                 const json_t *given) {
    size_t i;
    json_t *row;

    if (!json_is_array(given) || json_array_size(given) == 0 ||
        json_array_size(given) > DATABASES_MAX) {
        spec_report_add(r->report, "/objects/databases", json_is_array(given) ? "range" : "type",
                        "must be a list of 1 to %d databases", (int)DATABASES_MAX);
        return;
    }
    json_array_foreach(given, i, row) {
        char at[48];
        int source = 0, destination = 0;

        snprintf(at, sizeof(at), "/objects/databases/%zu", i);
        if (!json_is_object(row)) {
            spec_report_add(r->report, at, "type", "must be an object");
            continue;
        }
        check_database_members(r, row, at);
        if (read_number(r, row, at, "source", -1, &source) &&
            read_number(r, row, at, "destination", source, &destination))
            add_database(r, s, at, source, destination,
                         read_prefixes(r, s, row, at, "include_prefixes"),
                         read_prefixes(r, s, row, at, "exclude_prefixes"));
    }
    if (s->prefix_count > ALL_PREFIXES_MAX || s->prefix_bytes > ALL_PREFIX_BYTES_MAX)
        spec_report_add(r->report, "/objects/databases", "range",
                        "all prefixes together are at most %d, of %d bytes", (int)ALL_PREFIXES_MAX,
                        (int)ALL_PREFIX_BYTES_MAX);
}

/* redis://host/3 says which database is meant, as it does to every client. */
static void read_databases_of_urls(struct job_spec_objects *r, struct selection *s) {
    int source = r->source ? r->source->database : -1;
    int destination = r->destination ? r->destination->database : -1;

    if (source >= DATABASES_MAX || destination >= DATABASES_MAX) {
        spec_report_add(r->report, source >= DATABASES_MAX ? "/source" : "/destination", "range",
                        "databases have numbers from 0 to %d", DATABASES_MAX - 1);
    } else if (source >= 0) {
        add_database(r, s, "/source", source, destination >= 0 ? destination : source, NULL, NULL);
        warn(r, "/source", "database_of_url",
             "Only the database that the source's URL names is migrated; leave it out to migrate "
             "all");
    } else if (destination >= 0 && !r->is_source_broken) {
        spec_report_add(r->report, "/destination", "invalid",
                        "names a database and the source does not: say which one goes there in "
                        "objects.databases");
    }
}

static void keep_selection(struct job_spec_objects *r, struct selection *s) {
    json_t *objects = json_object_get(r->spec->spec, "objects");

    if (json_array_size(s->list) == 0) {
        json_decref(s->list);
        return; /* all: the table left null there */
    }
    for (int i = 0; i < DATABASES_MAX; i++) {
        if (s->destination[i])
            r->spec->destination_databases[r->spec->destination_database_count++] = i;
    }
    json_object_set_new(objects, "databases", s->list);
}

/* Commands the job leaves out: only such as carry data, by a name of the table. */
static void read_excluded(struct job_spec_objects *r) {
    json_t *given = member_of(r, "exclude_commands"), *list = json_array(), *text;
    char pointer[64];
    size_t i;

    json_object_set_new(json_object_get(r->spec->spec, "objects"), "exclude_commands", list);
    if (!given)
        return;
    if (!json_is_array(given) || json_array_size(given) > EXCLUDED_MAX) {
        spec_report_add(r->report, "/objects/exclude_commands",
                        json_is_array(given) ? "range" : "type",
                        "must be a list of at most %d names", (int)EXCLUDED_MAX);
        return;
    }
    json_array_foreach(given, i, text) {
        const struct command_row *row =
            json_is_string(text)
                ? command_find(str_of(json_string_value(text), json_string_length(text)))
                : NULL;

        snprintf(pointer, sizeof(pointer), "/objects/exclude_commands/%zu", i);
        if (!json_is_string(text))
            spec_report_add(r->report, pointer, "type", "must be a text");
        else if (!row || !command_row_is_applied(row))
            spec_report_add(r->report, pointer, "invalid",
                            "is no command that would be applied; GET /v1/commands lists them");
        else
            json_array_append_new(list, json_string(row->name));
    }
    if (json_array_size(list) > 0)
        warn(r, "/objects/exclude_commands", "commands_excluded",
             "What these commands do on the source is missing on the destination: both ends will "
             "differ");
}

/* Where the destination holds more than the job brings, a flush of the source asks first. */
static void read_flush_policy(struct job_spec_objects *r, bool is_filtered) {
    json_t *objects = json_object_get(r->spec->spec, "objects");

    if (!json_is_string(json_object_get(objects, "flush_policy")))
        json_object_set_new(objects, "flush_policy",
                            json_string(is_filtered ? "block_and_pause" : "apply"));
}

static void read_databases(struct job_spec_objects *r) {
    const json_t *given = member_of(r, "databases");
    struct selection s = {.list = json_array()};
    bool is_filtered;

    if (given)
        read_given_databases(r, &s, given);
    else
        read_databases_of_urls(r, &s);
    if (given && r->source && r->source->database >= 0)
        warn(r, "/source", "database_of_url_unused",
             "objects.databases says what is migrated; the database in the source's URL is not "
             "looked at");
    if (given && r->destination && r->destination->database >= 0)
        warn(r, "/destination", "database_of_url_unused",
             "objects.databases says where each database goes; the one in the destination's URL is "
             "not looked at");
    keep_selection(r, &s);

    is_filtered = r->spec->destination_database_count > 0;
    job_spec_conflict_scope(r->spec->spec, is_filtered);
    read_flush_policy(r, is_filtered);
}

void job_spec_objects_read(struct job_spec_objects *r) {
    read_databases(r);
    read_excluded(r);
}
