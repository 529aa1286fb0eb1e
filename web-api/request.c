#include "web-api/request.h"

#include <string.h>

static bool is_token(struct str s) {
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!alnum && (c == '\0' || !strchr(marks, c)))
            return false;
    }
    return s.len > 0;
}

static bool has_control(struct str s) {
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

/* Length of the UTF-8 sequence at s, 0 when it is none (RFC 3629: no overlong
 * form, no surrogate, nothing above U+10FFFF). */
static size_t utf8_len(const unsigned char *s, size_t left) {
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;

    size_t len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    unsigned char low = 0x80, high = 0xbf;

    if (len > left)
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    return len;
}

static bool is_utf8(struct str s) {
    for (size_t i = 0, len; i < s.len; i += len) {
        len = utf8_len((const unsigned char *)s.ptr + i, s.len - i);
        if (len == 0)
            return false;
    }
    return true;
}

bool request_decode(struct arena *a, struct str in, struct str *ret_out, struct err *err) {
    char *out = arena_alloc(a, in.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];

        if (c == '%') {
            int high = i + 2 < in.len ? str_hex_digit(in.ptr[i + 1]) : -1;
            int low = high < 0 ? -1 : str_hex_digit(in.ptr[i + 2]);

            if (low < 0)
                return err_set(err, ERR_BAD_REQUEST, "a percent sign without two hex digits");
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0')
            return err_set(err, ERR_BAD_REQUEST, "a NUL byte in the address");
        out[len++] = c;
    }
    if (!is_utf8(str_of(out, len)))
        return err_set(err, ERR_BAD_REQUEST, "the address is not UTF-8");
    *ret_out = str_of(out, len);
    return true;
}

bool request_id_valid(struct str id) {
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return id.len > 0 && id.len <= REQUEST_ID_MAX;
}

struct str request_header(const struct request *r, const char *name) {
    for (size_t i = 0; i < r->header_count; i++)
        if (str_equal_nocase(r->header[i].name, str_from(name)))
            return r->header[i].value;
    return STR_EMPTY;
}

bool request_query(const struct request *r, const char *name, struct str *ret_value) {
    for (size_t i = 0; i < r->query_count; i++)
        if (str_equal(r->query[i].name, str_from(name))) {
            *ret_value = r->query[i].value;
            return true;
        }
    return false;
}

/* Headers that steer us: a second one would let two readers of the same bytes
 * understand two different requests. */
static const char *const single_headers[] = {
    "Content-Length", "Transfer-Encoding", "Host",
    "Authorization",  "Content-Type",      "If-Match",
    "If-None-Match",  "Idempotency-Key",   "X-Request-Id",
    "Expect",         "Last-Event-ID",
};

static bool screen_headers(const struct request *r, struct err *err) {
    for (size_t i = 0; i < r->header_count; i++) {
        if (!is_token(r->header[i].name))
            return err_set(err, ERR_BAD_REQUEST, "a header name holds a byte that is not allowed");
        if (has_control(r->header[i].value))
            return err_set(err, ERR_BAD_REQUEST, "a header value holds a control byte");
    }
    for (size_t k = 0; k < LENGTH_OF(single_headers); k++) {
        size_t seen = 0;

        for (size_t i = 0; i < r->header_count; i++)
            seen += str_equal_nocase(r->header[i].name, str_from(single_headers[k]));
        if (seen > 1)
            return err_set(err, ERR_BAD_REQUEST, "more than one %s header", single_headers[k]);
    }
    return true;
}

static bool screen_body(struct request *r, uint64_t body_max, struct err *err) {
    struct str length = request_header(r, "Content-Length");
    struct str encoding = request_header(r, "Transfer-Encoding");

    if (encoding.len > 0) {
        if (length.len > 0)
            return err_set(err, ERR_BAD_REQUEST, "Content-Length beside Transfer-Encoding");
        if (!str_equal_nocase(encoding, STR_LIT("chunked")))
            return err_set(err, ERR_BAD_REQUEST, "the only Transfer-Encoding taken is chunked");
        r->has_body = true;
    } else if (length.len > 0) {
        if (!str_parse_u64(length, &r->body_declared))
            return err_set(err, ERR_BAD_REQUEST, "Content-Length is no number");
        if (r->body_declared > body_max)
            return err_set(err, ERR_BODY_TOO_LARGE, "at most %llu bytes are taken",
                           (unsigned long long)body_max);
        r->has_body = r->body_declared > 0;
    }
    return true;
}

/* "/v1/jobs/" and "/v1//jobs" are other paths than "/v1/jobs": an empty segment
 * is refused instead of being dropped. */
static bool split_path(struct request *r, struct err *err) {
    struct str rest = r->path, piece;

    if (rest.len == 0 || rest.ptr[0] != '/')
        return err_set(err, ERR_BAD_REQUEST, "the path does not begin with a slash");
    rest = str_skip(rest, 1);
    r->segment_count = 0;
    if (rest.len == 0)
        return true;
    if (rest.ptr[rest.len - 1] == '/')
        return err_set(err, ERR_NOT_FOUND, "no path here ends with a slash");
    while (str_cut(&rest, '/', &piece)) {
        if (piece.len == 0)
            return err_set(err, ERR_NOT_FOUND, "the path holds an empty segment");
        if (r->segment_count == REQUEST_SEGMENTS_MAX)
            return err_set(err, ERR_NOT_FOUND, "the path has more segments than any of ours");
        if (!request_decode(r->arena, piece, &r->segment[r->segment_count], err))
            return false;
        r->segment_count++;
    }
    return true;
}

static bool decode_query(struct request *r, struct err *err) {
    for (size_t i = 0; i < r->query_count; i++) {
        if (!request_decode(r->arena, r->query[i].name, &r->query[i].name, err) ||
            !request_decode(r->arena, r->query[i].value, &r->query[i].value, err))
            return false;
        for (size_t k = 0; k < i; k++)
            if (str_equal(r->query[k].name, r->query[i].name))
                return err_set(err, ERR_BAD_REQUEST, "a query parameter is given twice");
    }
    return true;
}

bool request_screen(struct request *r, uint64_t body_max, struct err *err) {
    if (!is_token(r->method))
        return err_set(err, ERR_BAD_REQUEST, "the method holds a byte that is not allowed");
    return screen_headers(r, err) && screen_body(r, body_max, err) && split_path(r, err) &&
           decode_query(r, err);
}
