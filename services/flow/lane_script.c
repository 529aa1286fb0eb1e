#include "services/flow/lane_script.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proto/resp/resp_write.h"

enum { HEAD_MAX = 32, POSITION_MAX = 4096 };

/* ARGV: how many commands write the position, "1" to stop where one fails, its database; then
 * each command as the number of its words and its words.
 *
 * What a server of before 7.0 answers to a failing call begins with the place in the
 * script; without it the first word is the kind of error again. */
static const char text[] =
    "local function plain(e) if type(e)=='table' then e=e.err end "
    "return (string.gsub(string.gsub(tostring(e),'^@?[%w_]*:%s*%d+:%s*%-?',''),'[\\r\\n]','')) end "
    "local at,n,db=4,#ARGV,ARGV[3] "
    /* A script of the stream, as if it had been called by itself. */
    "local function inner(c) local k,a={},{} local nk=tonumber(ARGV[at+3]) or 0 "
    "for i=1,nk do k[i]=ARGV[at+3+i] end "
    "for i=at+4+nk,at+c do a[#a+1]=ARGV[i] end "
    "local f,why=loadstring('local KEYS,ARGV=... '..ARGV[at+2]) "
    "if not f then return why end "
    "local ok,r=pcall(f,k,a) redis.call('SELECT',db) "
    "if not ok then return r end "
    "return type(r)=='table' and r.err or nil end "
    "local function one() local c=tonumber(ARGV[at]) local w=string.lower(ARGV[at+1]) local e "
    "if w=='eval' then e=inner(c) else "
    "local r=redis.pcall(unpack(ARGV,at+1,at+c)) e=type(r)=='table' and r.err or nil "
    "if w=='select' and not e then db=ARGV[at+2] end end "
    "at=at+c+1 return e end "
    "local p,stops=tonumber(ARGV[1]),ARGV[2]=='1' "
    /* Whatever is called behind the first write was called before it: a right that is
     * missing would end the script half-way, with the position moved and nothing counted. */
    "local no=redis.pcall('SELECT',ARGV[3]) "
    "if type(no)=='table' and no.err then return redis.error_reply(plain(no)) end "
    "for i=1,p do local e=one() if e then return redis.error_reply(plain(e)) end end "
    "local bad,first=0,nil "
    "local ok,why=pcall(function() while at<=n do local e=one() "
    "if e then bad=bad+1 first=first or e if stops then return end end end end) "
    "if not ok then bad=bad+1 first=first or why end "
    "redis.call('SELECT',ARGV[3]) "
    "if bad>0 and stops then return redis.error_reply(plain(first)) end "
    "if bad>0 then local c=redis.pcall('HMGET',KEYS[1],'err') "
    "redis.call('HSET',KEYS[1],'err',bad+(tonumber(c[1] or 0) or 0)) "
    "return redis.error_reply('" LANE_SCRIPT_FAILED "'..bad..' '..plain(first)) end "
    "return 1";

/* ---- what it knows ---------------------------------------------------------------- */

bool lane_script_learn(struct lane_script_names *names, struct redis_client *client,
                       struct err *err) {
    struct arena arena = ARENA_INIT;
    const struct resp_value *reply;
    bool ok = redis_client_call(client, &arena, &reply, err, "COMMAND", NULL);

    names->count = 0;
    for (size_t i = 0; ok && reply->type == RESP_ARRAY && i < reply->count; i++) {
        const struct resp_value *row = &reply->items[i];
        struct str name = row->type == RESP_ARRAY && row->count > 0 ? row->items[0].str : STR_EMPTY;

        if (name.len == 0 || name.len >= LANE_SCRIPT_NAME_SIZE ||
            names->count == LANE_SCRIPT_NAMES_MAX)
            continue;
        memcpy(names->name[names->count], name.ptr, name.len);
        names->name[names->count++][name.len] = '\0';
    }
    arena_done(&arena);
    return ok;
}

static bool is_one_of(const char *name, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(name, list[i]) == 0)
            return true;
    }
    return false;
}

static bool check_name(const struct lane_script_names *names, const char *name, struct err *err) {
    static const char *const barred[] = {"evalsha", "fcall", "function", "script", "multi", "exec"};

    if (is_one_of(name, barred, LENGTH_OF(barred)))
        return err_set(err, ERR_COMMAND_REFUSED,
                       "%s: this destination is written through scripts, because it does not let "
                       "us count its errors, and no script may call it",
                       name);
    for (unsigned i = 0; names && i < names->count; i++) {
        if (strcasecmp(name, names->name[i]) == 0)
            return true;
    }
    return !names || names->count == 0 ||
           err_set(err, ERR_DEST_UNKNOWN_COMMAND, "the destination does not know %s", name);
}

/* ---- the unit's commands as arguments ----------------------------------------------- */

/* `*3 $3 SET $1 k $1 v` becomes `$1 3 $3 SET $1 k $1 v`: only the first line of each command
 * is another. The rest goes on as it is, in whatever pieces it lies. */
struct walk {
    const struct lane_script_names *names;
    struct unit *out;
    uint64_t words;     /* written so far */
    uint64_t args_left; /* of the command at work */
    uint64_t body_left; /* of the argument at work, with its line end */
    bool is_name;       /* that argument is the command's name */
    char line[HEAD_MAX];
    size_t line_len;
    char name[HEAD_MAX];
    size_t name_len;
    char known[HEAD_MAX]; /* the last one that passed: most commands are like their neighbours */
};

static bool broken(struct err *err) {
    return err_set(err, ERR_INTERNAL, "a unit holds what is no command");
}

