/* What this service is and can, and who is asking. */
#include <stdio.h>
#include <string.h>

#include "proto/command/command.h"
#include "services/alert/runbook.h"
#include "services/job/job_class.h"
#include "services/precheck/check.h"
#include "sql/store_account.h"
#include "sql/store_key.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_time.h"
#include "web-api/page.h"

bool platform_version(struct call *call, struct reply *reply, struct err *err) {
    (void)call;
    (void)err;
    reply_json(
        reply, 200,
        json_pack("{s:s, s:s, s:s}", "product", "keyferry", "version", KF_VERSION, "api", "v1"));
    return true;
}

bool platform_me(struct call *call, struct reply *reply, struct err *err) {
    struct store_key key;
    json_t *usage = NULL;

    if (!store_key_find(call->store, call->caller.actor + strlen("key:"), &key, err) ||
        !store_account_usage(call->store, key.account, NULL, &usage, err))
        return false;

    json_t *scopes = json_array();
    struct str list = str_from(key.scopes), one;

    while (str_cut(&list, ' ', &one))
        json_array_append_new(scopes, json_stringn(one.ptr, one.len));
    reply_json(reply, 200,
               json_pack("{s:{s:s, s:s, s:b}, s:o, s:{s:s, s:s, s:s, s:o, s:o, s:o}}", "account",
                         "id", key.account, "name", key.account_name, "operator", key.is_operator,
                         "usage", usage ? usage : json_object(), "api_key", "id", key.id, "prefix",
                         key.prefix, "name", key.name, "scopes", scopes, "created_at",
                         json_time(key.created_ms), "expires_at", json_time(key.expires_ms)));
    return true;
}

bool platform_classes(struct call *call, struct reply *reply, struct err *err) {
    size_t count;
    const struct job_class *classes = job_class_list(&count);
    json_t *items = json_array();

    for (size_t i = 0; i < count; i++) {
        uint32_t cap = classes[i].commands_per_second;

        json_array_append_new(items,
                              json_pack("{s:s, s:o, s:b}", "name", classes[i].name,
                                        "incremental_commands_per_second",
                                        cap ? json_integer(cap) : json_null(), "available", 1));
    }
    return page_whole(call->request, "classes", reply, items, err);
}

/* What this version can do, as a console shows it above its forms. `tested` is what the suites run
 * against; what else a server must be is the precheck's to say. */
static const char capabilities[] =
    "{\"kinds\": [\"migration\"],"
    " \"source\": {\"topologies\": [\"standalone\", \"sentinel\"],"
    "  \"checked_topologies\": [\"standalone\", \"sentinel\", \"cluster\"],"
    "  \"read_modes\": [\"psync\", \"sync\", \"scan\"],"
    "  \"references\": [\"url\", \"inline\", \"instance\", \"role\", \"file\"],"
    "  \"tested\": [\"redis 6.0\", \"redis 7.0\", \"redis 8.0\", \"redis 8.6\", \"valkey 8.0\","
    "   \"valkey 8.1\", \"valkey 9.1\"]},"
    " \"destination\": {\"topologies\": [\"standalone\", \"sentinel\"],"
    "  \"checked_topologies\": [\"standalone\", \"sentinel\", \"cluster\"],"
    "  \"references\": [\"url\", \"inline\", \"instance\", \"role\"],"
    "  \"tested\": [\"redis 7.0\", \"redis 8.0\", \"redis 8.6\", \"valkey 8.0\", \"valkey 8.1\","
    "   \"valkey 9.1\"]},"
    " \"conflict_modes\": [\"precheck_error\", \"overwrite\", \"skip_existing\","
    "  \"fail_on_conflict\", \"flush_destination\"],"
    " \"expiry\": [\"held\", \"exact\"], \"migrations\": [\"full\", \"full+incremental\"],"
    " \"limits\": {\"body_bytes_max\": 1048576, \"list_limit_max\": 200, \"wait_seconds_max\": 30,"
    "  \"idempotency_hours\": 24, \"precheck_valid_hours\": 24, \"batch_max\": 50,"
    "  \"schedule_days_max\": 30},"
    /* What a person has to know before a start; a console shows it above its button. */
    " \"notices\": ["
    "  \"Nothing else should write to the keys that are migrated on the destination before the job "
    "has"
    " ended\","
    "  \"Expiries are held back on the destination while a job follows: stop it or cut over before"
    " clients are switched\","
    "  \"The source gets one replica more: one fork for the snapshot, and its writes are sent once"
    " more\","
    "  \"A copy without its changes may miss what is written to the source meanwhile\","
    "  \"A destination that evicts keys stops a job that follows: maxmemory-policy noeviction\","
    "  \"A key of a module's type stops the copy\"]}";

