/* The first two bytes say how long the output should be; the rest is input. */
#include <stdint.h>
#include <stdlib.h>

#include "proto/rdb/lzf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t out_len;
    char *out;

    if (size < 2)
        return 0;
    out_len = (size_t)data[0] << 8 | data[1];
    out = malloc(out_len ? out_len : 1); /* its exact size: a sanitizer watches both ends */
    if (out && lzf_unpack(str_of(data + 2, size - 2), out, out_len) &&
        out_len > (size - 2) * LZF_MAX_RATIO)
        abort();
    free(out);
    return 0;
}
