#include "services/ctl/ctl_precheck.h"

#include <stdio.h>
#include <string.h>

#include "services/common/clock.h"
#include "services/ctl/ctl_exit.h"
#include "services/ctl/ctl_json.h"
#include "services/ctl/ctl_secrets.h"
#include "services/ctl/ctl_show.h"

enum { POLL_MS = 150, DATABASE_MAX = 255, SCREEN_MAX = 256 * 1024 };

bool ctl_precheck_database(const char *text, int *ret_source, int *ret_destination,
                           struct err *err) {
    struct str rest = str_from(text), source, destination;
    uint64_t from = 0, to = 0;
    bool ok = str_cut(&rest, ':', &source) && str_parse_u64(source, &from);

    destination = strchr(text, ':') ? rest : source;
    if (!ok || !str_parse_u64(destination, &to) || from > DATABASE_MAX || to > DATABASE_MAX)
        return err_set(err, ERR_USAGE, "--database takes N or N:M, numbers from 0 to %d",
                       DATABASE_MAX);
    *ret_source = (int)from;
    *ret_destination = (int)to;
    return true;
}

/* A prefix without a database means database 0, where most keep their keys. */
static bool add_objects(const struct ctl_args *args, json_t *spec, struct err *err) {
    json_t *databases = json_array(), *prefixes = json_array();
    size_t i;
    json_t *row;
    bool ok = true;

    for (i = 0; ok && i < args->seen_count; i++) {
        int source = 0, destination = 0;

        if (args->seen[i].option == CTL_PREFIX)
            ok = json_array_append_new(prefixes, json_string(args->seen[i].value)) == 0 ||
                 err_set(err, ERR_USAGE, "--prefix is not UTF-8: write it as hex:…");
        if (args->seen[i].option != CTL_DATABASE)
            continue;
        ok = ctl_precheck_database(args->seen[i].value, &source, &destination, err);
        json_array_append_new(
            databases, json_pack("{s:i, s:i}", "source", source, "destination", destination));
    }
    if (json_array_size(prefixes) > 0 && json_array_size(databases) == 0)
        json_array_append_new(databases, json_pack("{s:i, s:i}", "source", 0, "destination", 0));
    json_array_foreach(databases, i, row) {
        if (json_array_size(prefixes) > 0)
            json_object_set(row, "include_prefixes", prefixes);
    }
    if (json_array_size(databases) > 0)
        json_object_set_new(spec, "objects", json_pack("{s:O}", "databases", databases));
    json_decref(databases);
    json_decref(prefixes);
    return ok;
}

static bool add_text(const struct ctl_args *args, enum ctl_option option, const char *member,
                     json_t *spec, struct err *err) {
    const char *text = ctl_args_value(args, option);

    return !text || json_object_set_new(spec, member, json_string(text)) == 0 ||
           err_set(err, ERR_USAGE, "%s is not UTF-8", member);
}

/* A file has no changes: that need not be said. */
static bool follows(const struct ctl_args *args) {
    return !ctl_args_flag(args, CTL_FULL_ONLY) && strncasecmp(args->argument[0], "file:", 5) != 0;
}

bool ctl_precheck_spec(const struct ctl_args *args, json_t **ret, struct err *err) {
    json_t *spec = json_object(), *source = NULL, *destination = NULL;
    bool ok = ctl_secrets_endpoint(args, CTL_SOURCE, args->argument[0], &source, err) &&
              ctl_secrets_endpoint(args, CTL_DESTINATION, args->argument[1], &destination, err) &&
              add_objects(args, spec, err) && add_text(args, CTL_NAME, "name", spec, err) &&
              add_text(args, CTL_CONFLICT_MODE, "conflict_mode", spec, err) &&
              add_text(args, CTL_CONFIRM_FLUSH, "confirm_flush", spec, err);

    if (ok) {
        json_object_set(spec, "source", source);
        json_object_set(spec, "destination", destination);
        json_object_set_new(spec, "migration",
                            json_pack("{s:b, s:b}", "full", 1, "incremental", follows(args)));
        *ret = json_incref(spec);
    }
    json_decref(source);
    json_decref(destination);
    json_decref(spec);
    return ok;
}

