#include "proto/command/command_xadd.h"

static const struct option {
    struct str word;
    uint32_t operands;
    bool trims, idempotent;
} options[] = {
    {{"nomkstream", 10}, 0, false, false}, {{"keepref", 7}, 0, false, false},
    {{"delref", 6}, 0, false, false},      {{"acked", 5}, 0, false, false},
    {{"maxlen", 6}, 1, true, false},       {{"minid", 5}, 1, true, false},
    {{"limit", 5}, 1, false, false},       {{"idmp", 4}, 2, false, true},
    {{"idmpauto", 8}, 1, false, true},
};

static const struct option *find(struct str word) {
    for (size_t i = 0; i < LENGTH_OF(options); i++) {
        if (str_equal_nocase(word, options[i].word))
            return &options[i];
    }
    return NULL;
}

bool command_xadd_scan(const struct resp_command *command, struct command_xadd *ret,
                       struct err *err) {
    struct command_xadd xadd = {.id_at = 2};
    const struct option *option;
    struct str id;

    while (xadd.id_at < command->argv_count && (option = find(command->argv[xadd.id_at]))) {
        if (option->idempotent) {
            xadd.idempotent_at = xadd.id_at;
            xadd.idempotent_count = 1 + option->operands;
        }
        xadd.id_at++;
        if (option->trims && xadd.id_at < command->argv_count &&
            (str_equal(command->argv[xadd.id_at], STR_LIT("~")) ||
             str_equal(command->argv[xadd.id_at], STR_LIT("="))))
            xadd.id_at++;
        xadd.id_at += option->operands;
    }
    if (xadd.id_at >= command->argv_count)
        return err_set(err, ERR_PROTOCOL, "an XADD without an id");
    id = command->argv[xadd.id_at];
    xadd.id_chosen = id.len > 0 && id.ptr[id.len - 1] == '*';
    *ret = xadd;
    return true;
}
