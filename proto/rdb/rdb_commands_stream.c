#include "proto/rdb/rdb_commands_stream.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/rdb/rdb_string.h"
#include "proto/resp/resp_draft.h"
#include "proto/resp/resp_write.h"

enum {
    FROM_5_0 = 50000,
    FROM_6_2 = 60200,
    FROM_7_0 = 70000,
    IDS_MAX = 128,                           /* ids of one XCLAIM or XDEL */
    ID_ROOM = 44,                            /* two numbers of 20 digits, '-', NUL */
    XDEL_MAX = 64 + IDS_MAX * (ID_ROOM + 8), /* bytes of one XDEL besides its key */
};

void rdb_stream_commands_init(struct rdb_stream_commands *s, size_t blob_max) {
    *s = (struct rdb_stream_commands){.stage = RDB_STREAM_DONE};
    rdb_stream_entries_init(&s->entries, blob_max);
    rdb_stream_pending_ids_init(&s->missing);
    rdb_stream_pending_index_init(&s->index);
    for (unsigned i = 0; i < LENGTH_OF(s->text); i++)
        s->text[i] = BUF_INIT(blob_max);
}

void rdb_stream_commands_done(struct rdb_stream_commands *s) {
    rdb_stream_entries_done(&s->entries);
    rdb_stream_pending_ids_done(&s->missing);
    rdb_stream_pending_index_done(&s->index);
    for (unsigned i = 0; i < LENGTH_OF(s->text); i++)
        buf_done(&s->text[i]);
}

/* Before the first entry: for the first pass, and again to find the stand-ins. */
static bool rewind_entries(struct rdb_stream_commands *s, struct err *err) {
    rdb_stream_entries_open(&s->entries, &s->stream);
    s->entry_ahead = false;
    return rdb_stream_pending_ids_open(&s->missing, &s->stream, err);
}

bool rdb_stream_commands_open(struct rdb_stream_commands *s, const struct rdb_destination *dest,
                              uint8_t type, struct str value, struct err *err) {
    uint32_t version = dest->version == 0 ? UINT32_MAX : dest->version;

    if (version < FROM_5_0)
        return err_set(err, ERR_DEST_RESTORE, "the destination has no streams");
    if (!rdb_stream_open(type, value, &s->stream, err))
        return false;
    if (s->stream.given_back > 0)
        return err_set(err, ERR_DEST_RESTORE,
                       "entries of a stream were given back with XNACK, which commands cannot "
                       "say: claim them for a consumer first");
    s->has_create_consumer = version >= FROM_6_2;
    s->has_counters = version >= FROM_7_0;
    s->stage = RDB_STREAM_ENTRIES;
    s->entry_count = s->stand_ins = 0;
    s->stand_ins_inside = 0;
    s->first = s->top = (struct rdb_stream_id){0, 0};
    s->groups = s->stream.groups;
    s->consumers = s->claims = STR_EMPTY;
    return rewind_entries(s, err);
}

static struct str spell_id(struct rdb_stream_id id, char room[ID_ROOM]) {
    int n = snprintf(room, ID_ROOM, "%" PRIu64 "-%" PRIu64, id.ms, id.seq);

    return str_of(room, (size_t)n);
}

enum step { STEP_END, STEP_ENTRY, STEP_STAND_IN, STEP_WRONG };

/* What comes next in the order of ids: s->entry, or a message that is pending but gone. */
static enum step look_ahead(struct rdb_stream_commands *s, struct rdb_stream_id *ret_missing,
                            struct err *err) {
    if (!s->entry_ahead) {
        switch (rdb_stream_entries_next(&s->entries, &s->entry, err)) {
        case PACKED_VALUE:
            s->entry_ahead = true;
            break;
        case PACKED_END:
            break;
        default:
            return STEP_WRONG;
        }
    }
    if (!rdb_stream_pending_ids_peek(&s->missing, ret_missing))
        return s->entry_ahead ? STEP_ENTRY : STEP_END;
    if (s->entry_ahead && rdb_stream_id_compare(s->entry.id, *ret_missing) <= 0)
        return STEP_ENTRY;
    return STEP_STAND_IN;
}

/* Go past what look_ahead() said. */
static bool pass(struct rdb_stream_commands *s, enum step step, struct rdb_stream_id id,
                 struct err *err) {
    if (step == STEP_ENTRY)
        s->entry_ahead = false;
    return rdb_stream_pending_ids_pass(&s->missing, id, err);
}

