#include "services/alert/runbook.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/err.h"
#include "services/worker/attention.h"

static const struct {
    const char *meaning, *look, *act;
} alerts[ALERT_TYPE_COUNT] = {
#define RUNBOOK(symbol, meaning, look, act) [ALERT_##symbol] = {meaning, look, act},
#include "services/alert/runbook.def"
#undef RUNBOOK
};

static json_t *page(const char *group, const char *name, const char *title, const char *meaning,
                    const char *look, const char *act) {
    char code[96], url[128];

    snprintf(code, sizeof(code), "%s.%s", group, name);
    snprintf(url, sizeof(url), RUNBOOK_PATH "%s", code);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "code", code, "title", title, "meaning",
                     meaning, "look", look, "do", act, "doc_url", url);
}

/* What a blocked job asks, as a page. */
static json_t *page_of(enum err_code code) {
    json_t *question = attention_of(code, "", "");
    const char *name = json_string_value(json_object_get(question, "code"));
    const json_t *choice;
    char act[1024] = "";
    size_t at = 0, i;
    json_t *made;

    json_array_foreach(json_object_get(question, "choices"), i, choice) {
        int n = snprintf(act + at, sizeof(act) - at, "%s%s: %s", at ? " " : "",
                         json_string_value(json_object_get(choice, "action")),
                         json_string_value(json_object_get(choice, "consequence")));

        if (n > 0 && (size_t)n < sizeof(act) - at)
            at += (size_t)n;
    }
    act[at] = '\0';
    made = page(
        "attention", name ? name : "", err_title(code),
        json_string_value(json_object_get(question, "if_you_wait")),
        "last_error of the job names the cause in full; its history (/events) what went before.",
        act);
    json_decref(question);
    return made;
}

static bool is_listed(const json_t *list, const json_t *one) {
    const json_t *row;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, row) {
        if (json_equal(json_object_get(row, "code"), json_object_get(one, "code")))
            return true;
    }
    return false;
}

json_t *runbook_list(void) {
    json_t *list = json_array();

    for (int i = 0; i < ALERT_TYPE_COUNT; i++) {
        const struct alert_type_row *type = alert_type_row((enum alert_type)i);

        json_array_append_new(list, page("alert", type->name, type->title, alerts[i].meaning,
                                         alerts[i].look, alerts[i].act));
    }
    for (int code = ERR_NONE + 1; code < ERR_COUNT; code++) {
        json_t *made;

        if (!attention_knows((enum err_code)code))
            continue;
        made = page_of((enum err_code)code);
        if (is_listed(list, made)) /* several errors ask the same question */
            json_decref(made);
        else
            json_array_append_new(list, made);
    }
    return list;
}

json_t *runbook_get(const char *code) {
    json_t *list = runbook_list(), *found = NULL;
    const json_t *row;
    size_t i;

    json_array_foreach(list, i, row) {
        const char *its = json_string_value(json_object_get(row, "code"));

        if (!found && its && strcmp(its, code) == 0)
            found = json_incref((json_t *)(uintptr_t)row);
    }
    json_decref(list);
    return found;
}
