#include "services/flow/copy_temporary.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/crc/crc16.h"
#include "proto/resp/resp_write.h"

void copy_temporary_tags(uint32_t ret_tags[COPY_TEMPORARY_SLOTS]) {
    unsigned left = COPY_TEMPORARY_SLOTS;

    for (unsigned i = 0; i < COPY_TEMPORARY_SLOTS; i++)
        ret_tags[i] = UINT32_MAX;
    /* Numbers of six digits reach every slot: a test sees that this ends. */
    for (uint32_t number = 0; left > 0; number++) {
        char digits[16];
        char *behind = resp_write_decimal(digits, number);
        uint16_t slot = crc16(digits, (size_t)(behind - digits)) % COPY_TEMPORARY_SLOTS;

        if (ret_tags[slot] == UINT32_MAX) {
            ret_tags[slot] = number;
            left--;
        }
    }
}

void copy_temporary_name(uint32_t tag, const struct task_spec *spec, char ret[COPY_TEMPORARY_MAX]) {
    snprintf(ret, COPY_TEMPORARY_MAX, "{%" PRIu32 "}kf:tmp:%s:%" PRIu32, tag, spec->job,
             spec->task);
}

bool copy_temporary_is(struct str key) {
    struct str rest, tag;
    uint64_t number;

    if (!str_starts_with(key, STR_LIT("{")))
        return false;
    rest = str_skip(key, 1);
    return str_cut(&rest, '}', &tag) && str_parse_u64(tag, &number) &&
           str_starts_with(rest, STR_LIT("kf:tmp:"));
}
