/* A source that answers the handshake with anything, in pieces of any size. */
#include <stdlib.h>

#include "proto/repl/psync.h"
#include "proto/repl/snapshot_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct psync_options options = {.password = STR_LIT("secret")};
    struct snapshot_header header = SNAPSHOT_HEADER_INIT;
    enum psync_wants wants = PSYNC_WANTS_REPLY;
    struct buf out = BUF_INIT(4096);
    struct err err = ERR_INIT;
    struct psync ps;
    size_t step, at = 1, used;
    bool done = false, ok = true;

    if (size < 1)
        return 0;
    options.auth = data[0] & 1;
    options.rdb_only = data[0] & 2;
    options.valkey_version = data[0] & 4;
    options.sync = options.rdb_only && options.valkey_version;
    if (((data[0] & 8) || options.sync) &&
        !repl_position_parse(STR_LIT("0123456789abcdef0123456789abcdef01234567:99"),
                             &options.position))
        abort();
    step = (data[0] >> 4) + 1u;
    if (!psync_start(&ps, &options, &out, &err))
        abort();
    while (ok && at < size && wants == PSYNC_WANTS_REPLY) {
        struct str in = str_first(str_of(data + at, size - at), step);

        ok = psync_feed(&ps, in, &used, &out, &wants, &err);
        if (ok && (used > in.len || (wants == PSYNC_WANTS_REPLY && used != in.len)))
            abort();
        at += ok ? used : 0;
    }
    if (wants != PSYNC_WANTS_REPLY && !repl_position_known(&ps.position))
        abort();
    while (ok && at < size && wants == PSYNC_WANTS_SNAPSHOT && !done) {
        struct str in = str_first(str_of(data + at, size - at), step);

        ok = snapshot_header_feed(&header, in, &used, &done, &err);
        if (ok && (used > in.len || (!done && used != in.len)))
            abort();
        at += ok ? used : 0;
    }
    if (!ok && err.code == ERR_NONE)
        abort();
    buf_done(&out);
    return 0;
}