static bool begin_command(struct walk *w, struct err *err) {
    char count[HEAD_MAX], line[2 * HEAD_MAX];
    uint64_t n;
    int len;

    if (w->line[0] != '*' || !str_parse_u64(str_of(w->line + 1, w->line_len - 1), &n) || n == 0)
        return broken(err);
    if (n > LANE_SCRIPT_ARGS_MAX)
        return err_set(err, ERR_UNIT_TOO_LARGE,
                       "a command of %" PRIu64 " words: this destination is written through "
                       "scripts, which pass on %d",
                       n, LANE_SCRIPT_ARGS_MAX);
    len = snprintf(count, sizeof(count), "%" PRIu64, n);
    len = snprintf(line, sizeof(line), "$%d\r\n%s\r\n", len, count);
    w->args_left = n;
    w->is_name = true;
    w->name_len = 0;
    w->words += 1 + n;
    return unit_put(w->out, str_of(line, (size_t)len), err);
}

static bool begin_word(struct walk *w, struct err *err) {
    char line[HEAD_MAX + 2];
    uint64_t n;

    if (w->line[0] != '$' || !str_parse_u64(str_of(w->line + 1, w->line_len - 1), &n))
        return broken(err);
    memcpy(line, w->line, w->line_len);
    memcpy(line + w->line_len, "\r\n", 2);
    w->body_left = n + 2;
    return unit_put(w->out, str_of(line, w->line_len + 2), err);
}

/* Take of `in` what belongs to a header line; true when the line is whole. */
static bool take_line(struct walk *w, struct str *in, bool *ret_whole, struct err *err) {
    const char *end = memchr(in->ptr, '\n', in->len);
    size_t len = end ? (size_t)(end - in->ptr) + 1 : in->len;

    if (w->line_len + len > HEAD_MAX)
        return broken(err);
    memcpy(w->line + w->line_len, in->ptr, len);
    w->line_len += len;
    *in = str_skip(*in, len);
    *ret_whole = end != NULL;
    if (end && (w->line_len < 3 || w->line[w->line_len - 2] != '\r'))
        return broken(err);
    if (end)
        w->line_len -= 2;
    return true;
}

static bool take_body(struct walk *w, struct str *in, struct err *err) {
    size_t len = in->len < w->body_left ? in->len : (size_t)w->body_left;
    struct str part = str_first(*in, len);

    if (w->is_name) {
        for (size_t i = 0; i < len && w->name_len < sizeof(w->name) - 1; i++)
            w->name[w->name_len++] = part.ptr[i];
    }
    *in = str_skip(*in, len);
    w->body_left -= len;
    if (!unit_borrow(w->out, part, err))
        return false;
    if (w->body_left > 0)
        return true;
    w->args_left--;
    if (!w->is_name)
        return true;
    w->is_name = false;
    w->name[w->name_len >= 2 ? w->name_len - 2 : 0] = '\0';
    if (strcmp(w->name, w->known) == 0 && w->known[0])
        return true;
    if (!check_name(w->names, w->name, err))
        return false;
    memcpy(w->known, w->name, sizeof(w->known));
    return true;
}

static bool walk_over(struct walk *w, struct str in, struct err *err) {
    while (in.len > 0) {
        bool whole;

        if (w->body_left > 0) {
            if (!take_body(w, &in, err))
                return false;
            continue;
        }
        if (!take_line(w, &in, &whole, err))
            return false;
        if (!whole)
            break;
        if (!(w->args_left > 0 ? begin_word(w, err) : begin_command(w, err)))
            return false;
        w->line_len = 0;
    }
    return true;
}

static bool put_head(const struct lane_script_frame *f, struct unit *out, struct err *err) {
    char count[16], database[16];
    struct str words[] = {STR_LIT("EVAL"), STR_LIT(text), STR_LIT("1"),
                          f->key,          STR_EMPTY,     f->stops ? STR_LIT("1") : STR_LIT("0"),
                          STR_EMPTY};
    struct buf head = BUF_INIT(POSITION_MAX + sizeof(text));
    bool ok = true;

    snprintf(count, sizeof(count), "%" PRIu32, f->position_count);
    snprintf(database, sizeof(database), "%d", f->database);
    words[4] = str_from(count);
    words[6] = str_from(database);
    for (size_t i = 0; ok && i < LENGTH_OF(words); i++)
        ok = resp_put_bulk(&head, words[i], err);
    ok = ok && unit_put(out, buf_str(&head), err);
    buf_done(&head);
    return ok;
}

bool lane_script_make(const struct lane_script_frame *f, const struct unit *unit, struct unit *out,
                      size_t *ret_words, struct err *err) {
    struct walk w = {.names = f->names, .out = out, .words = 7};

    unit_clear(out, f->database);
    if (!put_head(f, out, err) || !walk_over(&w, f->position, err))
        return false;
    for (uint32_t i = 0; i < unit->piece_count; i++) {
        if (!walk_over(&w, unit_piece_str(unit, i), err))
            return false;
    }
    if (w.args_left > 0 || w.body_left > 0 || w.line_len > 0)
        return broken(err);
    if (w.words > LANE_SCRIPT_ALL_MAX)
        return err_set(err, ERR_UNIT_TOO_LARGE,
                       "a unit of %" PRIu64 " words: this destination is written through scripts, "
                       "which take %d",
                       w.words, LANE_SCRIPT_ALL_MAX);
    out->commands = 1;
    *ret_words = (size_t)w.words;
    return true;
}
