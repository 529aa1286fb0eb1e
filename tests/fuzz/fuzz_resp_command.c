/* Commands in pieces of any size: what is scanned must be the bytes that came, and
 * the same as in one piece. */
#include <stdlib.h>

#include "proto/resp/resp_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct resp_command *whole, const struct resp_command *pieced) {
    struct resp_command_args args = resp_command_args(whole);
    struct str arg;
    uint32_t count = 0;

    if (whole->raw.len != pieced->raw.len || whole->argc != pieced->argc)
        abort();
    while (resp_command_args_next(&args, &arg)) {
        if (arg.ptr + arg.len + 2 > whole->raw.ptr + whole->raw.len)
            abort();
        if (count < whole->argv_count &&
            (!str_equal(arg, whole->argv[count]) || !str_equal(arg, pieced->argv[count])))
            abort();
        count++;
    }
    if (count != whole->argc)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct resp_command whole, pieced;
    struct resp_scan at_once = RESP_SCAN_INIT, in_pieces = RESP_SCAN_INIT;
    struct err err = ERR_INIT;
    size_t step, from = 0;
    enum resp_status status;

    if (size < 1)
        return 0;
    step = data[0] % 16 + 1;
    at_once.argc_max = in_pieces.argc_max = 200;
    at_once.bulk_max = in_pieces.bulk_max = 4096;
    data++;
    size--;
    while ((status = resp_command_scan(&at_once, str_of(data + from, size - from), &whole, &err)) ==
           RESP_GOT) {
        enum resp_status other = RESP_NEED_MORE;

        for (size_t upto = from + 1; other == RESP_NEED_MORE; upto += step) {
            size_t len = (upto < size ? upto : size) - from;
            /* Another place each time: slices of an earlier call must not survive. */
            char *copy = malloc(len);

            if (!copy)
                abort();
            memcpy(copy, data + from, len);
            other = resp_command_scan(&in_pieces, str_of(copy, len), &pieced, &err);
            if (other == RESP_GOT)
                check(&whole, &pieced);
            free(copy);
            if (other == RESP_NEED_MORE && len == size - from)
                abort();
        }
        if (other != RESP_GOT)
            abort();
        from += whole.raw.len;
    }
    return 0;
}
