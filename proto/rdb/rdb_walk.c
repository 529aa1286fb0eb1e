#include "proto/rdb/rdb_walk.h"

#include "proto/rdb/rdb_string.h"

/* What stands inside a module's value; 0 ends it. Every item says its own size,
 * so that it can be skipped without the module. */
enum { ITEM_END, ITEM_SINT, ITEM_UINT, ITEM_FLOAT, ITEM_DOUBLE, ITEM_STRING };

/* How the value of an array's element is written. */
enum { TAG_STRING, TAG_INT, TAG_FLOAT, TAG_SMALL_STRING };

void rdb_walk_init(struct rdb_walk *w, const char *script) {
    w->script = script;
    w->depth = 0;
}

/* Places in a view: each of these moves *at over one thing, or leaves it and says
 * what is missing. */
struct cursor {
    struct str view;
    size_t at;
    uint64_t need;
};

static enum rdb_walk_result skip(struct cursor *c, uint64_t n) {
    if (n > c->view.len - c->at) {
        c->need = c->at + n;
        return RDB_WALK_MORE;
    }
    c->at += (size_t)n;
    return RDB_WALK_DONE;
}

/* `n` as rdb_len_read() and rdb_string_size() return it. */
static enum rdb_walk_result too_short_or_wrong(struct cursor *c, int n) {
    c->need = (uint64_t)c->view.len + 1;
    return n == 0 ? RDB_WALK_MORE : RDB_WALK_WRONG;
}

static enum rdb_walk_result len(struct cursor *c, uint64_t *ret_value) {
    int n = rdb_len_read(str_of(c->view.ptr + c->at, c->view.len - c->at), ret_value);

    if (n <= 0)
        return too_short_or_wrong(c, n);
    c->at += (size_t)n;
    return RDB_WALK_DONE;
}

static enum rdb_walk_result string(struct cursor *c) {
    uint64_t size;
    int n = rdb_string_size(str_of(c->view.ptr + c->at, c->view.len - c->at), &size);

    return n <= 0 ? too_short_or_wrong(c, n) : skip(c, size);
}

static enum rdb_walk_result ascii_double(struct cursor *c) {
    size_t at = c->at;
    uint8_t n;

    if (at == c->view.len)
        return skip(c, 1);
    n = (uint8_t)c->view.ptr[at];
    return skip(c, n >= 253 ? 1 : 1 + (uint64_t)n); /* NaN and the infinities have no digits */
}

/* Items up to the end mark. *c stops between two items when more is needed. */
static enum rdb_walk_result module_items(struct cursor *c) {
    for (;;) {
        size_t start = c->at;
        uint64_t item, ignored;
        enum rdb_walk_result result = len(c, &item);

        if (result == RDB_WALK_DONE) {
            switch (item) {
            case ITEM_END:
                return RDB_WALK_DONE;
            case ITEM_SINT:
            case ITEM_UINT:
                result = len(c, &ignored);
                break;
            case ITEM_FLOAT:
                result = skip(c, 4);
                break;
            case ITEM_DOUBLE:
                result = skip(c, 8);
                break;
            case ITEM_STRING:
                result = string(c);
                break;
            default:
                result = RDB_WALK_WRONG;
            }
        }
        if (result != RDB_WALK_DONE) {
            c->at = start;
            return result;
        }
    }
}

static enum rdb_walk_result array_element(struct cursor *c) {
    size_t start = c->at;
    uint64_t index, tag = 0;
    enum rdb_walk_result result = len(c, &index);

    if (result == RDB_WALK_DONE)
        result = len(c, &tag);
    if (result == RDB_WALK_DONE) {
        switch (tag) {
        case TAG_STRING:
        case TAG_SMALL_STRING:
            result = string(c);
            break;
        case TAG_INT:
        case TAG_FLOAT:
            result = skip(c, 8);
            break;
        default:
            result = RDB_WALK_WRONG;
        }
    }
    if (result != RDB_WALK_DONE)
        c->at = start;
    return result;
}

static const char *behind_loop(const char *script) {
    for (int depth = 1; depth > 0; script++) {
        if (*script == '(' || *script == '[' || *script == '{')
            depth++;
        else if (*script == ')' || *script == ']' || *script == '}')
            depth--;
    }
    return script;
}

static void enter_loop(struct rdb_walk *w, uint64_t count) {
    if (count == 0) {
        w->script = behind_loop(w->script + 1);
        return;
    }
    w->script++;
    w->loop[w->depth].body = w->script;
    w->loop[w->depth].left = count;
    w->depth++;
}

static void next_round(struct rdb_walk *w) {
    if (--w->loop[w->depth - 1].left > 0) {
        w->script = w->loop[w->depth - 1].body;
        return;
    }
    w->depth--;
    w->script++;
}

/* Every loop body of every script takes at least one byte, so however often a
 * peer says a loop runs, the bytes it really sent bound the work. */
static enum rdb_walk_result step(struct rdb_walk *w, struct cursor *c) {
    enum rdb_walk_result result = RDB_WALK_WRONG;
    size_t start = c->at;
    uint64_t n = 0;

    switch (*w->script) {
    case 'S':
        result = string(c);
        break;
    case 'L':
        result = len(c, &n);
        break;
    case 'N':
        result = len(c, &w->count);
        break;
    case '1':
        result = skip(c, 1);
        break;
    case '4':
        result = skip(c, 4);
        break;
    case '8':
        result = skip(c, 8);
        break;
    case 'k':
        result = skip(c, 16);
        break;
    case 'd':
        result = ascii_double(c);
        break;
    case 'm':
        result = module_items(c);
        break;
    case 'a':
        result = array_element(c);
        break;
    case '(':
    case '[':
        result = len(c, &n);
        if (result == RDB_WALK_DONE && *w->script == '[' && n > 1) {
            c->at = start;
            return RDB_WALK_WRONG;
        }
        if (result == RDB_WALK_DONE)
            enter_loop(w, n);
        return result;
    case '{':
        enter_loop(w, w->count);
        return RDB_WALK_DONE;
    case ')':
    case ']':
    case '}':
        next_round(w);
        return RDB_WALK_DONE;
    default:
        break;
    }
    if (result == RDB_WALK_DONE)
        w->script++;
    return result;
}

enum rdb_walk_result rdb_walk_on(struct rdb_walk *w, struct str view, size_t *at,
                                 uint64_t *ret_need) {
    struct cursor c = {.view = view, .at = *at};
    enum rdb_walk_result result = RDB_WALK_DONE;

    while (result == RDB_WALK_DONE && *w->script)
        result = step(w, &c);
    *at = c.at;
    if (result == RDB_WALK_MORE)
        *ret_need = c.need;
    return result;
}
