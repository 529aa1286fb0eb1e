#include "proto/command/command_border.h"

#include "proto/command/command_edit.h"
#include "proto/resp/resp_write.h"

static bool is_nobodys(const struct command_keeper *keeper, struct str key) {
    for (size_t i = 0; i < LENGTH_OF(keeper->never); i++) {
        if (keeper->never[i].len > 0 && str_starts_with(key, keeper->never[i]))
            return true;
    }
    return false;
}

bool command_keeper_takes(const struct command_keeper *keeper, struct str key) {
    return keeper->here && !is_nobodys(keeper, key) &&
           command_prefixes_take(keeper->prefixes_here, key);
}

static bool takes_there(const struct command_keeper *keeper, struct str key) {
    return keeper->there && !is_nobodys(keeper, key) &&
           command_prefixes_take(keeper->prefixes_there, key);
}

/* ---- sharing ------------------------------------------------------------------- */

/* A command without keys is as its database is. What code touches then cannot be seen. */
static enum command_share share_without_keys(const struct command_row *row,
                                             const struct command_keeper *keeper) {
    if (!keeper->here)
        return COMMAND_SHARE_NONE;
    return row->fate == COMMAND_FATE_SCRIPT && command_prefixes_any(keeper->prefixes_here)
               ? COMMAND_SHARE_SOME
               : COMMAND_SHARE_ALL;
}

static enum command_share share_of(bool in, bool out) {
    return !out ? COMMAND_SHARE_ALL : in ? COMMAND_SHARE_SOME : COMMAND_SHARE_NONE;
}

/* SORT reads keys that BY and GET make from its elements. */
static bool reads_outside(const struct resp_command *command, const struct command_keeper *keeper) {
    for (uint32_t i = 2; i + 1 < command->argv_count; i++) {
        struct str word = command->argv[i], pattern = command->argv[i + 1];
        const char *star = pattern.len ? memchr(pattern.ptr, '*', pattern.len) : NULL;

        if (!str_equal_nocase(word, STR_LIT("by")) && !str_equal_nocase(word, STR_LIT("get")))
            continue;
        if (star && !command_prefixes_take_all(keeper->prefixes_here,
                                               str_first(pattern, (size_t)(star - pattern.ptr))))
            return true;
    }
    return false;
}

/* One key is written from others. What is written outside is left out, whatever was read. */
static enum command_share share_of_store(const struct resp_command *command,
                                         const struct command_row *row,
                                         const struct command_keeper *keeper) {
    struct command_keys keys = command_keys(command, row);
    bool last_is_written = row->id == COMMAND_SORT || row->id == COMMAND_GEORADIUS ||
                           row->id == COMMAND_GEORADIUSBYMEMBER;
    bool written_in = false, out = false, first = true;
    struct str key;

    while (command_keys_next(&keys, &key)) {
        bool in = command_keeper_takes(keeper, key);

        if (first || last_is_written)
            written_in = in;
        out |= !in;
        first = false;
    }
    if (first)
        return share_without_keys(row, keeper);
    if (row->id == COMMAND_SORT && written_in && reads_outside(command, keeper))
        out = true;
    return share_of(written_in, out || !written_in);
}

static enum command_share share_of_both(const struct resp_command *command,
                                        const struct command_decision *decision,
                                        const struct command_keeper *keeper) {
    bool crosses = decision->action == COMMAND_DO_CROSS_DB;
    struct str from = command->argv_count > 1 ? command->argv[1] : STR_EMPTY;
    struct str to = command->argv_count > 2 ? command->argv[2] : STR_EMPTY;
    bool from_in = command_keeper_takes(keeper, from);
    bool to_in;

    if (decision->row->id == COMMAND_MOVE)
        to_in = takes_there(keeper, from);
    else
        to_in = crosses ? takes_there(keeper, to) : command_keeper_takes(keeper, to);
    if (decision->row->id == COMMAND_COPY) /* it leaves its origin as it is */
        return share_of(to_in, !from_in || !to_in);
    return share_of(from_in || to_in, !from_in || !to_in);
}

enum command_share command_border_share(const struct resp_command *command,
                                        const struct command_decision *decision,
                                        const struct command_keeper *keeper) {
    const struct command_row *row = decision->row;
    struct command_keys keys;
    bool in = false, out = false;
    struct str key;

    /* Most commands: one key at a fixed place. */
    if (row->border == COMMAND_BORDER_NONE && row->first > 0 && row->first == row->last &&
        (uint32_t)row->first < command->argv_count)
        return command_keeper_takes(keeper, command->argv[row->first]) ? COMMAND_SHARE_ALL
                                                                       : COMMAND_SHARE_NONE;
    if (row->border == COMMAND_BORDER_BOTH)
        return share_of_both(command, decision, keeper);
    if (row->border == COMMAND_BORDER_STORE)
        return share_of_store(command, row, keeper);
    keys = command_keys(command, row);
    while (command_keys_next(&keys, &key)) {
        if (command_keeper_takes(keeper, key))
            in = true;
        else
            out = true;
    }
    return in || out ? share_of(in, out) : share_without_keys(row, keeper);
}