static bool put_entry(const struct rdb_stream_commands *s, struct str key, struct buf *out,
                      struct err *err) {
    struct rdb_stream_entry entry = s->entry;
    char digits[PACKED_DIGITS], room[ID_ROOM];
    struct packed_value value;
    enum packed_next next;

    if (!resp_put_array(out, 3 + entry.field_count * 2, err) ||
        !resp_put_literal(out, "XADD", err) || !resp_put_bulk(out, key, err) ||
        !resp_put_bulk(out, spell_id(entry.id, room), err))
        return false;
    while ((next = rdb_stream_entry_next(&entry, &value)) == PACKED_VALUE) {
        if (!resp_put_bulk(out, packed_value_text(&value, digits), err))
            return false;
    }
    return next == PACKED_END || err_set(err, ERR_RDB_CORRUPT, "an entry of a stream is damaged");
}

static bool put_stand_in(struct rdb_stream_id id, struct str key, struct buf *out,
                         struct err *err) {
    char room[ID_ROOM];
    const struct str argv[] = {STR_LIT("XADD"), key, spell_id(id, room), STR_LIT("kf"),
                               STR_LIT("gone")};

    if (id.ms == 0 && id.seq == 0)
        return err_set(err, ERR_RDB_CORRUPT, "an entry without an id is pending");
    return resp_put_command(out, LENGTH_OF(argv), argv, err);
}

/* Each of the following appends a command or none and moves the stage on when its work is
 * done. One that fails has changed nothing, so it can be tried again with more room. */

static bool add_entry(struct rdb_stream_commands *s, struct str key, struct buf *out,
                      struct err *err) {
    struct rdb_stream_id missing;
    enum step step = look_ahead(s, &missing, err);

    switch (step) {
    case STEP_END:
        s->stage = s->entry_count + s->stand_ins > 0 ? RDB_STREAM_SETID : RDB_STREAM_EMPTY;
        return true;
    case STEP_ENTRY:
        if (!put_entry(s, key, out, err))
            return false;
        if (s->entry_count == 0)
            s->first = s->entry.id;
        s->entry_count++;
        s->top = s->entry.id;
        break;
    case STEP_STAND_IN:
        if (!put_stand_in(missing, key, out, err))
            return false;
        s->stand_ins++;
        s->stand_ins_inside += s->entry_count > 0;
        s->top = missing;
        break;
    default:
        return false;
    }
    return pass(s, step, s->top, err);
}

/* A stream without entries exists only after a group was made for it. */
static bool make_empty(struct rdb_stream_commands *s, struct str key, struct buf *out,
                       uint32_t *count, struct err *err) {
    const struct str create[] = {STR_LIT("XGROUP"), STR_LIT("CREATE"), key,
                                 STR_LIT("kf"),     STR_LIT("0"),      STR_LIT("MKSTREAM")};
    const struct str destroy[] = {STR_LIT("XGROUP"), STR_LIT("DESTROY"), key, STR_LIT("kf")};

    if (!resp_put_command(out, LENGTH_OF(create), create, err) ||
        !resp_put_command(out, LENGTH_OF(destroy), destroy, err))
        return false;
    *count += 1;
    s->stage = RDB_STREAM_SETID;
    return true;
}

/* XSETID key last [ENTRIESADDED n MAXDELETEDID id]. While stand-ins are there, neither the
 * last id nor the number of entries may be below theirs. */
static bool set_id(struct rdb_stream_commands *s, struct str key, struct buf *out,
                   struct err *err) {
    static const struct rdb_stream_id none = {0, 0};
    bool again = s->stage == RDB_STREAM_SETID_AGAIN;
    uint64_t there = s->entry_count + (again ? 0 : s->stand_ins), added = s->stream.entries_added;
    struct rdb_stream_id last = s->stream.last;
    struct resp_draft draft = resp_draft_begin(out);
    char room[ID_ROOM];

    if (!again && rdb_stream_id_compare(last, s->top) < 0 && s->stand_ins > 0)
        last = s->top;
    if (rdb_stream_id_compare(last, none) == 0) { /* as it is anyway; XSETID may refuse it */
        s->stage = again ? RDB_STREAM_DONE : RDB_STREAM_GROUP;
        return true;
    }
    if (!resp_draft_put_literal(&draft, "XSETID", err) || !resp_draft_put(&draft, key, err) ||
        !resp_draft_put(&draft, spell_id(last, room), err))
        return false;
    if (s->has_counters && (!resp_draft_put_literal(&draft, "ENTRIESADDED", err) ||
                            !resp_draft_put_u64(&draft, added > there ? added : there, err) ||
                            !resp_draft_put_literal(&draft, "MAXDELETEDID", err) ||
                            !resp_draft_put(&draft, spell_id(s->stream.max_deleted, room), err)))
        return false;
    if (!resp_draft_end(&draft, err))
        return false;
    s->stage = again ? RDB_STREAM_DONE : RDB_STREAM_GROUP;
    return true;
}

