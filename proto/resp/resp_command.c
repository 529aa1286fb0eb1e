#include "proto/resp/resp_command.h"

/* Enough for any length below the limits; more digits are no number of a server. */
enum { DIGITS_MAX = 10 };

/* "$0\r\n\r\n": what an argument that has not arrived takes at least. */
enum { BULK_MIN = 6 };

/* Read "<lead><digits>\r\n" from *p on. 1: read, *p stands behind. 0: the bytes end
 * before it does. -1: *p stands at the byte that is wrong. */
static inline int take_header(const char **p, const char *end, char lead, uint64_t *ret_value) {
    const char *at = *p;
    uint64_t value = 0;
    int digits = 0;

    if (at == end)
        return 0;
    if (*at != lead)
        return -1;
    for (at++; at != end; at++, digits++) {
        unsigned digit = (unsigned)(unsigned char)*at - '0';

        if (digit > 9)
            break;
        if (digits == DIGITS_MAX)
            goto wrong;
        value = value * 10 + digit;
    }
    if (at == end)
        return 0;
    if (digits == 0 || *at != '\r')
        goto wrong;
    if (++at == end)
        return 0;
    if (*at != '\n')
        goto wrong;
    *ret_value = value;
    *p = at + 1;
    return 1;
wrong:
    *p = at;
    return -1;
}

static enum resp_status wrong_byte(const struct resp_scan *scan, size_t at, char byte,
                                   const char *wanted, struct err *err) {
    (void)err_set(err, ERR_PROTOCOL,
                  "byte 0x%02x at offset %llu of the stream, where %s should stand",
                  (unsigned char)byte, (unsigned long long)(scan->stream_offset + at), wanted);
    return RESP_WRONG;
}

static enum resp_status over_limit(const struct resp_scan *scan, size_t at, const char *what,
                                   uint64_t value, uint64_t limit, struct err *err) {
    (void)err_set(err, ERR_TOO_BIG, "%s of %llu at offset %llu of the stream, the limit is %llu",
                  what, (unsigned long long)value, (unsigned long long)(scan->stream_offset + at),
                  (unsigned long long)limit);
    return RESP_WRONG;
}

void resp_scan_clear(struct resp_scan *scan, uint64_t stream_offset) {
    scan->stream_offset = stream_offset;
    scan->argc = scan->done = 0;
    scan->at = scan->need = 0;
}

static void finish(struct resp_scan *scan, const char *base, size_t len, uint32_t argc,
                   struct resp_command *command) {
    command->raw = str_of(base, len);
    command->argc = argc;
    command->argv_count = argc < RESP_ARGV_MAX ? argc : RESP_ARGV_MAX;
    resp_scan_clear(scan, scan->stream_offset + len);
}

/* Arguments walked over by earlier calls may have moved: slice them again. */
static void slice_again(struct resp_command *command, uint32_t count) {
    struct resp_command_args args = resp_command_args(command);

    for (uint32_t i = 0; i < count && i < RESP_ARGV_MAX; i++)
        (void)resp_command_args_next(&args, &command->argv[i]);
}

enum resp_status resp_command_scan(struct resp_scan *scan, struct str in,
                                   struct resp_command *ret_command, struct err *err) {
    const char *base = in.ptr, *end = in.ptr + in.len, *p = base + scan->at;
    uint32_t argc = scan->argc, done = scan->done;
    const uint32_t done_before = done;

    if (in.len == 0 || in.len < scan->need)
        return RESP_NEED_MORE;
    if (argc == 0) {
        uint64_t count;
        int got;

        if (*base == '\n') {
            finish(scan, base, 1, 0, ret_command);
            return RESP_GOT;
        }
        got = take_header(&p, end, '*', &count);
        if (got == 0)
            return RESP_NEED_MORE;
        if (got < 0 || count == 0)
            return wrong_byte(scan, (size_t)(p - base), got < 0 ? *p : '0',
                              "the header of a command", err);
        if (count > scan->argc_max)
            return over_limit(scan, 0, "an argument count", count, scan->argc_max, err);
        argc = (uint32_t)count;
    }
    while (done < argc) {
        const char *start = p;
        uint64_t len;
        int got = take_header(&p, end, '$', &len);

        if (got < 0)
            return wrong_byte(scan, (size_t)(p - base), *p, "the length of an argument", err);
        if (got > 0 && len > scan->bulk_max)
            return over_limit(scan, (size_t)(start - base), "an argument", len, scan->bulk_max,
                              err);
        if (got == 0 || (uint64_t)(end - p) < len + 2) {
            size_t known = got == 0 ? in.len + 1 : (size_t)(p - base) + len + 2;

            scan->argc = argc;
            scan->done = done;
            scan->at = (size_t)(start - base);
            scan->need = known + (size_t)(argc - done - 1) * BULK_MIN;
            return RESP_NEED_MORE;
        }
        if (p[len] != '\r' || p[len + 1] != '\n') {
            size_t bad = p[len] != '\r' ? len : len + 1;

            return wrong_byte(scan, (size_t)(p - base) + bad, p[bad], "the end of an argument",
                              err);
        }
        if (done < RESP_ARGV_MAX)
            ret_command->argv[done] = str_of(p, len);
        done++;
        p += len + 2;
    }
    finish(scan, base, (size_t)(p - base), argc, ret_command);
    if (done_before > 0)
        slice_again(ret_command, done_before);
    return RESP_GOT;
}

struct resp_command_args resp_command_args(const struct resp_command *command) {
    const char *at = command->raw.ptr;

    if (command->argc > 0) {
        while (*at != '\n')
            at++;
        at++;
    }
    return (struct resp_command_args){.at = at, .left = command->argc};
}

bool resp_command_args_next(struct resp_command_args *args, struct str *ret_arg) {
    const char *at = args->at + 1; /* behind '$' */
    size_t len = 0;

    if (args->left == 0)
        return false;
    for (; *at != '\r'; at++)
        len = len * 10 + (size_t)(*at - '0');
    *ret_arg = str_of(at + 2, len);
    args->at = at + 2 + len + 2;
    args->left--;
    return true;
}
