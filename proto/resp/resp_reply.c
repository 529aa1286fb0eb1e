#include "proto/resp/resp_reply.h"

#include <string.h>

static enum resp_status wrong(struct err *err, const char *what, char byte) {
    (void)err_set(err, ERR_PROTOCOL, "%s (byte 0x%02x) in a reply", what, (unsigned char)byte);
    return RESP_WRONG;
}

/* The line from in.ptr + 1 up to its CR LF. */
static enum resp_status take_line(struct str in, struct str *ret_line, struct err *err) {
    size_t window = in.len < RESP_REPLY_LINE_MAX ? in.len : RESP_REPLY_LINE_MAX;
    const char *from = in.ptr + 1, *end = in.ptr + window, *at;

    while (from < end && (at = memchr(from, '\n', (size_t)(end - from)))) {
        if (at > in.ptr + 1 && at[-1] == '\r') {
            *ret_line = str_of(in.ptr + 1, (size_t)(at - 1 - (in.ptr + 1)));
            return RESP_GOT;
        }
        from = at + 1;
    }
    if (window < RESP_REPLY_LINE_MAX)
        return RESP_NEED_MORE;
    (void)err_set(err, ERR_TOO_BIG, "a line of a reply exceeds %d bytes", RESP_REPLY_LINE_MAX);
    return RESP_WRONG;
}

static enum resp_status take_bulk(struct str in, size_t header, int64_t len, size_t *ret_used,
                                  struct resp_item *ret, struct err *err) {
    const char *body = in.ptr + header;

    if (len > (int64_t)RESP_BULK_LIMIT) {
        (void)err_set(err, ERR_TOO_BIG,
                      "a reply announces a string of %lld bytes, the limit is %llu", (long long)len,
                      (unsigned long long)RESP_BULK_LIMIT);
        return RESP_WRONG;
    }
    if (in.len - header < (size_t)len + 2)
        return RESP_NEED_MORE;
    if (body[len] != '\r' || body[len + 1] != '\n')
        return wrong(err, "a string that does not end where it said", body[len]);
    ret->type = RESP_BULK;
    ret->integer = 0;
    ret->str = str_of(body, (size_t)len);
    *ret_used = header + (size_t)len + 2;
    return RESP_GOT;
}

enum resp_status resp_reply_next(struct str in, size_t *ret_used, struct resp_item *ret,
                                 struct err *err) {
    struct str line;
    enum resp_status status;
    int64_t number = 0;
    size_t header;
    char type;

    if (in.len == 0)
        return RESP_NEED_MORE;
    type = in.ptr[0];
    if (type != '+' && type != '-' && type != ':' && type != '$' && type != '*')
        return wrong(err, "no known reply begins so", type);
    status = take_line(in, &line, err);
    if (status != RESP_GOT)
        return status;
    header = line.len + 3;
    if (type == '+' || type == '-') {
        *ret = (struct resp_item){.type = type == '+' ? RESP_SIMPLE : RESP_ERROR, .str = line};
        *ret_used = header;
        return RESP_GOT;
    }
    if (!str_parse_i64(line, &number) || (type != ':' && number < -1))
        return wrong(err, "no number where one belongs", type);
    if (type == '$' && number >= 0)
        return take_bulk(in, header, number, ret_used, ret, err);
    if (type == '*' && number > RESP_REPLY_ARRAY_MAX) {
        (void)err_set(err, ERR_TOO_BIG, "a reply announces %lld items, the limit is %lld",
                      (long long)number, (long long)RESP_REPLY_ARRAY_MAX);
        return RESP_WRONG;
    }
    *ret = (struct resp_item){.integer = number, .str = STR_EMPTY};
    if (type == ':')
        ret->type = RESP_INTEGER;
    else
        ret->type = number < 0 ? RESP_NIL : RESP_ARRAY;
    *ret_used = header;
    return RESP_GOT;
}

/* An item of the innermost open array is complete. True: so is the whole reply. */
static bool close_item(struct resp_skip *skip) {
    while (skip->depth > 0 && --skip->left[skip->depth - 1] == 0)
        skip->depth--;
    return skip->depth == 0;
}

/* A string need not be here whole to be passed over: its header is taken, and then what
 * comes. GOT: `in` begins with one of which a part is missing. */
static enum resp_status begin_string(struct resp_skip *skip, struct str in, size_t *ret_used,
                                     struct err *err) {
    struct str line;
    int64_t len;

    if (in.len == 0 || in.ptr[0] != '$' || take_line(in, &line, err) != RESP_GOT ||
        !str_parse_i64(line, &len) || len < 0 || len > (int64_t)RESP_BULK_LIMIT)
        return RESP_NEED_MORE;
    *ret_used = line.len + 3;
    skip->string_left = (uint64_t)len + 2;
    return RESP_GOT;
}

/* GOT: all of it was passed over. */
static enum resp_status skip_string(struct resp_skip *skip, struct str in, size_t *ret_used,
                                    struct err *err) {
    size_t n = in.len < skip->string_left ? in.len : (size_t)skip->string_left;

    skip->string_left -= n;
    *ret_used = n;
    if (skip->string_left > 0)
        return RESP_NEED_MORE;
    return in.ptr[n - 1] == '\n'
               ? RESP_GOT
               : wrong(err, "a string that does not end where it said", in.ptr[n - 1]);
}

enum resp_status resp_reply_skip(struct resp_skip *skip, struct str in, size_t *ret_used,
                                 struct err *err) {
    *ret_used = 0;
    for (;;) {
        struct resp_item item;
        size_t used;
        enum resp_status status;

        if (skip->string_left > 0) {
            status = skip_string(skip, str_skip(in, *ret_used), &used, err);
            *ret_used += used;
            if (status != RESP_GOT)
                return status;
            if (close_item(skip))
                return RESP_GOT;
            continue;
        }
        status = resp_reply_next(str_skip(in, *ret_used), &used, &item, err);
        if (status == RESP_NEED_MORE &&
            begin_string(skip, str_skip(in, *ret_used), &used, err) == RESP_GOT) {
            *ret_used += used;
            continue;
        }
        if (status != RESP_GOT)
            return status;
        *ret_used += used;
        skip->errors += item.type == RESP_ERROR;
        if (item.type == RESP_ARRAY && item.integer > 0) {
            if (skip->depth == RESP_REPLY_DEPTH_MAX) {
                (void)err_set(err, ERR_TOO_BIG, "a reply nests deeper than %d arrays",
                              RESP_REPLY_DEPTH_MAX);
                return RESP_WRONG;
            }
            skip->left[skip->depth++] = (uint32_t)item.integer;
        } else if (close_item(skip)) {
            return RESP_GOT;
        }
    }
}