static bool add_group(struct rdb_stream_commands *s, struct str key, struct buf *out,
                      struct err *err) {
    struct resp_draft draft = resp_draft_begin(out);
    struct rdb_stream_group group;
    struct str groups = s->groups, name;
    char room[ID_ROOM], digits[24];
    int n;

    if (!rdb_stream_take_group(s->stream.version, &groups, &group)) {
        s->stage = s->stand_ins > 0 ? RDB_STREAM_TRIM : RDB_STREAM_DONE;
        return true;
    }
    if (!rdb_string_decode(group.name, &s->text[0], &name, err) ||
        !resp_draft_put_literal(&draft, "XGROUP", err) ||
        !resp_draft_put_literal(&draft, "CREATE", err) || !resp_draft_put(&draft, key, err) ||
        !resp_draft_put(&draft, name, err) ||
        !resp_draft_put(&draft, spell_id(group.last, room), err))
        return false;
    if (s->has_counters && s->stream.version >= 2) {
        n = snprintf(digits, sizeof(digits), "%" PRId64, (int64_t)group.entries_read);
        if (!resp_draft_put_literal(&draft, "ENTRIESREAD", err) ||
            !resp_draft_put(&draft, str_of(digits, (size_t)n), err))
            return false;
    }
    if (!resp_draft_end(&draft, err) || !rdb_stream_pending_index_build(&s->index, &group, err))
        return false;
    s->group = group;
    s->groups = groups;
    s->consumers = group.consumers;
    s->stage = RDB_STREAM_CONSUMER;
    return true;
}

/* XGROUP CREATECONSUMER, or before 6.2 a look at its own pending entries, which makes it
 * too. One with pending entries is made by its XCLAIM. */
static bool add_consumer(struct rdb_stream_commands *s, struct str key, struct buf *out,
                         struct err *err) {
    struct rdb_stream_consumer consumer;
    struct str consumers = s->consumers, group, name;

    if (!rdb_stream_take_consumer(s->stream.version, &consumers, &consumer)) {
        s->stage = RDB_STREAM_GROUP;
        return true;
    }
    if (consumer.pending_count > 0) {
        s->stage = RDB_STREAM_CLAIM;
        s->consumer = consumer;
        s->consumers = consumers;
        s->claims = consumer.pending;
        return true;
    }
    if (!rdb_string_decode(s->group.name, &s->text[0], &group, err) ||
        !rdb_string_decode(consumer.name, &s->text[1], &name, err))
        return false;

    const struct str create[] = {STR_LIT("XGROUP"), STR_LIT("CREATECONSUMER"), key, group, name};
    const struct str look[] = {
        STR_LIT("XREADGROUP"), STR_LIT("GROUP"), group, name, STR_LIT("STREAMS"), key,
        STR_LIT("0")};

    if (s->has_create_consumer ? !resp_put_command(out, LENGTH_OF(create), create, err)
                               : !resp_put_command(out, LENGTH_OF(look), look, err))
        return false;
    s->consumers = consumers;
    return true;
}

/* XCLAIM key group consumer 0 id… TIME ms RETRYCOUNT n FORCE JUSTID, for neighbours that
 * were delivered together. */
static bool claim(struct rdb_stream_commands *s, struct str key, struct buf *out, struct err *err) {
    struct resp_draft draft = resp_draft_begin(out);
    struct rdb_stream_pending first = {0}, pending;
    struct str claims = s->claims, group, name;
    char room[ID_ROOM];

    if (!rdb_string_decode(s->group.name, &s->text[0], &group, err) ||
        !rdb_string_decode(s->consumer.name, &s->text[1], &name, err) ||
        !resp_draft_put_literal(&draft, "XCLAIM", err) || !resp_draft_put(&draft, key, err) ||
        !resp_draft_put(&draft, group, err) || !resp_draft_put(&draft, name, err) ||
        !resp_draft_put_literal(&draft, "0", err))
        return false;
    for (unsigned count = 0; count < IDS_MAX && claims.len > 0; count++) {
        struct rdb_stream_id id = rdb_stream_id_load(claims.ptr);

        if (!rdb_stream_pending_index_find(&s->index, id, &pending))
            return err_set(err, ERR_RDB_CORRUPT,
                           "an entry is pending for a consumer, but not for its group");
        if (count == 0)
            first = pending;
        if (pending.delivered_ms != first.delivered_ms || pending.deliveries != first.deliveries)
            break;
        if (!resp_draft_put(&draft, spell_id(id, room), err))
            return false;
        claims = str_skip(claims, RDB_STREAM_ID_SIZE);
    }
    if (first.deliveries > (uint64_t)INT64_MAX)
        first.deliveries = (uint64_t)INT64_MAX; /* as many as RETRYCOUNT takes */
    if (!resp_draft_put_literal(&draft, "TIME", err) ||
        !resp_draft_put_u64(&draft, first.delivered_ms, err) ||
        !resp_draft_put_literal(&draft, "RETRYCOUNT", err) ||
        !resp_draft_put_u64(&draft, first.deliveries, err) ||
        !resp_draft_put_literal(&draft, "FORCE", err) ||
        !resp_draft_put_literal(&draft, "JUSTID", err) || !resp_draft_end(&draft, err))
        return false;
    s->claims = claims;
    if (claims.len == 0)
        s->stage = RDB_STREAM_CONSUMER;
    return true;
}

