#include "proto/repl/repl_position.h"

#include "proto/resp/resp_write.h"

static char hex_lower(char c) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))
        return c;
    return c >= 'A' && c <= 'F' ? (char)(c + ('a' - 'A')) : '\0';
}

bool repl_position_set_id(struct repl_position *p, struct str replid) {
    char id[REPL_ID_LEN + 1] = "";

    if (replid.len != REPL_ID_LEN)
        return false;
    for (size_t i = 0; i < REPL_ID_LEN; i++) {
        id[i] = hex_lower(replid.ptr[i]);
        if (!id[i])
            return false;
    }
    memcpy(p->replid, id, sizeof(id));
    return true;
}

bool repl_position_parse(struct str text, struct repl_position *ret) {
    struct repl_position p = {.next = 0};
    struct str id;

    if (!str_cut(&text, ':', &id) || !str_parse_u64(text, &p.next) ||
        p.next > (uint64_t)INT64_MAX || !repl_position_set_id(&p, id))
        return false;
    *ret = p;
    return true;
}

size_t repl_position_format(const struct repl_position *p, char dst[REPL_POSITION_TEXT_MAX]) {
    size_t len = strlen(p->replid);
    char *end;

    memcpy(dst, p->replid, len);
    dst[len] = ':';
    end = resp_write_decimal(dst + len + 1, p->next);
    *end = '\0';
    return (size_t)(end - dst);
}

bool repl_position_same_history(const struct repl_position *a, const struct repl_position *b) {
    return str_equal_nocase(str_from(a->replid), str_from(b->replid));
}

bool repl_position_equal(const struct repl_position *a, const struct repl_position *b) {
    return a->next == b->next && repl_position_same_history(a, b);
}
