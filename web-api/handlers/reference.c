/* What stands in tables and can be read: checks, problems, the rights an account needs. */
#include <string.h>

#include "services/precheck/check.h"
#include "services/redis/acl_line.h"
#include "services/redis/redis_info.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/json_read.h"
#include "web-api/problem.h"

bool reference_check(struct call *call, struct reply *reply, struct err *err) {
    json_t *list = check_catalogue_json(), *one, *found = NULL;
    size_t i;

    json_array_foreach(list, i, one) {
        if (str_equal(str_from(json_string_value(json_object_get(one, "id"))), call->param[0]))
            found = json_incref(one);
    }
    json_decref(list);
    if (!found)
        return err_set(err, ERR_NOT_FOUND, "there is no such check");
    reply_json(reply, 200, found);
    return true;
}

static json_t *problem_json(struct arena *a, enum err_code code) {
    static const char *const retries[] = {
        [RETRY_NEVER] = "never",
        [RETRY_LATER] = "later",
        [RETRY_NOW] = "now",
    };

    return json_pack("{s:s, s:s, s:s, s:i, s:s}", "type", problem_type(a, code), "code",
                     err_slug(code), "title", err_title(code), "status", err_http(code), "retry",
                     retries[err_retry_class(code)]);
}

/* Where the `type` of a problem document leads: "/problems/not-found". */
bool reference_problem(struct call *call, struct reply *reply, struct err *err) {
    struct str name = call->param[0];

    for (int code = ERR_NONE + 1; code < ERR_COUNT; code++) {
        const char *type = problem_type(call->arena, (enum err_code)code);

        if (str_equal(str_from(type + strlen("/problems/")), name)) {
            reply_json(reply, 200, problem_json(call->arena, (enum err_code)code));
            return true;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "there is no such problem");
}

/* ---- GET /v1/acl ---- */

static const char *query_text(struct call *call, const char *name, const char *otherwise) {
    struct str value;

    return request_query(call->request, name, &value) ? arena_dup(call->arena, value) : otherwise;
}

static bool is_user_name(const char *text) {
    size_t len = strlen(text);

    return len > 0 && len <= 64 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len;
}

static json_t *rules_json(unsigned role, enum acl_reading reading, uint32_t version) {
    json_t *list = json_array();

    for (size_t i = 0; i < acl_rule_count; i++) {
        if (acl_line_has(&acl_rules[i], role, reading, version))
            json_array_append_new(
                list, json_pack("{s:s, s:s}", "rule", acl_rules[i].rule, "why", acl_rules[i].why));
    }
    return list;
}

bool reference_acl(struct call *call, struct reply *reply, struct err *err) {
    const char *role = query_text(call, "role", ""), *user = query_text(call, "user", "keyferry");
    const char *mode = query_text(call, "read_mode", "auto");
    const char *version_text = query_text(call, "version", "");
    const char *topology = query_text(call, "topology", "standalone");
    bool is_cluster = strcmp(topology, "cluster") == 0;
    bool is_source = strcmp(role, "source") == 0;
    uint32_t version = redis_version_parse(str_from(version_text));
    enum acl_reading reading = strcmp(mode, "psync") == 0  ? ACL_PSYNC
                               : strcmp(mode, "scan") == 0 ? ACL_SCAN
                               : strcmp(mode, "sync") == 0 ? ACL_SYNC
                                                           : ACL_AUTO;
    unsigned which = (is_source ? ACL_SOURCE : ACL_DESTINATION) | (is_cluster ? ACL_OF_CLUSTER : 0);
    struct buf line = BUF_INIT(8192);
    bool has_accounts = !version_text[0] || version >= ACL_SINCE;

    if (!is_source && strcmp(role, "destination") != 0)
        json_read_wrong(&call->fields, "/role", *role ? "invalid" : "required",
                        "must be source or destination");
    if (reading == ACL_AUTO && strcmp(mode, "auto") != 0)
        json_read_wrong(&call->fields, "/read_mode", "invalid",
                        "must be auto, psync, sync or scan");
    if (!is_cluster && strcmp(topology, "standalone") != 0)
        json_read_wrong(&call->fields, "/topology", "invalid", "must be standalone or cluster");
    if (version_text[0] && version == 0)
        json_read_wrong(&call->fields, "/version", "invalid", "must be a version like 7.0.15");
    if (!is_user_name(user))
        json_read_wrong(&call->fields, "/user", "invalid",
                        "must be 1 to 64 letters, digits, '_', '.' or '-'");
    if (!json_read_end(call->fields, err) ||
        (has_accounts && !acl_line_format(user, which, reading, version, &line, err))) {
        buf_done(&line);
        return false;
    }
    reply_json(reply, 200,
               json_pack("{s:s, s:s, s:s, s:o, s:s, s:b, s:o, s:o}", "role", role, "read_mode",
                         mode, "topology", topology, "version",
                         version_text[0] ? json_string(version_text) : json_null(), "user", user,
                         "has_accounts", has_accounts, "line",
                         has_accounts ? json_stringn(line.ptr, line.len) : json_null(), "rules",
                         has_accounts ? rules_json(which, reading, version) : json_array()));
    buf_done(&line);
    return true;
}