bool ctl_precheck_wait(struct api_client *api, const char *path, struct ctl_output output,
                       json_t **ret, struct err *err) {
    *ret = NULL;
    do {
        json_t *precheck = NULL;

        if (!ctl_watch_get(api, path, &precheck, err)) {
            if (ctl_watch_interrupted())
                return true;
            return false;
        }
        if (!ctl_json_is(precheck, "state", "running")) {
            if (output.live)
                printf("\r\033[K");
            *ret = precheck;
            return true;
        }
        if (output.live) {
            printf("\r\033[Kcheck   %zu items",
                   json_array_size(json_object_get(precheck, "items")));
            fflush(stdout);
        }
        json_decref(precheck);
    } while (ctl_watch_sleep(POLL_MS));
    return true;
}

/* A URL as it may be shown: what was the password is not in it. */
static void shown_url(const char *url, char *dst, size_t dst_size) {
    size_t at, len;
    char text[512];

    snprintf(text, sizeof(text), "%s", url);
    if (ctl_secrets_find(text, &at, &len)) {
        bool has_user = text[at - 2] != '/';

        snprintf(dst, dst_size, "%.*s%s", (int)(at - 1), text, text + at + len + !has_user);
    } else {
        snprintf(dst, dst_size, "%s", text);
    }
}

const char *ctl_precheck_unbuilt(const json_t *answer) {
    const json_t *warnings = json_object_get(answer, "warnings"), *warning;
    size_t i;

    json_array_foreach(warnings, i, warning) {
        if (ctl_json_is(warning, "code", "checked_only"))
            return ctl_json_text(warning, "detail");
    }
    return NULL;
}

static void say_verdict(const struct ctl_args *args, const json_t *precheck, const char *unbuilt) {
    double failures =
        ctl_json_number(precheck, "counts.fail") + ctl_json_number(precheck, "counts.error");
    double warnings = ctl_json_number(precheck, "counts.warn");
    char source[520], destination[520];

    shown_url(args->argument[0], source, sizeof(source));
    shown_url(args->argument[1], destination, sizeof(destination));
    if (ctl_json_is(precheck, "state", "passed") && unbuilt)
        printf("Passed, and no more than that for now. %s.\n", unbuilt);
    else if (ctl_json_is(precheck, "state", "passed"))
        printf("Ready:  keyferry migrate %s %s\n", source, destination);
    else if (failures > 0)
        printf("Not ready: %.0f failure%s.  After the fix:  keyferry migrate %s %s\n", failures,
               failures > 1 ? "s" : "", source, destination);
    else if (warnings > 0)
        printf("Not ready: %.0f warning%s. When you accept that:  keyferry migrate "
               "--ignore-warnings %s %s\n",
               warnings, warnings > 1 ? "s" : "", source, destination);
    else
        printf("Not ready: the check could not be carried out.\n");
}

static int report(const struct ctl_args *args, const json_t *precheck, const char *unbuilt,
                  struct ctl_output output) {
    struct buf text = BUF_INIT(SCREEN_MAX);
    struct err err = ERR_INIT;

    if (output.json) {
        (void)json_dumpf(precheck, stdout, CTL_JSON_LINE);
        printf("\n");
    } else if (ctl_show_precheck(precheck, &text, &err)) {
        printf("%s\n", text.ptr);
        say_verdict(args, precheck, unbuilt);
    }
    buf_done(&text);
    return ctl_json_is(precheck, "state", "passed") ? CTL_EXIT_REACHED : CTL_EXIT_PRECHECK;
}

int ctl_precheck_run(const struct ctl_args *args) {
    struct ctl_output output = ctl_output_of(args);
    struct api_client api = API_CLIENT_INIT;
    json_t *spec = NULL, *preview = NULL, *started = NULL, *precheck = NULL;
    struct err err = ERR_INIT;
    int code = CTL_EXIT_DETACHED;
    char path[160];
    bool ok;

    ctl_watch_signals();
    ok = api_client_open(&api, args, &err) && ctl_precheck_spec(args, &spec, &err) &&
         api_client_call(&api, "POST", "/v1/jobs/preview", spec, &preview, &err) &&
         api_client_call(&api, "POST", "/v1/prechecks", spec, &started, &err);
    if (ok) {
        snprintf(path, sizeof(path), "/v1/prechecks/%.100s", ctl_json_text(started, "id"));
        ok = ctl_precheck_wait(&api, path, output, &precheck, &err);
    }
    if (!ok)
        code = ctl_exit_with(&err);
    else if (precheck)
        code = report(args, precheck, ctl_precheck_unbuilt(preview), output);
    json_decref(spec);
    json_decref(preview);
    json_decref(started);
    json_decref(precheck);
    api_client_close(&api);
    return code;
}
