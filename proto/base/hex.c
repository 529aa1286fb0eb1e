#include "proto/base/hex.h"

void hex_encode(struct str bytes, char *dst) {
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.len; i++) {
        dst[2 * i] = digits[(unsigned char)bytes.ptr[i] >> 4];
        dst[2 * i + 1] = digits[(unsigned char)bytes.ptr[i] & 15];
    }
    dst[2 * bytes.len] = '\0';
}

bool hex_decode(struct str hex, void *dst) {
    unsigned char *out = dst;

    if (hex.len % 2 != 0)
        return false;
    for (size_t i = 0; i < hex.len / 2; i++) {
        int high = str_hex_digit(hex.ptr[2 * i]), low = str_hex_digit(hex.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
