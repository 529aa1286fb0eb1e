/* Replies as tokens, passed over, and as trees: the three must agree. */
#include <stdlib.h>

#include "proto/resp/resp_error.h"
#include "proto/resp/resp_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct resp_value *value, int depth) {
    if (depth > 16)
        abort();
    for (size_t i = 0; i < value->count; i++)
        walk(&value->items[i], depth + 1);
    if (value->type == RESP_ERROR && resp_error_class(value->str) >= RESP_ERROR_COUNT)
        abort();
}

static void as_tree(struct str in) {
    struct resp_reader *reader =
        resp_reader_new((struct resp_reader_limits){.array_max = 1000, .bytes_max = 64 * 1024});
    struct arena arena = ARENA_INIT;
    const struct resp_value *value;
    struct err err = ERR_INIT;

    if (!reader)
        abort();
    for (size_t at = 0; at < in.len; at += 7) {
        enum resp_status status;

        if (!resp_reader_feed(reader, str_first(str_skip(in, at), 7), &err))
            break;
        while ((status = resp_reader_next(reader, &arena, &value, &err)) == RESP_GOT)
            walk(value, 0);
        if (status == RESP_WRONG)
            break;
    }
    resp_reader_free(reader);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str in = str_of(data, size);
    struct resp_skip skip = RESP_SKIP_INIT;
    struct err err = ERR_INIT;
    size_t tokens = 0, used;
    struct resp_item item;

    while (resp_reply_next(str_skip(in, tokens), &used, &item, &err) == RESP_GOT) {
        if (used == 0 || tokens + used > size)
            abort();
        tokens += used;
    }
    for (size_t at = 0; at < size;) {
        enum resp_status status = resp_reply_skip(&skip, str_skip(in, at), &used, &err);

        /* The beginning of a long string is passed over before the rest is there. */
        if (used > size - at ||
            (at + used > tokens && !(status == RESP_NEED_MORE && skip.string_left > 0)))
            abort();
        at += used;
        if (status != RESP_GOT)
            break;
        skip = RESP_SKIP_INIT;
    }
    as_tree(in);
    return 0;
}
