/* Any command for any destination, and any selection: what comes out must be whole commands,
 * as many as were announced, that the policy would let pass again; and of a part of a command,
 * all keys are in the selection. */
#include <stdlib.h>

#include "proto/command/command_border.h"
#include "proto/command/command_rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct resp_command command, again;

static void check(struct str out, uint32_t count) {
    struct command_decision decision;
    struct err err = ERR_INIT;

    for (; count > 0; count--) {
        struct resp_scan scan = RESP_SCAN_INIT;

        if (resp_command_scan(&scan, out, &again, &err) != RESP_GOT ||
            !command_decide(&again, &decision, &err))
            abort();
        out = str_skip(out, again.raw.len);
    }
    if (out.len > 0)
        abort();
}

/* Keys that begin with "k" or a NUL are selected, "kx" is not. */
static void select_some(const struct command_decision *decision, bool there) {
    static const struct str include[] = {{"k", 1}, {"", 1}}, exclude[] = {{"kx", 2}};
    static const struct command_prefixes prefixes = {include, exclude, 2, 1};
    const struct command_keeper keeper = {
        .here = true, .there = there, .prefixes_here = &prefixes, .never = {{"{kf}:", 5}}};
    struct buf out = BUF_INIT(1 << 20);
    struct command_decision part;
    struct command_keys keys;
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;
    struct str key;

    if (command_border_share(&command, decision, &keeper) != COMMAND_SHARE_SOME)
        return;
    if (!command_border_rewrite(&command, decision, &keeper, &out, &err)) {
        if (err.code == ERR_NONE || err.code == ERR_INTERNAL || out.len > 0)
            abort();
        buf_done(&out);
        return;
    }
    if (resp_command_scan(&scan, buf_str(&out), &again, &err) != RESP_GOT ||
        again.raw.len != out.len || !command_decide(&again, &part, &err))
        abort();
    keys = command_keys(&again, part.row);
    while (command_keys_next(&keys, &key)) {
        if (!command_keeper_takes(&keeper, key))
            abort();
    }
    buf_done(&out);
}

static void one(const struct command_target *target) {
    struct command_decision decision;
    struct buf out = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    struct str key;
    uint32_t count = 0;

    if (!command_decide(&command, &decision, &err)) {
        if (err.code == ERR_NONE)
            abort();
        return;
    }
    if (decision.row) {
        struct command_keys keys = command_keys(&command, decision.row);

        while (command_keys_next(&keys, &key)) {
            if (key.ptr < command.raw.ptr || key.ptr + key.len > command.raw.ptr + command.raw.len)
                abort();
        }
        select_some(&decision, true);
        select_some(&decision, false);
    }
    if (decision.action == COMMAND_DO_CROSS_DB) {
        if (!command_rewrite_cross_db(&command, &decision, 7, &out, &err))
            abort();
        check(buf_str(&out), 1);
    } else if (decision.action <= COMMAND_DO_SCRIPT) {
        if (command_rewrite(&command, &decision, target, UINT64_C(1760000000000), &out, &count,
                            &err))
            check(buf_str(&out), count);
        else if (err.code == ERR_NONE || err.code == ERR_INTERNAL || out.len > 0)
            abort();
    }
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint32_t versions[] = {0x020800, 0x040000, 0x060000, 0x060200,
                                        0x070000, 0x070400, 0x080000, 0x090100};
    struct resp_scan scan = RESP_SCAN_INIT;
    struct command_target target;
    struct err err = ERR_INIT;
    struct str in;

    if (size < 1)
        return 0;
    target =
        command_target(data[0] & 8, versions[data[0] & 7], data[0] & 16 ? 11 : 0, data[0] & 32);
    in = str_of(data + 1, size - 1);
    while (resp_command_scan(&scan, in, &command, &err) == RESP_GOT) {
        one(&target);
        in = str_skip(in, command.raw.len);
    }
    return 0;
}
