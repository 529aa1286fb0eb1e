#include "proto/command/command_options.h"

#include "proto/command/command_edit.h"

enum option_kind {
    OPTION_TIME,
    OPTION_KEEPTTL,
    OPTION_PERSIST,
    OPTION_GET,
    OPTION_FIELDS,
    OPTION_OTHER
};

static const struct option {
    struct str word;
    enum option_kind kind;
    enum command_time time;
    bool operand;
} options[] = {
    {{"px", 2}, OPTION_TIME, COMMAND_TIME_PX, true},
    {{"pxat", 4}, OPTION_TIME, COMMAND_TIME_PXAT, true},
    {{"ex", 2}, OPTION_TIME, COMMAND_TIME_EX, true},
    {{"exat", 4}, OPTION_TIME, COMMAND_TIME_EXAT, true},
    {{"keepttl", 7}, OPTION_KEEPTTL, 0, false},
    {{"persist", 7}, OPTION_PERSIST, 0, false},
    {{"get", 3}, OPTION_GET, 0, false},
    {{"fields", 6}, OPTION_FIELDS, 0, false},
    {{"nx", 2}, OPTION_OTHER, 0, false},
    {{"xx", 2}, OPTION_OTHER, 0, false},
    {{"fnx", 3}, OPTION_OTHER, 0, false},
    {{"fxx", 3}, OPTION_OTHER, 0, false},
    {{"ifeq", 4}, OPTION_OTHER, 0, true},
    {{"ifne", 4}, OPTION_OTHER, 0, true},
    {{"ifdeq", 5}, OPTION_OTHER, 0, true},
    {{"ifdne", 5}, OPTION_OTHER, 0, true},
    {{"byint", 5}, OPTION_OTHER, 0, true}, /* these and enx: INCREX */
    {{"byfloat", 7}, OPTION_OTHER, 0, true},
    {{"lbound", 6}, OPTION_OTHER, 0, true},
    {{"ubound", 6}, OPTION_OTHER, 0, true},
    {{"saturate", 8}, OPTION_OTHER, 0, false},
    {{"enx", 3}, OPTION_OTHER, 0, false},
};

static const struct option *find(struct str word) {
    for (size_t i = 0; i < LENGTH_OF(options); i++) {
        if (str_equal_nocase(word, options[i].word))
            return &options[i];
    }
    return NULL;
}

bool command_options_scan(const struct resp_command *command, uint32_t from,
                          struct command_options *ret, struct err *err) {
    struct resp_command_args args = command_args_from(command, from);
    struct command_options found = {.time_at = 0};
    struct str word, operand = STR_EMPTY;

    for (uint32_t at = from; found.fields_at == 0 && resp_command_args_next(&args, &word); at++) {
        const struct option *option = find(word);
        uint32_t word_at = at;

        if (!option)
            return err_set(err, ERR_UNKNOWN_COMMAND, "word %u of it is no known option", at);
        if (option->operand) {
            if (!resp_command_args_next(&args, &operand))
                return err_set(err, ERR_PROTOCOL, "its last option lacks an operand");
            at++;
        }
        switch (option->kind) {
        case OPTION_TIME:
            if (found.time_at != 0)
                return err_set(err, ERR_PROTOCOL, "it carries two expiry times");
            found.time_at = word_at;
            found.time = option->time;
            found.time_text = operand;
            break;
        case OPTION_KEEPTTL:
            found.keepttl_at = word_at;
            break;
        case OPTION_PERSIST:
            found.persist_at = word_at;
            break;
        case OPTION_GET:
            found.get_at = word_at;
            break;
        case OPTION_FIELDS:
            found.fields_at = word_at;
            break;
        case OPTION_OTHER:
            break;
        }
    }
    *ret = found;
    return true;
}
