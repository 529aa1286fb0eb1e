#include "services/flow/copy_pieces.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/resp/resp_write.h"

enum {
    KEY_MAX = 512 * 1024 * 1024,
    SCRATCH_MAX = 512 * 1024 * 1024, /* a packed element of the largest size */
    SCRATCH_KEEP = 1024 * 1024,
};

/* KEYS: temporary, key. ARGV: what counts, what it must answer ("" = anything), expiry. */
static const char finish_script[] =
    "local n=redis.call(ARGV[1],KEYS[1]) "
    "if ARGV[2]~='' and n~=tonumber(ARGV[2]) then return redis.error_reply("
    "'ERR a value built in pieces holds '..n..' elements instead of '..ARGV[2]) end "
    "if n==0 then return redis.call('DEL',KEYS[2]) end "
    "redis.call('RENAME',KEYS[1],KEYS[2]) "
    "if ARGV[3]~='0' then redis.call('PEXPIREAT',KEYS[2],ARGV[3]) end return 1";

void copy_pieces_init(struct copy_pieces *p, const struct command_target *target,
                      const struct task_spec *spec) {
    *p = (struct copy_pieces){
        .temporary = COPY_TEMPORARY_NONE,
        .target = target,
        .spec = spec,
        .keys = BUF_INIT(KEY_MAX + COPY_TEMPORARY_MAX),
    };
    rdb_commands_init(&p->commands, SCRATCH_MAX);
}

void copy_pieces_done(struct copy_pieces *p) {
    rdb_commands_done(&p->commands);
    buf_done(&p->keys);
    free(p->tags);
    p->tags = NULL;
}

bool copy_pieces_put_removal(const struct copy_temporary *temporary,
                             const struct command_target *target, const struct task_spec *spec,
                             struct unit *unit, struct err *err) {
    char name[COPY_TEMPORARY_MAX];
    struct str argv[2] = {target->has_unlink ? STR_LIT("UNLINK") : STR_LIT("DEL")};

    if (temporary->database < 0)
        return true;
    copy_temporary_name(temporary->tag, spec, name);
    argv[1] = str_from(name);
    return unit_select(unit, temporary->database, err) &&
           unit_command(unit, argv, LENGTH_OF(argv), err);
}

static struct str name_of(const struct copy_pieces *p) {
    return str_first(buf_str(&p->keys), p->name_len);
}

static bool choose_tag(struct copy_pieces *p, struct str key, uint32_t *ret_tag, struct err *err) {
    if (!p->tags) {
        p->tags = malloc(COPY_TEMPORARY_SLOTS * sizeof(*p->tags));
        if (!p->tags)
            return err_set(err, ERR_MEMORY, "no memory for the names of temporary keys");
        copy_temporary_tags(p->tags);
    }
    *ret_tag = p->tags[slot_set_slot(key)];
    return true;
}

bool copy_pieces_begin(struct copy_pieces *p, const struct copy_piece_value *value,
                       struct unit *unit, struct err *err) {
    struct copy_temporary temporary = {.database = value->database};
    char name[COPY_TEMPORARY_MAX];

    if (!choose_tag(p, value->key, &temporary.tag, err))
        return false;
    copy_temporary_name(temporary.tag, p->spec, name);
    buf_clear(&p->keys);
    p->name_len = strlen(name);
    if (!buf_append(&p->keys, str_from(name), err) || !buf_append(&p->keys, value->key, err) ||
        !rdb_commands_open(&p->commands, value->type, name_of(p), value->value, err) ||
        !copy_pieces_put_removal(&temporary, p->target, p->spec, unit, err))
        return false;
    p->expire_at_ms = value->expire_at_ms;
    p->counted = !value->fields_expire;
    p->temporary = temporary;
    return true;
}

static const char *counter_of(const struct copy_pieces *p) {
    switch (p->commands.kind) {
    case RDB_KIND_LIST:
        return "LLEN";
    case RDB_KIND_SET:
        return "SCARD";
    case RDB_KIND_ZSET:
        return "ZCARD";
    case RDB_KIND_HASH:
        return "HLEN";
    default:
        return "EXISTS"; /* a stream without entries is a key, too */
    }
}

/* What a large element left behind is given back. */
static void forget_large(struct copy_pieces *p) {
    struct rdb_commands *c = &p->commands;

    if (c->text[0].cap > SCRATCH_KEEP)
        buf_done(&c->text[0]);
    if (c->text[1].cap > SCRATCH_KEEP)
        buf_done(&c->text[1]);
    if (c->reader.blob.cap > SCRATCH_KEEP)
        buf_done(&c->reader.blob);
    if (p->keys.cap > SCRATCH_KEEP)
        buf_done(&p->keys);
}

static bool finish(struct copy_pieces *p, struct unit *unit, struct err *err) {
    char expected[24] = "", expires[24];
    size_t before = unit->own.len;
    struct str argv[] = {STR_LIT("EVAL"),
                         STR_LIT(finish_script),
                         STR_LIT("2"),
                         name_of(p),
                         str_skip(buf_str(&p->keys), p->name_len),
                         str_from(counter_of(p)),
                         STR_EMPTY,
                         STR_EMPTY};

    if (p->commands.kind == RDB_KIND_STREAM || p->commands.kind == RDB_KIND_STRING)
        snprintf(expected, sizeof(expected), "1");
    else if (p->counted)
        snprintf(expected, sizeof(expected), "%" PRIu64, p->commands.elements);
    snprintf(expires, sizeof(expires), "%" PRIu64, p->expire_at_ms);
    argv[6] = str_from(expected);
    argv[7] = str_from(expires);
    p->temporary = COPY_TEMPORARY_NONE;
    /* Copied, not borrowed: the names are used again before the unit is gone. */
    if (!resp_put_command(&unit->own, LENGTH_OF(argv), argv, err) || !unit_added(unit, before, err))
        return false;
    unit->commands++;
    forget_large(p);
    return true;
}

bool copy_pieces_fill(struct copy_pieces *p, size_t limit, struct unit *unit, struct err *err) {
    size_t before;
    uint32_t count;

    if (!unit_select(unit, p->temporary.database, err))
        return false;
    before = unit->own.len;
    if (!rdb_commands_fill(&p->commands, limit, &unit->own, &count, err) ||
        !unit_added(unit, before, err))
        return false;
    unit->commands += count;
    return !p->commands.done || finish(p, unit, err);
}
