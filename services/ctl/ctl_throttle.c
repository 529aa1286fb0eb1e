/* `keyferry job throttle`: limits as they are, with those that were named changed. */
#include <stdint.h>
#include <stdio.h>

#include "services/ctl/api_client.h"
#include "services/ctl/ctl_exit.h"
#include "services/ctl/ctl_job.h"
#include "services/ctl/ctl_json.h"
#include "services/ctl/ctl_text.h"

static const struct limit {
    enum ctl_option option;
    const char *part, *member, *unit;
} limits[] = {
    {CTL_KEYS_PER_SECOND, "full", "rps", "keys/s"},
    {CTL_BYTES_PER_SECOND, "full", "bytes_per_second", "bytes/s"},
    {CTL_COMMANDS_PER_SECOND, "incremental", "rps", "commands/s"},
    {CTL_BYTES_PER_SECOND, "incremental", "bytes_per_second", "bytes/s"},
};

/* 0 takes a limit away: null in the API. */
static bool change(const struct ctl_args *args, const struct limit *limit, json_t *throttle,
                   bool *ret_any, struct err *err) {
    const char *text = ctl_args_value(args, limit->option);
    json_t *part = json_object_get(throttle, limit->part);
    uint64_t value = 0;

    if (!text)
        return true;
    if (!str_parse_u64(str_from(text), &value) || value > INT64_MAX)
        return err_set(err, ERR_USAGE, "a limit is a whole number; 0 takes it away");
    json_object_set_new(part, limit->member, value ? json_integer((json_int_t)value) : json_null());
    json_object_set_new(part, "enabled",
                        json_boolean(json_is_integer(json_object_get(part, "rps")) ||
                                     json_is_integer(json_object_get(part, "bytes_per_second"))));
    *ret_any = true;
    return true;
}

static void show(const json_t *effective) {
    char number[CTL_TEXT_SIZE];

    for (size_t i = 0; i < LENGTH_OF(limits); i++) {
        const json_t *part = json_object_get(effective, limits[i].part);
        const json_t *value = json_object_get(part, limits[i].member);

        if (i % 2 == 0)
            printf("%s%s", i ? "\n" : "", i ? "follow  " : "copy    ");
        if (json_is_integer(value))
            printf("%s %-14s", ctl_text_count((uint64_t)json_integer_value(value), number),
                   limits[i].unit);
        else
            printf("no limit of %-14s", limits[i].unit);
    }
    printf("\n");
}

int ctl_job_throttle(const struct ctl_args *args) {
    json_t *now = NULL, *changed = NULL, *configured;
    struct api_client api = API_CLIENT_INIT;
    struct err err = ERR_INIT;
    bool any = false;
    char path[160];
    bool ok = ctl_job_path(args, "/throttle", path, sizeof(path), &err) &&
              api_client_open(&api, args, &err) &&
              api_client_call(&api, "GET", path, NULL, &now, &err);

    configured = json_object_get(now, "configured");
    for (size_t i = 0; ok && i < LENGTH_OF(limits); i++)
        ok = change(args, &limits[i], configured, &any, &err);
    if (ok && any)
        ok = api_client_call(&api, "PUT", path, configured, &changed, &err);
    if (ok && ctl_args_flag(args, CTL_JSON)) {
        (void)json_dumpf(any ? changed : now, stdout, CTL_JSON_LINE);
        printf("\n");
    } else if (ok) {
        show(ctl_json_at(any ? changed : now, "effective"));
    }
    json_decref(now);
    json_decref(changed);
    api_client_close(&api);
    return ok ? CTL_EXIT_REACHED : ctl_exit_with(&err);
}