bool platform_capabilities(struct call *call, struct reply *reply, struct err *err) {
    (void)call;
    (void)err;
    reply_json(reply, 200, json_loads(capabilities, 0, NULL));
    return true;
}

/* How the tail treats a command. */
static const char *fate_name(enum command_fate fate) {
    switch (fate) {
    case COMMAND_FATE_DATA:
    case COMMAND_FATE_XADD:
    case COMMAND_FATE_SCRIPT:
        return "same";
    case COMMAND_FATE_EXPIRY:
    case COMMAND_FATE_RESTORE:
    case COMMAND_FATE_CROSS_DB:
    case COMMAND_FATE_SELECT:
    case COMMAND_FATE_MULTI:
    case COMMAND_FATE_EXEC:
    case COMMAND_FATE_FLUSHALL:
    case COMMAND_FATE_FLUSHDB:
    case COMMAND_FATE_SWAPDB:
        return "rewritten";
    case COMMAND_FATE_PUBLISH:
    case COMMAND_FATE_REPLCONF:
    case COMMAND_FATE_DROP:
        return "skipped";
    case COMMAND_FATE_REFUSE:
    case COMMAND_FATE_CONTAINER:
        break;
    }
    return "refused";
}

/* When a selection takes some of its keys. */
static const char *border_name(const struct command_row *row) {
    switch (row->border) {
    case COMMAND_BORDER_SPLIT:
        return "split";
    case COMMAND_BORDER_STORE:
        return "written_key_decides";
    case COMMAND_BORDER_BOTH:
        return row->id == COMMAND_COPY ? "written_key_decides" : "rewritten";
    case COMMAND_BORDER_NONE:
        break;
    }
    return row->first == 0 && row->numkeys == 0 ? "no_keys"
           : row->numkeys > 0                   ? "refused"
                                                : "one_key";
}

static json_t *version_json(uint16_t version) {
    char text[16];

    if (version == 0)
        return json_null();
    snprintf(text, sizeof(text), "%d.%d", version / 100, version % 100);
    return json_string(text);
}

static json_t *command_json(const struct command_row *row) {
    static const char *const classes[] = {
        [COMMAND_CLASS_A] = "idempotent",  [COMMAND_CLASS_E] = "fails_when_repeated",
        [COMMAND_CLASS_C] = "conditional", [COMMAND_CLASS_R] = "relative",
        [COMMAND_CLASS_X] = "reads_keys",  [COMMAND_CLASS_K] = "no_single_key",
        [COMMAND_CLASS_N] = "never_run",   [COMMAND_CLASS_V] = "script"};
    bool module = strchr(row->name, '.') != NULL;

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:o, s:o, s:b}, s:{s:i, s:i, s:i, s:i}, s:b}",
                     "name", row->name, "applied", fate_name(row->fate), "replay_class",
                     classes[row->class], "in_stream", row->stream[0] ? row->stream : "itself",
                     "partly_selected", border_name(row), "since", "redis",
                     version_json(row->redis), "valkey", version_json(row->valkey), "module",
                     module, "keys", "first", row->first, "last", row->last, "step", row->step,
                     "count_at", row->numkeys, "may_fail", row->fails);
}

bool platform_commands(struct call *call, struct reply *reply, struct err *err) {
    json_t *items = json_array();

    for (int id = COMMAND_NONE + 1; id < COMMAND_COUNT; id++) {
        const struct command_row *row = command_row((enum command_id)id);

        /* A container is only the first word of others. */
        if (row->fate != COMMAND_FATE_CONTAINER)
            json_array_append_new(items, command_json(row));
    }
    return page_whole(call->request, "commands", reply, items, err);
}

bool platform_runbooks(struct call *call, struct reply *reply, struct err *err) {
    return page_whole(call->request, "runbooks", reply, runbook_list(), err);
}

bool platform_runbook(struct call *call, struct reply *reply, struct err *err) {
    json_t *page = runbook_get(arena_dup(call->arena, call->param[0]));

    if (!page)
        return err_set(err, ERR_NOT_FOUND, "there is no such runbook");
    reply_json(reply, 200, page);
    return true;
}

bool platform_checks(struct call *call, struct reply *reply, struct err *err) {
    return page_whole(call->request, "checks", reply, check_catalogue_json(), err);
}
