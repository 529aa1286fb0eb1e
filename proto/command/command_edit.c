#include "proto/command/command_edit.h"

#include "proto/resp/resp_write.h"

struct resp_command_args command_args_from(const struct resp_command *command, uint32_t at) {
    struct resp_command_args args = resp_command_args(command);
    struct str known, arg;

    if (at > 0 && at <= command->argv_count) {
        known = command->argv[at - 1];
        args.at = known.ptr + known.len + 2;
        args.left = command->argc - at;
        return args;
    }
    for (uint32_t i = 0; i < at && resp_command_args_next(&args, &arg);)
        i++;
    return args;
}

/* The bytes between two places in the same command. */
static struct str between(const char *from, const char *to) {
    return str_of(from, (size_t)(to - from));
}

static char *write_raw(char *at, struct str raw) {
    memcpy(at, raw.ptr, raw.len);
    return at + raw.len;
}

bool command_edit_put(const struct resp_command *command, const struct command_edit *edits,
                      size_t edit_count, struct buf *out, struct err *err) {
    uint64_t argc = command->argc;
    size_t size = command->raw.len + RESP_SIZE_NUMBER_MAX; /* the new header, and all that stays */
    const char *from = resp_command_args(command).at;
    char *at;

    for (size_t i = 0; i < edit_count; i++) {
        argc = argc - edits[i].drop + edits[i].with_count;
        for (uint32_t w = 0; w < edits[i].with_count; w++)
            size += resp_size_bulk(edits[i].with[w].len);
    }
    if (!buf_reserve(out, size, err))
        return false;
    at = resp_write_array(out->ptr + out->len, argc);
    for (size_t i = 0; i < edit_count; i++) {
        at = write_raw(at, between(from, command_args_from(command, edits[i].at).at));
        for (uint32_t w = 0; w < edits[i].with_count; w++)
            at = resp_write_bulk(at, edits[i].with[w]);
        from = command_args_from(command, edits[i].at + edits[i].drop).at;
    }
    at = write_raw(at, between(from, command->raw.ptr + command->raw.len));
    out->len = (size_t)(at - out->ptr);
    out->ptr[out->len] = '\0';
    return true;
}
