#include "proto/repl/snapshot_header.h"

#include "proto/resp/resp_error.h"

/* One line without its end, not blank. */
static bool take_line(struct snapshot_header *h, struct str line, struct err *err) {
    struct str eof = STR_LIT("$EOF:");
    char quoted[97];

    str_escape(line, quoted, sizeof(quoted));
    if (line.ptr[0] == '-') {
        enum err_code code = resp_error_source(resp_error_class(str_skip(line, 1)));

        /* Whatever its words, it was a try: the next one may succeed. */
        return err_set(err, code == ERR_PROTOCOL ? ERR_SOURCE_BUSY : code,
                       "the source gives up its snapshot: %s", quoted);
    }
    if (str_starts_with(line, eof) && line.len == eof.len + SNAPSHOT_MARK_LEN) {
        memcpy(h->mark, line.ptr + eof.len, SNAPSHOT_MARK_LEN);
        return true;
    }
    if (line.ptr[0] == '$' && str_parse_u64(str_skip(line, 1), &h->length)) {
        h->has_length = true;
        return true;
    }
    return err_set(err, ERR_PROTOCOL, "where a snapshot should begin the source sends: %s", quoted);
}

bool snapshot_header_feed(struct snapshot_header *h, struct str in, size_t *ret_used,
                          bool *ret_done, struct err *err) {
    for (size_t used = 0; used < in.len;) {
        char c = in.ptr[used++];
        struct str line = str_of(h->line, h->line_len);

        if (c != '\n') {
            if (h->line_len == sizeof(h->line))
                return err_set(err, ERR_PROTOCOL, "a line of over %zu bytes before the snapshot",
                               sizeof(h->line));
            h->line[h->line_len++] = c;
            continue;
        }
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        h->line_len = 0;
        if (line.len == 0) {
            h->blank_lines++;
            continue;
        }
        if (!take_line(h, line, err))
            return false;
        *ret_used = used;
        *ret_done = true;
        return true;
    }
    *ret_used = in.len;
    *ret_done = false;
    return true;
}
