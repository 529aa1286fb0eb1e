#include "services/flow/copy_mark.h"

#include <inttypes.h>
#include <stdio.h>

/* Marks of before temporary keys, and before keys could be kept, end earlier. */
enum { FIELDS = 13, FIELDS_BEFORE = 9, FIELDS_TEMPORARY = 11 };

void copy_mark_format(const struct copy_mark *mark, char dst[POSITION_MARK_MAX]) {
    snprintf(dst, POSITION_MARK_MAX,
             "%" PRIu64 ":%" PRIu64 ":%" PRIu32 ":%d:%d:%d:%" PRIu64 ":%" PRIu64 ":%d:%d:%" PRIu32
             ":%" PRIu64 ":%" PRIu64,
             mark->at.offset, mark->at.crc, mark->at.db, mark->at.version, (int)mark->at.vendor,
             mark->at.crc_enabled ? 1 : 0, mark->keys_done, mark->keys_expired, mark->stream_db + 1,
             mark->temporary.database + 1, mark->temporary.tag, mark->keys_conflict,
             mark->field_expiries_dropped);
}

void copy_mark_begin_anew(char mark[POSITION_MARK_MAX]) {
    struct copy_mark was, left = {.stream_db = -1};
    struct err ignored = ERR_INIT;

    if (!mark[0] || !copy_mark_parse(str_from(mark), &was, &ignored) ||
        was.temporary.database < 0) {
        mark[0] = '\0';
        return;
    }
    left.temporary = was.temporary;
    copy_mark_format(&left, mark);
}

bool copy_mark_parse(struct str text, struct copy_mark *ret, struct err *err) {
    uint64_t field[FIELDS] = {0};
    struct str part;

    for (int i = 0; i < FIELDS; i++) {
        if ((i == FIELDS_BEFORE || i >= FIELDS_TEMPORARY) && text.len == 0)
            break;
        if (!str_cut(&text, ':', &part) || !str_parse_u64(part, &field[i]))
            return err_set(err, ERR_POSITION_MISSING,
                           "the mark of our position on the destination is none of ours");
    }
    *ret = (struct copy_mark){
        .at = {.offset = field[0],
               .crc = field[1],
               .db = (uint32_t)field[2],
               .version = (int)field[3],
               .vendor = (enum rdb_vendor)field[4],
               .crc_enabled = field[5] != 0},
        .keys_done = field[6],
        .keys_expired = field[7],
        .stream_db = (int)field[8] - 1,
        .temporary = {.database = (int)field[9] - 1, .tag = (uint32_t)field[10]},
        .keys_conflict = field[11],
        .field_expiries_dropped = field[12],
    };
    return true;
}
