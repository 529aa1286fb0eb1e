/* A unit of the copy of which a command failed; see copy_parts.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "services/flow/copy_parts.h"

static uint64_t noted(const struct buf *kept, size_t at) {
    uint64_t end;

    memcpy(&end, kept->ptr + at * sizeof(end), sizeof(end));
    return end;
}

/* They rise: a copy goes through its snapshot, and what is gone through again is forgotten first.
 */
static bool was_noted(const struct buf *kept, uint64_t end) {
    size_t from = 0, to = kept->len / sizeof(end);

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (noted(kept, middle) < end)
            from = middle + 1;
        else
            to = middle;
    }
    return from < kept->len / sizeof(end) && noted(kept, from) == end;
}

bool copy_ask_kept(struct copy *c, uint64_t offset, bool *ret_kept, struct err *err) {
    struct buf *kept = &c->a->kept;
    uint64_t end = c->parser.offset;
    bool exists = copy_scout_take(&c->scout, end);

    *ret_kept = exists;
    if (!c->scout.is_on)
        return true;
    /* Nobody's key was in the way of a unit that was sent: what is there is ours. */
    if (c->a->spec.conflict == TASK_CONFLICT_FAIL && offset < c->a->position.tried_until)
        *ret_kept = false;
    if (c->a->spec.conflict == TASK_CONFLICT_FAIL)
        return true;
    if (offset >= c->a->by_commands_until)
        return !exists || buf_append(kept, str_of((const char *)&end, sizeof(end)), err);
    *ret_kept = was_noted(kept, end);
    return true;
}

void copy_forget_kept(struct copy *c, uint64_t mark) {
    struct buf *kept = &c->a->kept;
    size_t count = 0;

    while (count < kept->len / sizeof(mark) && noted(kept, count) <= mark)
        count++;
    buf_consume(kept, count * sizeof(mark));
}

/* The unit that was built behind the one that is taken back was never sent: it asks again. */
static void forget_unsent(struct buf *kept, uint64_t tried_until) {
    while (kept->len > 0 && noted(kept, kept->len / sizeof(tried_until) - 1) > tried_until)
        kept->len -= sizeof(tried_until);
}

/* What failed is written again. Keys that the destination evicted meanwhile are not, and stay
 * counted: then nobody goes on from here. */
static bool put_count(const struct copy *c, struct str key, struct unit *unit, struct err *err) {
    static const char script[] =
        "redis.call('HSET',KEYS[1],'err',redis.call('HGET',KEYS[1],'gone') or 0) return 1";
    const struct str argv[] = {STR_LIT("EVAL"), STR_LIT(script), STR_LIT("1"), key};

    return !c->a->can_seal || unit_command(unit, argv, LENGTH_OF(argv), err);
}

bool copy_take_back(struct copy *c, struct err *err) {
    struct applier *a = c->a;
    struct unit *unit = &c->filling->unit;
    const struct copy_temporary *temporary = &c->flying->end.temporary;
    /* The mark before a value in pieces is not behind what was tried of it. */
    uint64_t tried_until = c->flying->end.at.offset + (temporary->database >= 0 ? 1 : 0);
    char key[POSITION_KEY_MAX], next[24], tried[24];
    struct err why = ERR_INIT;
    struct str set[] = {STR_LIT("HSET"),  STR_EMPTY, STR_LIT("off"), STR_EMPTY,
                        STR_LIT("mark"),  STR_EMPTY, STR_LIT("err"), STR_LIT("0"),
                        STR_LIT("tried"), STR_EMPTY};

    /* All else of the unit is there and will be written again: that changes nothing. */
    position_key(&a->spec, key);
    snprintf(next, sizeof(next), "%" PRIu64, a->position.next);
    snprintf(tried, sizeof(tried), "%" PRIu64, tried_until);
    set[1] = str_from(key);
    set[3] = str_from(next);
    set[5] = str_from(a->position.mark);
    set[9] = str_from(tried);
    unit_clear(unit, a->spec.lowest_database);
    c->in_flight = false;
    if (!copy_pieces_put_removal(temporary, &a->target, &a->spec, unit, &why) ||
        !unit_select(unit, a->spec.lowest_database, &why) ||
        !unit_command(unit, set, LENGTH_OF(set), &why) || !put_count(c, set[1], unit, &why) ||
        !copy_send_alone(c, unit, a->position.next, false, &why)) {
        err_clear(&why);
        return err_wrap(err, "and the position could not be taken back");
    }
    /* Once more, without the payloads: a server may refuse what its version should read. */
    if (tried_until <= a->by_commands_until) {
        /* Then it is a value that no commands make, most likely. */
        if (c->encoder.module[0])
            (void)err_wrap(err, "writing values, one of module %s among them", c->encoder.module);
        return false;
    }
    a->by_commands_until = tried_until;
    forget_unsent(&a->kept, tried_until);
    err_clear(err);
    return true;
}
