#include "services/job/role_judge.h"

#include <string.h>

#include "proto/base/str.h"
#include "services/net/endpoint.h"

const char role_judge_permissions[] =
    "instance.describe instance.test data.read data.replicate data.heartbeat data.write";

bool role_judge_knows(const char *permission) {
    struct str rest = str_from(role_judge_permissions), one;

    while (str_cut(&rest, ' ', &one))
        if (str_equal(one, str_from(permission)))
            return true;
    return false;
}

static bool holds(const json_t *list, const char *text) {
    const json_t *one;
    size_t i;

    json_array_foreach(list, i,
                       one) if (text && strcmp(json_string_value(one), text) == 0) return true;
    return false;
}

static bool is_trusted(const json_t *role, bool has_instance, const struct role_use *use) {
    const char *external = json_string_value(json_object_get(role, "external_id"));

    return role && has_instance && json_is_true(json_object_get(role, "enabled")) &&
           holds(json_object_get(role, "trusted_accounts"), use->account) &&
           (!external || (use->external_id && strcmp(external, use->external_id) == 0));
}

static bool check_time(const json_t *role, struct err *err) {
    json_int_t now = json_integer_value(json_object_get(role, "now_ms"));
    json_int_t after = json_integer_value(json_object_get(role, "not_after_ms"));

    if (now < json_integer_value(json_object_get(role, "not_before_ms")))
        return err_set(err, ERR_ROLE_PERMISSION, "the role is not valid yet");
    return after == 0 || now < after ||
           err_set(err, ERR_ROLE_PERMISSION, "the role is not valid any more");
}

static bool check_permissions(const json_t *role, const struct role_use *use, struct err *err) {
    for (size_t i = 0; i < LENGTH_OF(use->permissions) && use->permissions[i]; i++)
        if (!holds(json_object_get(role, "permissions"), use->permissions[i]))
            return err_set(err, ERR_ROLE_PERMISSION, "the role does not grant %s",
                           use->permissions[i]);
    return true;
}

static bool has_database(const json_t *allowed, const json_t *number) {
    const json_t *one;
    size_t i;

    json_array_foreach(allowed, i, one) if (json_equal(one, number)) return true;
    return false;
}

/* Every prefix that is selected lies within one that is allowed; at least one is. */
static bool prefixes_lie_within(const json_t *allowed, const json_t *selected) {
    const json_t *prefix, *one;
    size_t i, k;

    if (json_array_size(selected) == 0)
        return false;
    json_array_foreach(selected, i, prefix) {
        bool within = false;

        json_array_foreach(allowed, k, one) within =
            within ||
            str_starts_with(str_from(json_string_value(prefix)), str_from(json_string_value(one)));
        if (!within)
            return false;
    }
    return true;
}

static bool check_selection(const json_t *role, const struct role_use *use, struct err *err) {
    const json_t *databases = json_object_get(role, "databases");
    const json_t *prefixes = json_object_get(role, "prefixes"), *row;
    size_t i;

    if (!use->databases || (!json_is_array(databases) && !json_is_array(prefixes)))
        return true;
    if (json_array_size(use->databases) == 0)
        return err_set(err, ERR_ROLE_PERMISSION,
                       "the role is about some databases or keys: select them in "
                       "objects.databases");
    json_array_foreach(use->databases, i, row) {
        const json_t *number = json_object_get(row, "source");

        if (json_is_array(databases) && !has_database(databases, number))
            return err_set(err, ERR_ROLE_PERMISSION, "the role is not about database %lld",
                           json_integer_value(number));
        if (json_is_array(prefixes) &&
            !prefixes_lie_within(prefixes, json_object_get(row, "include_prefixes")))
            return err_set(err, ERR_ROLE_PERMISSION,
                           "the role is about some keys only: include_prefixes of database %lld "
                           "must begin with what it names",
                           json_integer_value(number));
    }
    return true;
}

/* "db.example" is any port of it. */
static bool check_destination(const json_t *role, const struct role_use *use, struct err *err) {
    const json_t *allowed = json_object_get(role, "destinations");
    const char *key = use->destination_key;
    const char *colon = strrchr(key, ':');
    const json_t *one;
    size_t i;

    if (!json_is_array(allowed) || key[0] == '\0')
        return true;
    json_array_foreach(allowed, i, one) {
        const char *text = json_string_value(one);

        if (strcmp(text, key) == 0 ||
            (use->destination_instance && strcmp(text, use->destination_instance) == 0) ||
            (colon && strlen(text) == (size_t)(colon - key) &&
             strncmp(text, key, (size_t)(colon - key)) == 0))
            return true;
    }
    return err_set(err, ERR_ROLE_PERMISSION, "the role does not let data go to %s", key);
}

bool role_judge(const json_t *role, bool has_instance, const struct role_use *use,
                struct err *err) {
    if (!is_trusted(role, has_instance, use))
        return err_set(err, ERR_ROLE_NOT_TRUSTED,
                       "no role %.64s of %.40s lets this account use %.40s", use->role_name,
                       use->owner, use->instance);
    return check_time(role, err) && check_permissions(role, use, err) &&
           check_selection(role, use, err) && check_destination(role, use, err);
}

void role_judge_address(const json_t *endpoint, char dst[300]) {
    json_t *form = json_copy((json_t *)(uintptr_t)endpoint);
    struct endpoint ep = ENDPOINT_INIT;
    struct err none = ERR_INIT;

    dst[0] = '\0';
    json_object_del(form, "reference");
    if (json_is_object(form) && endpoint_from_json(form, &ep, NULL, NULL, &none))
        endpoint_server(&ep, dst);
    endpoint_done(&ep);
    json_decref(form);
}

void role_judge_use(const json_t *spec, const char *end, struct role_use *use) {
    const json_t *migration = json_object_get(spec, "migration");
    const json_t *reference = json_object_get(json_object_get(spec, end), "reference");
    const json_t *other = json_object_get(json_object_get(spec, "destination"), "reference");
    const char *beat =
        json_string_value(json_object_get(json_object_get(spec, "heartbeat"), "mode"));
    size_t n = 0;

    use->owner = json_string_value(json_object_get(reference, "account_id"));
    use->role_name = json_string_value(json_object_get(reference, "role_name"));
    use->external_id = json_string_value(json_object_get(reference, "external_id"));
    use->instance = json_string_value(json_object_get(reference, "instance_id"));
    use->databases = NULL;
    use->destination_key[0] = '\0';
    memset(use->permissions, 0, sizeof(use->permissions));
    if (strcmp(end, "destination") == 0) {
        use->permissions[n++] = "data.write";
        return;
    }
    use->permissions[n++] = "data.read";
    if (!json_is_false(json_object_get(migration, "incremental"))) {
        use->permissions[n++] = "data.replicate";
        if (!beat || strcmp(beat, "off") != 0)
            use->permissions[n++] = "data.heartbeat";
    }
    use->databases = json_object_get(json_object_get(spec, "objects"), "databases");
    role_judge_address(json_object_get(spec, "destination"), use->destination_key);
    use->destination_instance = json_string_value(json_object_get(other, "instance_id"));
}
