#include "services/worker/attention.h"

#include <stdlib.h>

struct choice {
    const char *action;
    const char *body; /* JSON */
    const char *consequence;
};

#define CHOICE_STOP                                                                                \
    {                                                                                              \
        "stop", "{\"drain\": false}",                                                              \
            "Ends the migration here: held expiries are made right and the destination keeps "     \
            "what "                                                                                \
            "it has. What the source wrote since is not on it."                                    \
    }

static const struct choice recopy_choices[] = {
    {"resume", "{\"on_full_resync_needed\": \"overwrite\"}",
     "Copies everything once more over what is there: one full sync of the source. Keys that the "
     "source no longer has are removed when it is done, if the destination was empty when the job "
     "began; else nobody can tell whose they are and they stay."},
    {"resume", "{\"on_full_resync_needed\": \"flush_destination\"}",
     "Removes every key of the databases this job writes on the destination, whoever wrote it, and "
     "copies everything once more: one full sync of the source. Until that is done the "
     "destination holds a part."},
    CHOICE_STOP,
    {NULL, NULL, NULL},
};

static const struct choice repair_choices[] = {
    {"resume", "{}",
     "Tries again from the same position, once what the detail names was put right. Nothing is "
     "lost or done twice."},
    CHOICE_STOP,
    {NULL, NULL, NULL},
};

static const struct choice unable_choices[] = {
    {"resume", "{}",
     "Tries again from the same position, once the destination can take it (a newer version, a "
     "module, a right)."},
    CHOICE_STOP,
    {NULL, NULL, NULL},
};

static const struct choice flush_choices[] = {
    {"patch", "{\"objects\": {\"flush_policy\": \"apply\"}}",
     "After a resume, what the source flushed is flushed on the destination too, as far as it is "
     "selected; so is what it flushes later."},
    {"patch", "{\"objects\": {\"flush_policy\": \"skip\"}}",
     "After a resume the destination keeps what the source has flushed, and the job goes on. Both "
     "ends differ from then on."},
    CHOICE_STOP,
    {NULL, NULL, NULL},
};

static const struct choice end_choices[] = {
    {"stop", "{\"drain\": false}", "Ends the job. The destination is not changed by it."},
    {NULL, NULL, NULL},
};

struct row {
    enum err_code error;
    const char *code;
    const struct choice *choices;
    const char *if_you_wait;
};

static const struct row rows[] = {
#define ATTENTION(symbol, code, choices, if_you_wait) {ERR_##symbol, code, choices, if_you_wait},
#include "services/worker/attention.def"
#undef ATTENTION
};

static const struct row *row_of(enum err_code code) {
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        if (rows[i].error == code)
            return &rows[i];
    }
    return NULL;
}

bool attention_knows(enum err_code code) {
    return row_of(code) != NULL;
}

bool attention_offers_recopy(enum err_code code) {
    const struct row *row = row_of(code);

    return row && row->choices == recopy_choices;
}

static json_t *choices_json(const struct choice *choice) {
    json_t *list = json_array();

    for (; choice->action; choice++) {
        json_array_append_new(list, json_pack("{s:s, s:o, s:s}", "action", choice->action, "body",
                                              json_loads(choice->body, 0, NULL), "consequence",
                                              choice->consequence));
    }
    return list;
}

json_t *attention_of(enum err_code code, const char *since, const char *detail) {
    const struct row *own = row_of(code);
    const struct row *row = own ? own : row_of(ERR_INTERNAL);
    json_t *text = json_string(detail);
    json_t *question =
        json_pack("{s:s, s:s, s:o, s:s, s:o}", "code", own ? own->code : err_slug(code), "since",
                  since, "detail", text ? text : json_string("(not valid UTF-8)"), "if_you_wait",
                  row->if_you_wait, "choices", choices_json(row->choices));

    if (!question) /* sizes we chose: out of memory, or a row that is no JSON (the test reads all)
                    */
        abort();
    return question;
}
