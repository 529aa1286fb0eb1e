#include "services/job/job_prefix.h"

#include <ctype.h>
#include <string.h>

#include "proto/base/hex.h"

static bool fail(const char **ret_what, const char *what) {
    *ret_what = what;
    return false;
}

bool job_prefix_hex(struct str text, char ret_hex[2 * JOB_PREFIX_MAX + 1], const char **ret_what) {
    size_t n = 0;

    if (str_starts_with(text, STR_LIT("hex:"))) {
        text = str_skip(text, 4);
        if (text.len == 0 || text.len > 2 * JOB_PREFIX_MAX || text.len % 2 != 0)
            return fail(ret_what, "must have 1 to 512 bytes, two hexadecimal digits each");
        for (; n < text.len; n++) {
            if (!isxdigit((unsigned char)text.ptr[n]))
                return fail(ret_what, "must have hexadecimal digits behind hex:");
            ret_hex[n] = (char)tolower((unsigned char)text.ptr[n]);
        }
        ret_hex[n] = '\0';
        return true;
    }
    if (text.len == 0 || text.len > JOB_PREFIX_MAX)
        return fail(ret_what, "must have 1 to 512 bytes");
    if (memchr(text.ptr, '\0', text.len))
        return fail(ret_what, "holds a NUL: write it as hex:…");
    hex_encode(text, ret_hex);
    return true;
}
