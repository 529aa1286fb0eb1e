#include "proto/rdb/rdb_stream_pending.h"

enum { PLACES_MAX = 65536 };

/* Where one group's list has got. */
struct cursor {
    const char *at; /* behind `id`; of no meaning when nothing is left */
    uint64_t left;
    struct rdb_stream_id id;
};

void rdb_stream_pending_ids_init(struct rdb_stream_pending_ids *p) {
    *p = (struct rdb_stream_pending_ids){
        .heap = BUF_INIT(RDB_STREAM_GROUPS_MAX * sizeof(struct cursor))};
}

void rdb_stream_pending_ids_done(struct rdb_stream_pending_ids *p) {
    buf_done(&p->heap);
}

static size_t cursor_count(const struct rdb_stream_pending_ids *p) {
    return p->heap.len / sizeof(struct cursor);
}

static struct cursor cursor_at(const struct rdb_stream_pending_ids *p, size_t i) {
    struct cursor c;

    memcpy(&c, p->heap.ptr + i * sizeof(c), sizeof(c));
    return c;
}

static void set_cursor(struct rdb_stream_pending_ids *p, size_t i, struct cursor c) {
    memcpy(p->heap.ptr + i * sizeof(c), &c, sizeof(c));
}

/* Restore the heap's order below `i`. */
static void sift_down(struct rdb_stream_pending_ids *p, size_t i) {
    size_t count = cursor_count(p);
    struct cursor moved = cursor_at(p, i);

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= count)
            break;
        if (child + 1 < count &&
            rdb_stream_id_compare(cursor_at(p, child + 1).id, cursor_at(p, child).id) < 0)
            child++;
        if (rdb_stream_id_compare(moved.id, cursor_at(p, child).id) <= 0)
            break;
        set_cursor(p, i, cursor_at(p, child));
        i = child;
    }
    set_cursor(p, i, moved);
}

bool rdb_stream_pending_ids_open(struct rdb_stream_pending_ids *p, const struct rdb_stream *stream,
                                 struct err *err) {
    struct str groups = stream->groups;
    struct rdb_stream_group group;

    buf_clear(&p->heap);
    p->end = stream->groups.ptr + stream->groups.len;
    while (rdb_stream_take_group(stream->version, &groups, &group)) {
        struct str rest = group.pending;
        struct rdb_stream_pending first;
        struct cursor c;

        if (group.pending_count == 0)
            continue;
        if (!rdb_stream_take_pending(&rest, &first))
            return err_set(err, ERR_RDB_CORRUPT, "a group of a stream is damaged");
        c = (struct cursor){.at = rest.ptr, .left = group.pending_count - 1, .id = first.id};
        if (!buf_append(&p->heap, str_of(&c, sizeof(c)), err))
            return err_wrap(err, "a stream of more than %d groups with pending entries",
                            RDB_STREAM_GROUPS_MAX);
    }
    for (size_t i = cursor_count(p) / 2; i-- > 0;)
        sift_down(p, i);
    return true;
}

bool rdb_stream_pending_ids_peek(const struct rdb_stream_pending_ids *p,
                                 struct rdb_stream_id *ret) {
    if (p->heap.len == 0)
        return false;
    *ret = cursor_at(p, 0).id;
    return true;
}

/* Move the lowest cursor on by one, or take it away. */
static bool advance(struct rdb_stream_pending_ids *p, struct err *err) {
    struct cursor c = cursor_at(p, 0);
    struct rdb_stream_pending next;
    struct str rest;

    if (c.left == 0) {
        struct cursor last = cursor_at(p, cursor_count(p) - 1);

        p->heap.len -= sizeof(c);
        if (p->heap.len == 0)
            return true;
        set_cursor(p, 0, last);
        sift_down(p, 0);
        return true;
    }
    rest = str_of(c.at, (size_t)(p->end - c.at));
    if (!rdb_stream_take_pending(&rest, &next) || rdb_stream_id_compare(next.id, c.id) <= 0)
        return err_set(err, ERR_RDB_CORRUPT, "the pending entries of a stream are not in order");
    set_cursor(p, 0, (struct cursor){.at = rest.ptr, .left = c.left - 1, .id = next.id});
    sift_down(p, 0);
    return true;
}

bool rdb_stream_pending_ids_pass(struct rdb_stream_pending_ids *p, struct rdb_stream_id id,
                                 struct err *err) {
    while (p->heap.len > 0 && rdb_stream_id_compare(cursor_at(p, 0).id, id) <= 0) {
        if (!advance(p, err))
            return false;
    }
    return true;
}

void rdb_stream_pending_index_init(struct rdb_stream_pending_index *x) {
    *x = (struct rdb_stream_pending_index){.places = BUF_INIT((PLACES_MAX + 1) * sizeof(uint64_t))};
}

void rdb_stream_pending_index_done(struct rdb_stream_pending_index *x) {
    buf_done(&x->places);
}

bool rdb_stream_pending_index_build(struct rdb_stream_pending_index *x,
                                    const struct rdb_stream_group *group, struct err *err) {
    struct rdb_stream_pending pending;
    struct rdb_stream_id before = {0, 0};
    struct str rest = group->pending;

    x->pending = group->pending;
    x->step = group->pending_count / PLACES_MAX + 1;
    buf_clear(&x->places);
    for (uint64_t i = 0; i < group->pending_count; i++) {
        uint64_t place = group->pending.len - rest.len;

        if (!rdb_stream_take_pending(&rest, &pending) ||
            rdb_stream_id_compare(pending.id, before) <= 0)
            return err_set(err, ERR_RDB_CORRUPT, "the pending entries of a group are not in order");
        before = pending.id;
        if (i % x->step == 0 && !buf_append(&x->places, str_of(&place, sizeof(place)), err))
            return false;
    }
    return true;
}

static struct str pending_from(const struct rdb_stream_pending_index *x, size_t i) {
    uint64_t place;

    memcpy(&place, x->places.ptr + i * sizeof(place), sizeof(place));
    return str_skip(x->pending, (size_t)place);
}

bool rdb_stream_pending_index_find(const struct rdb_stream_pending_index *x,
                                   struct rdb_stream_id id, struct rdb_stream_pending *ret) {
    size_t low = 0, high = x->places.len / sizeof(uint64_t);
    struct str rest;

    /* The last place whose id is not above `id`. */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (rdb_stream_id_compare(rdb_stream_id_load(pending_from(x, middle).ptr), id) <= 0)
            low = middle;
        else
            high = middle;
    }
    if (high == 0)
        return false;
    rest = pending_from(x, low);
    for (uint64_t i = 0; i < x->step && rdb_stream_take_pending(&rest, ret); i++) {
        if (rdb_stream_id_compare(ret->id, id) == 0)
            return true;
    }
    return false;
}
