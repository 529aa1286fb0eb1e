#include "sql/json_scan.h"

static bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void skip_blanks(struct json_scan *s) {
    while (s->at < s->end && is_blank(*s->at))
        s->at++;
}

const char *json_scan_behind_text(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end)
            at++;
    return at < end ? at + 1 : end;
}

static const char *behind_value(const char *at, const char *end) {
    size_t depth = 0;

    while (at < end) {
        char c = *at;

        if (c == '"') {
            at = json_scan_behind_text(at, end);
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (depth > 0 && (c == '}' || c == ']')) {
            depth--;
            at++;
        } else if (depth == 0 && (c == ',' || c == '}' || c == ']' || is_blank(c))) {
            return at;
        } else {
            at++;
            continue;
        }
        if (depth == 0)
            return at;
    }
    return end;
}

struct json_scan json_scan_begin(struct str object) {
    struct json_scan s = {object.ptr, object.ptr + object.len};

    skip_blanks(&s);
    s.at = s.at < s.end && *s.at == '{' ? s.at + 1 : s.end;
    return s;
}

bool json_scan_next(struct json_scan *s, struct json_member *ret_member) {
    struct json_member m;
    const char *begin;

    skip_blanks(s);
    if (s->at < s->end && *s->at == ',')
        s->at++;
    skip_blanks(s);
    if (s->at >= s->end || *s->at != '"')
        return false;
    begin = s->at;
    s->at = json_scan_behind_text(s->at, s->end);
    if (s->at - begin < 2)
        return false;
    m.name = str_of(begin + 1, (size_t)(s->at - begin) - 2);
    skip_blanks(s);
    if (s->at >= s->end || *s->at != ':')
        return false;
    s->at++;
    skip_blanks(s);
    begin = s->at;
    s->at = behind_value(s->at, s->end);
    m.value = str_of(begin, (size_t)(s->at - begin));
    if (m.value.len == 0)
        return false;
    *ret_member = m;
    return true;
}

struct str json_scan_find(struct str object, struct str name) {
    struct json_scan scan = json_scan_begin(object);
    struct json_member member;

    while (json_scan_next(&scan, &member))
        if (str_equal(member.name, name))
            return member.value;
    return STR_EMPTY;
}
