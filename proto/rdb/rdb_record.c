#include "proto/rdb/rdb_record.h"

#include "proto/rdb/rdb_string.h"

enum { ANY = -1 };

static const struct rdb_record records[] = {
    {RDB_OP_HASH_TEMPLATE, RDB_REDIS, false, RDB_EV_HASH_TEMPLATE, "L(S)"},
    {RDB_OP_KEY_META, RDB_REDIS, true, RDB_EV_KEY, "(4m)"},
    {RDB_OP_SLOT_IMPORT, RDB_VALKEY, false, RDB_EV_SLOT_IMPORT, "S(LL)"},
    {RDB_OP_SLOT_INFO, RDB_REDIS, false, RDB_EV_SLOT_INFO, "LLL"},
    {RDB_OP_FUNCTION2, ANY, false, RDB_EV_FUNCTION, "S"},
    {RDB_OP_FUNCTION_PRE_GA, ANY, false, RDB_EV_FUNCTION, "SS[S]S"},
    {RDB_OP_MODULE_AUX, ANY, false, RDB_EV_MODULE_AUX, "LLLm"},
    {RDB_OP_IDLE, ANY, true, RDB_EV_KEY, "L"},
    {RDB_OP_FREQ, ANY, true, RDB_EV_KEY, "1"},
    {RDB_OP_AUX, ANY, false, RDB_EV_AUX, "SS"},
    {RDB_OP_RESIZEDB, ANY, false, RDB_EV_RESIZEDB, "LL"},
    {RDB_OP_EXPIRE_MS, ANY, true, RDB_EV_KEY, "8"},
    {RDB_OP_EXPIRE, ANY, true, RDB_EV_KEY, "4"},
    {RDB_OP_SELECTDB, ANY, false, RDB_EV_SELECTDB, "L"},
    {RDB_OP_EOF, ANY, false, RDB_EV_EOF, "8"},
};

const struct rdb_record *rdb_record_find(enum rdb_vendor vendor, uint8_t opcode) {
    for (size_t i = 0; i < LENGTH_OF(records); i++) {
        if (records[i].opcode == opcode &&
            (records[i].vendor == ANY || records[i].vendor == (int)vendor))
            return &records[i];
    }
    return NULL;
}

static bool read_function(bool pre_ga, struct str *rest, struct rdb_event *ev) {
    uint64_t has_description;

    ev->function.pre_ga = pre_ga;
    ev->function.name = ev->function.engine = ev->function.description = STR_EMPTY;
    if (pre_ga &&
        (!rdb_take_str(rest, &ev->function.name) || !rdb_take_str(rest, &ev->function.engine) ||
         !rdb_take_len(rest, &has_description) ||
         (has_description && !rdb_take_str(rest, &ev->function.description))))
        return false;
    return rdb_take_str(rest, &ev->function.source);
}

static bool read_module_aux(struct str *rest, struct rdb_event *ev) {
    uint64_t when_opcode, when;

    if (!rdb_take_len(rest, &ev->module_aux.module_id) || !rdb_take_len(rest, &when_opcode) ||
        !rdb_take_len(rest, &when))
        return false;
    rdb_module_name(ev->module_aux.module_id, ev->module_aux.name);
    ev->module_aux.items = *rest;
    return true;
}

static bool read_selectdb(struct str *rest, struct rdb_event *ev) {
    uint64_t db;

    if (!rdb_take_len(rest, &db) || db > INT32_MAX)
        return false;
    ev->selectdb.db = (uint32_t)db;
    return true;
}

static bool read_slot_import(struct str *rest, struct rdb_event *ev) {
    if (!rdb_take_str(rest, &ev->slot_import.job) ||
        !rdb_take_len(rest, &ev->slot_import.range_count))
        return false;
    ev->slot_import.ranges = *rest;
    return true;
}

static bool read_hash_template(struct str *rest, struct rdb_event *ev) {
    if (!rdb_take_len(rest, &ev->hash_template.id) || !rdb_take_len(rest, &ev->hash_template.count))
        return false;
    ev->hash_template.fields = *rest;
    return true;
}

bool rdb_record_read(const struct rdb_record *record, struct str rest, struct rdb_event *ev) {
    switch (record->kind) {
    case RDB_EV_AUX:
        return rdb_take_str(&rest, &ev->aux.key) && rdb_take_str(&rest, &ev->aux.value);
    case RDB_EV_SELECTDB:
        return read_selectdb(&rest, ev);
    case RDB_EV_RESIZEDB:
        return rdb_take_len(&rest, &ev->resizedb.keys) &&
               rdb_take_len(&rest, &ev->resizedb.expires);
    case RDB_EV_FUNCTION:
        return read_function(record->opcode == RDB_OP_FUNCTION_PRE_GA, &rest, ev);
    case RDB_EV_MODULE_AUX:
        return read_module_aux(&rest, ev);
    case RDB_EV_SLOT_INFO:
        return rdb_take_len(&rest, &ev->slot_info.slot) &&
               rdb_take_len(&rest, &ev->slot_info.keys) &&
               rdb_take_len(&rest, &ev->slot_info.expires);
    case RDB_EV_SLOT_IMPORT:
        return read_slot_import(&rest, ev);
    case RDB_EV_HASH_TEMPLATE:
        return read_hash_template(&rest, ev);
    default:
        return false;
    }
}
