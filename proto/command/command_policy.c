#include "proto/command/command_policy.h"

#include <inttypes.h>

#include "proto/base/str.h"
#include "proto/command/command_xadd.h"

enum { NAME_QUOTED = 65 };

static struct str arg(const struct resp_command *command, uint32_t at) {
    return at < command->argv_count ? command->argv[at] : STR_EMPTY;
}

static bool arg_is(const struct resp_command *command, uint32_t at, const char *word) {
    return str_equal_nocase(arg(command, at), str_from(word));
}

/* A database number; a server has at most INT32_MAX of them. */
static bool take_db(const struct resp_command *command, uint32_t at, uint32_t *ret_db,
                    struct err *err) {
    uint64_t db;

    if (!str_parse_u64(arg(command, at), &db) || db > INT32_MAX)
        return err_set(err, ERR_PROTOCOL, "a %" PRIu32 "-word command names no database number",
                       command->argc);
    *ret_db = (uint32_t)db;
    return true;
}

/* COPY k1 k2 [DB n] [REPLACE]: within the current database it is data like any other. */
static bool decide_copy(const struct resp_command *command, struct command_decision *ret,
                        struct err *err) {
    ret->action = COMMAND_DO_FORWARD;
    for (uint32_t i = 3; i < command->argv_count; i++) {
        if (!arg_is(command, i, "db"))
            continue;
        ret->action = COMMAND_DO_CROSS_DB;
        return take_db(command, i + 1, &ret->db, err);
    }
    return true;
}

/* A source sends the id it gave. Only a duplicate that it noticed keeps its `*`, and
 * must not add an entry here; any other would get another id than at the source. */
static bool decide_xadd(const struct resp_command *command, struct command_decision *ret,
                        struct err *err) {
    struct command_xadd xadd;

    if (!command_xadd_scan(command, &xadd, err))
        return false;
    if (xadd.id_chosen && xadd.idempotent_at == 0)
        return err_set(err, ERR_COMMAND_REFUSED,
                       "an XADD whose id each server would choose for itself");
    ret->idempotent = xadd.idempotent_at != 0;
    ret->action = xadd.id_chosen ? COMMAND_DO_DROP : COMMAND_DO_FORWARD;
    return true;
}

static bool refuse(const struct command_row *row, struct err *err) {
    return err_set(err, ERR_COMMAND_REFUSED,
                   "the stream holds %s, which is never repeated on a destination", row->name);
}

static bool unknown(const struct resp_command *command, struct err *err) {
    char name[NAME_QUOTED];

    str_escape(command->argv[0], name, sizeof(name));
    return err_set(err, ERR_UNKNOWN_COMMAND, "the stream holds the unknown command '%s'", name);
}

bool command_decide(const struct resp_command *command, struct command_decision *ret,
                    struct err *err) {
    const struct command_row *row = command_of(command);
    struct command_decision decision = {.action = COMMAND_DO_FORWARD, .row = row};
    bool ok = true;

    if (command->argc == 0) {
        *ret = (struct command_decision){.action = COMMAND_DO_DROP};
        return true;
    }
    if (!row)
        return unknown(command, err);
    switch (row->fate) {
    case COMMAND_FATE_DATA:
        break;
    case COMMAND_FATE_EXPIRY:
        /* The commonest of all has three words when it carries no expiry. */
        decision.action =
            row->id == COMMAND_SET && command->argc == 3 ? COMMAND_DO_FORWARD : COMMAND_DO_EXPIRY;
        break;
    case COMMAND_FATE_RESTORE:
        decision.action = COMMAND_DO_RESTORE;
        break;
    case COMMAND_FATE_CROSS_DB:
        if (row->id == COMMAND_COPY) {
            ok = decide_copy(command, &decision, err);
        } else {
            decision.action = COMMAND_DO_CROSS_DB;
            ok = take_db(command, 2, &decision.db, err);
        }
        break;
    case COMMAND_FATE_XADD:
        ok = decide_xadd(command, &decision, err);
        break;
    case COMMAND_FATE_SCRIPT:
        decision.action = COMMAND_DO_SCRIPT;
        break;
    case COMMAND_FATE_SELECT:
        decision.action = COMMAND_DO_SELECT;
        ok = take_db(command, 1, &decision.db, err);
        break;
    case COMMAND_FATE_MULTI:
        decision.action = COMMAND_DO_MULTI;
        break;
    case COMMAND_FATE_EXEC:
        decision.action = COMMAND_DO_EXEC;
        break;
    case COMMAND_FATE_FLUSHALL:
        decision.action = COMMAND_DO_FLUSHALL;
        break;
    case COMMAND_FATE_FLUSHDB:
        decision.action = COMMAND_DO_FLUSHDB;
        break;
    case COMMAND_FATE_SWAPDB:
        decision.action = COMMAND_DO_SWAPDB;
        ok = take_db(command, 1, &decision.db, err) && take_db(command, 2, &decision.db2, err);
        break;
    case COMMAND_FATE_PUBLISH:
        decision.action = COMMAND_DO_PUBLISH;
        break;
    case COMMAND_FATE_REPLCONF:
        if (!arg_is(command, 1, "getack"))
            return refuse(row, err);
        decision.action = COMMAND_DO_GETACK;
        break;
    case COMMAND_FATE_DROP:
        decision.action = COMMAND_DO_DROP;
        break;
    case COMMAND_FATE_CONTAINER:
    case COMMAND_FATE_REFUSE:
        return refuse(row, err);
    }
    if (!ok)
        return err_wrap(err, "deciding about %s", row->name);
    *ret = decision;
    return true;
}
