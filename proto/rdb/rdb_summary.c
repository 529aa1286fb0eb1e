#include "proto/rdb/rdb_summary.h"

#include <stdlib.h>

#include "proto/rdb/rdb_string.h"

void rdb_summary_done(struct rdb_summary *s) {
    free(s->databases);
    s->databases = NULL;
    s->database_count = s->database_room = 0;
}

/* The row of a database, made where it is missing. Servers write databases in
 * ascending order, so it is nearly always the last one. */
static struct rdb_summary_db *row_of(struct rdb_summary *s, uint32_t db, struct err *err) {
    size_t low = 0, high = s->database_count;

    if (high > 0 && s->databases[high - 1].db == db)
        return &s->databases[high - 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->databases[middle].db < db)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < s->database_count && s->databases[low].db == db)
        return &s->databases[low];
    if (s->database_count == RDB_SUMMARY_DATABASES_MAX) {
        (void)err_set(err, ERR_TOO_BIG, "the snapshot has keys in more than %d databases",
                      RDB_SUMMARY_DATABASES_MAX);
        return NULL;
    }
    if (s->database_count == s->database_room) {
        size_t room = s->database_room ? s->database_room * 2 : 16;
        struct rdb_summary_db *grown = realloc(s->databases, room * sizeof(*grown));

        if (!grown) {
            (void)err_set(err, ERR_MEMORY, "no memory to count %zu databases", room);
            return NULL;
        }
        s->databases = grown;
        s->database_room = room;
    }
    memmove(&s->databases[low + 1], &s->databases[low],
            (s->database_count - low) * sizeof(s->databases[0]));
    s->databases[low] = (struct rdb_summary_db){.db = db};
    s->database_count++;
    return &s->databases[low];
}

static void note_largest(struct rdb_summary *s, const struct rdb_event *ev) {
    uint64_t size = ev->key.value.len;
    size_t at = s->largest_count;

    if (at == RDB_SUMMARY_LARGEST) {
        if (size <= s->largest[at - 1].value_size)
            return;
        at--;
    } else {
        s->largest_count++;
    }
    for (; at > 0 && s->largest[at - 1].value_size < size; at--)
        s->largest[at] = s->largest[at - 1];
    s->largest[at] = (struct rdb_summary_key){
        .db = ev->key.db, .type = ev->key.type, .key = ev->key.key, .value_size = size};
}

static struct rdb_summary_module *module_of(struct rdb_summary *s, uint64_t module_id) {
    for (size_t i = 0; i < s->module_count; i++) {
        if (s->modules[i].module_id == module_id)
            return &s->modules[i];
    }
    if (s->module_count == RDB_SUMMARY_MODULES_MAX) {
        s->more_modules = true;
        return NULL;
    }
    s->modules[s->module_count] = (struct rdb_summary_module){.module_id = module_id};
    return &s->modules[s->module_count++];
}

static bool add_key(struct rdb_summary *s, const struct rdb_event *ev, struct err *err) {
    struct rdb_summary_db *row = row_of(s, ev->key.db, err);
    unsigned expires = ev->key.expire_at_ms != -1;

    if (!row)
        return false;
    row->keys++;
    row->expires += expires;
    s->keys++;
    s->expires += expires;
    if (ev->key.type < RDB_SUMMARY_TYPES) {
        row->by_type[ev->key.type]++;
        s->by_type[ev->key.type]++;
    }
    if (ev->key.type == RDB_TYPE_MODULE_2) {
        struct rdb_summary_module *module;
        struct str rest = ev->key.value;
        uint64_t module_id;

        if (rdb_take_len(&rest, &module_id) && (module = module_of(s, module_id)))
            module->keys++;
    }
    note_largest(s, ev);
    return true;
}

/* A name can be written in any encoding of a string; those of interest are short. */
static void add_aux(struct rdb_summary *s, struct str raw_key, struct str value) {
    struct buf scratch = BUF_INIT(64);
    struct err err = ERR_INIT;
    struct str key;

    s->aux_records++;
    if (!rdb_string_decode(raw_key, &scratch, &key, &err))
        key = STR_EMPTY;
    if (str_equal(key, STR_LIT("redis-ver")) || str_equal(key, STR_LIT("valkey-ver")))
        s->server_version = value;
    else if (str_equal(key, STR_LIT("lua")))
        s->lua_scripts++;
    buf_done(&scratch);
}

bool rdb_summary_add(struct rdb_summary *s, const struct rdb_event *ev, struct err *err) {
    struct rdb_summary_module *module;

    switch (ev->kind) {
    case RDB_EV_VERSION:
        s->vendor = ev->version.vendor;
        s->version = ev->version.number;
        s->beyond_known = ev->version.beyond_known;
        return true;
    case RDB_EV_AUX:
        add_aux(s, ev->aux.key, ev->aux.value);
        return true;
    case RDB_EV_FUNCTION:
        if (s->functions < RDB_SUMMARY_FUNCTIONS_MAX) {
            s->function[s->functions].name = ev->function.name;
            s->function[s->functions].source = ev->function.source;
        }
        s->functions++;
        return true;
    case RDB_EV_MODULE_AUX:
        if ((module = module_of(s, ev->module_aux.module_id)))
            module->aux_records++;
        return true;
    case RDB_EV_SLOT_INFO:
    case RDB_EV_SLOT_IMPORT:
        s->slot_records++;
        return true;
    case RDB_EV_HASH_TEMPLATE:
        s->templates++;
        return true;
    case RDB_EV_KEY:
        return add_key(s, ev, err);
    case RDB_EV_EOF:
        s->ended = true;
        s->checksum = ev->eof.checksum;
        return true;
    case RDB_EV_SELECTDB:
    case RDB_EV_RESIZEDB:
        return true;
    }
    return true;
}

struct str rdb_summary_library_name(struct str source) {
    struct str line, word;

    if (!str_starts_with(source, STR_LIT("#!")) || !str_cut(&source, '\n', &line))
        return STR_EMPTY;
    while (str_cut(&line, ' ', &word)) {
        if (str_starts_with(word, STR_LIT("name=")))
            return str_trim(str_skip(word, 5));
    }
    return STR_EMPTY;
}