/* ---- rewriting ----------------------------------------------------------------- */

static bool refuse(const struct command_row *row, struct err *err) {
    return err_set(err, ERR_SELECTION_CROSSED,
                   "%s takes keys of the selection together with keys that are not migrated, and "
                   "what it does cannot be told from the selection alone",
                   row->name);
}

static bool put(struct buf *out, struct err *err, struct str verb, struct str key) {
    struct str argv[] = {verb, key};

    return resp_put_command(out, LENGTH_OF(argv), argv, err);
}

static bool put_member(struct buf *out, struct err *err, struct str verb, struct str key,
                       struct str member) {
    struct str argv[] = {verb, key, member};

    return resp_put_command(out, LENGTH_OF(argv), argv, err);
}

/* Where the groups of a key and what belongs to it stand. */
struct groups {
    uint32_t first, step, count;
};

static struct groups groups_of(const struct resp_command *command, const struct command_row *row) {
    struct command_keys keys = command_keys(command, row);
    struct groups g = {.step = keys.step};

    g.first = keys.left ? keys.next : keys.more_next;
    g.count = keys.left ? keys.left : keys.more_left;
    return g;
}

static bool split(const struct resp_command *command, const struct command_row *row,
                  const struct command_keeper *keeper, struct buf *out, struct err *err) {
    struct groups g = groups_of(command, row);
    uint32_t end = g.first + g.count * g.step, kept = 0, words = 0;
    bool keep = false;

    for (int pass = 0; pass < 2; pass++) {
        struct resp_command_args args = resp_command_args(command);
        struct str word;

        if (pass == 1 && !resp_put_array(out, words, err))
            return false;
        for (uint32_t at = 0; resp_command_args_next(&args, &word); at++) {
            bool grouped = at >= g.first && at < end;

            if (grouped && (at - g.first) % g.step == 0) {
                keep = command_keeper_takes(keeper, word);
                kept += pass == 0 && keep;
            }
            if (grouped && !keep)
                continue;
            words += pass == 0;
            if (pass == 1 && row->numkeys > 0 && at == (uint32_t)row->numkeys) {
                if (!resp_put_u64(out, kept, err))
                    return false;
            } else if (pass == 1 && !resp_put_bulk(out, word, err)) {
                return false;
            }
        }
    }
    return true;
}

static bool rewrite_both(const struct resp_command *command, const struct command_decision *d,
                         const struct command_keeper *keeper, struct buf *out, struct err *err) {
    struct str from = command->argv[1];
    bool leaves = command_keeper_takes(keeper, from);

    switch (d->row->id) {
    case COMMAND_RENAME:
    case COMMAND_RENAMENX:
    case COMMAND_MOVE:
        return leaves ? put(out, err, STR_LIT("DEL"), from) : refuse(d->row, err);
    case COMMAND_SMOVE:
        if (command->argc != 4)
            return refuse(d->row, err);
        return leaves ? put_member(out, err, STR_LIT("SREM"), from, command->argv[3])
                      : put_member(out, err, STR_LIT("SADD"), command->argv[2], command->argv[3]);
    case COMMAND_RPOPLPUSH:
    case COMMAND_BRPOPLPUSH:
        return leaves ? put(out, err, STR_LIT("RPOP"), from) : refuse(d->row, err);
    case COMMAND_LMOVE:
        if (!leaves || command->argc != 5)
            return refuse(d->row, err);
        return put(out, err,
                   str_equal_nocase(command->argv[3], STR_LIT("left")) ? STR_LIT("LPOP")
                                                                       : STR_LIT("RPOP"),
                   from);
    default:
        return refuse(d->row, err);
    }
}

bool command_border_rewrite(const struct resp_command *command,
                            const struct command_decision *decision,
                            const struct command_keeper *keeper, struct buf *out, struct err *err) {
    size_t before = out->len;
    bool ok = false;

    switch (decision->row->border) {
    case COMMAND_BORDER_SPLIT:
        ok = split(command, decision->row, keeper, out, err);
        break;
    case COMMAND_BORDER_BOTH:
        ok = command->argv_count >= 3 ? rewrite_both(command, decision, keeper, out, err)
                                      : refuse(decision->row, err);
        break;
    case COMMAND_BORDER_NONE:
    case COMMAND_BORDER_STORE:
        ok = refuse(decision->row, err);
        break;
    }
    if (!ok)
        out->len = before;
    return ok;
}