/* Stand-ins before the first entry: trimming leaves the highest deleted id alone. */
static bool trim(struct rdb_stream_commands *s, struct str key, struct buf *out, struct err *err) {
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%" PRIu64, s->entry_count + s->stand_ins_inside);
    const struct str argv[] = {STR_LIT("XTRIM"), key, STR_LIT("MAXLEN"), str_of(digits, (size_t)n)};

    if (!resp_put_command(out, LENGTH_OF(argv), argv, err) ||
        (s->stand_ins_inside > 0 && !rewind_entries(s, err)))
        return false;
    s->stage = s->stand_ins_inside > 0 ? RDB_STREAM_DELETE : RDB_STREAM_SETID_AGAIN;
    return true;
}

/* The others. This one goes through the entries again, so it must not run out of room. */
static bool delete_stand_ins(struct rdb_stream_commands *s, struct str key, struct buf *out,
                             struct err *err) {
    struct resp_draft draft = resp_draft_begin(out);
    enum step step = STEP_ENTRY;
    struct rdb_stream_id missing;
    char room[ID_ROOM];
    unsigned count = 0;

    if (!resp_draft_put_literal(&draft, "XDEL", err) || !resp_draft_put(&draft, key, err))
        return false;
    while (count < IDS_MAX && (step = look_ahead(s, &missing, err)) != STEP_END) {
        if (step == STEP_WRONG || !pass(s, step, step == STEP_ENTRY ? s->entry.id : missing, err))
            return false;
        if (step == STEP_ENTRY || rdb_stream_id_compare(missing, s->first) < 0)
            continue;
        if (!resp_draft_put(&draft, spell_id(missing, room), err))
            return false;
        count++;
    }
    if (step == STEP_END)
        s->stage = RDB_STREAM_SETID_AGAIN;
    if (count > 0)
        return resp_draft_end(&draft, err);
    resp_draft_drop(&draft);
    return true;
}

static bool take_step(struct rdb_stream_commands *s, struct str key, struct buf *out,
                      uint32_t *count, struct err *err) {
    switch (s->stage) {
    case RDB_STREAM_ENTRIES:
        return add_entry(s, key, out, err);
    case RDB_STREAM_EMPTY:
        return make_empty(s, key, out, count, err);
    case RDB_STREAM_SETID:
    case RDB_STREAM_SETID_AGAIN:
        return set_id(s, key, out, err);
    case RDB_STREAM_GROUP:
        return add_group(s, key, out, err);
    case RDB_STREAM_CONSUMER:
        return add_consumer(s, key, out, err);
    case RDB_STREAM_CLAIM:
        return claim(s, key, out, err);
    case RDB_STREAM_TRIM:
        return trim(s, key, out, err);
    case RDB_STREAM_DELETE:
        return delete_stand_ins(s, key, out, err);
    case RDB_STREAM_DONE:
        break;
    }
    return true;
}

bool rdb_stream_commands_fill(struct rdb_stream_commands *s, struct str key, size_t limit,
                              struct buf *out, uint32_t *ret_count, bool *ret_done,
                              uint64_t *ret_elements, struct err *err) {
    struct err failure = ERR_INIT;
    size_t start = out->len;
    uint32_t count = 0;

    while (s->stage != RDB_STREAM_DONE && out->len - start < limit) {
        size_t before = out->len;

        if (s->stage == RDB_STREAM_DELETE && before > start &&
            out->max - before < XDEL_MAX + key.len)
            break;
        if (!take_step(s, key, out, &count, &failure)) {
            out->len = before;
            /* What does not fit behind other commands may fit into an empty buf. */
            if (failure.code == ERR_TOO_BIG && before > start)
                break;
            *err = failure;
            return false;
        }
        count += out->len > before;
    }
    *ret_count = count;
    *ret_done = s->stage == RDB_STREAM_DONE;
    *ret_elements = s->entry_count;
    return true;
}
