#include "proto/repl/psync.h"

#include "proto/resp/resp_error.h"
#include "proto/resp/resp_write.h"

enum step {
    STEP_PING,
    STEP_AUTH,
    STEP_PORT,
    STEP_CAPA,
    STEP_VERSION,
    STEP_RDB_ONLY,
    STEP_PSYNC, /* the last ones go out alone */
    STEP_SYNC,
};

static const char *const step_names[] = {
    [STEP_PING] = "PING",
    [STEP_AUTH] = "AUTH",
    [STEP_PORT] = "REPLCONF listening-port",
    [STEP_CAPA] = "REPLCONF capa",
    [STEP_VERSION] = "REPLCONF version",
    [STEP_RDB_ONLY] = "REPLCONF rdb-only",
    [STEP_PSYNC] = "PSYNC",
    [STEP_SYNC] = "SYNC",
};

static bool put_auth(const struct psync_options *options, struct buf *out, struct err *err) {
    struct str argv[3] = {STR_LIT("AUTH"), options->username, options->password};
    struct str joined[3] = {options->username, STR_LIT(":"), options->password};

    if (options->username.len == 0)
        argv[1] = options->password;
    else if (options->auth_joined)
        return resp_put_array(out, 2, err) && resp_put_literal(out, "AUTH", err) &&
               resp_put_joined(out, LENGTH_OF(joined), joined, err);
    return resp_put_command(out, options->username.len ? 3 : 2, argv, err);
}

static bool put_step(enum step step, const struct psync *ps, const struct psync_options *options,
                     struct buf *out, struct err *err) {
    switch (step) {
    case STEP_PING:
        return resp_put_words(out, err, "PING", NULL);
    case STEP_AUTH:
        return put_auth(options, out, err);
    case STEP_PORT:
        return resp_put_words(out, err, "REPLCONF", "listening-port", "0", NULL);
    case STEP_CAPA:
        return options->may_read_eof
                   ? resp_put_words(out, err, "REPLCONF", "capa", "eof", "capa", "psync2", NULL)
                   : resp_put_words(out, err, "REPLCONF", "capa", "psync2", NULL);
    case STEP_VERSION:
        /* Pinned: without it Valkey 9 cannot snapshot hashes whose fields expire,
         * and a higher one lets 9.2 compress. */
        return resp_put_words(out, err, "REPLCONF", "version", "9.1.0", NULL);
    case STEP_RDB_ONLY:
        return resp_put_words(out, err, "REPLCONF", "rdb-only", "1", NULL);
    case STEP_SYNC:
        return resp_put_words(out, err, "SYNC", NULL);
    case STEP_PSYNC:
        break;
    }
    if (!repl_position_known(&ps->asked))
        return resp_put_words(out, err, "PSYNC", "?", "-1", NULL);
    return resp_put_array(out, 3, err) && resp_put_literal(out, "PSYNC", err) &&
           resp_put_bulk(out, str_from(ps->asked.replid), err) &&
           resp_put_u64(out, ps->asked.next, err);
}

bool psync_start(struct psync *ps, const struct psync_options *options, struct buf *out,
                 struct err *err) {
    memset(ps, 0, sizeof(*ps));
    ps->asked = options->position;
    ps->steps[ps->step_count++] = STEP_PING;
    if (options->auth)
        ps->steps[ps->step_count++] = STEP_AUTH;
    if (!options->sync) {
        ps->steps[ps->step_count++] = STEP_PORT;
        ps->steps[ps->step_count++] = STEP_CAPA;
        if (options->valkey_version)
            ps->steps[ps->step_count++] = STEP_VERSION;
        if (options->rdb_only)
            ps->steps[ps->step_count++] = STEP_RDB_ONLY;
    }
    for (unsigned i = 0; i < ps->step_count; i++) {
        if (!put_step((enum step)ps->steps[i], ps, options, out, err))
            return false;
    }
    ps->steps[ps->step_count++] = options->sync ? STEP_SYNC : STEP_PSYNC;
    return true;
}

/* Fail with the meaning of the source's error reply, quoted. */
static bool refused(enum step step, struct str text, struct err *err) {
    enum resp_error class = resp_error_class(text);
    enum err_code code = resp_error_source(class);
    char quoted[161];

    if (step == STEP_AUTH && class == RESP_ERROR_OTHER)
        code = ERR_SOURCE_AUTH;
    str_escape(resp_error_shown(text), quoted, sizeof(quoted));
    (void)err_set(err, code, "the source answers %s with: %s", step_names[step], quoted);
    if (class == RESP_ERROR_UNKNOWN_COMMAND)
        err_wrap(err, "the command is renamed, disabled or not offered by this service");
    return false;
}

static bool unexpected(enum step step, struct str line, struct err *err) {
    char quoted[97];

    str_escape(line, quoted, sizeof(quoted));
    return err_set(err, ERR_PROTOCOL, "the source answers %s with: %s", step_names[step], quoted);
}

/* A refused REPLCONF of these classes would be followed by a refused PSYNC, or by a
 * link that dies because its ACKs are not heard. The others are of no weight: an
 * older server does not know the option. */
static bool replconf_refusal_is_final(enum resp_error class) {
    return class == RESP_ERROR_NOAUTH || class == RESP_ERROR_NOPERM || class == RESP_ERROR_DENIED ||
           class == RESP_ERROR_UNKNOWN_COMMAND;
}

/* The reply to anything before PSYNC. */
static bool take_reply(struct psync *ps, enum step step, struct str line, struct err *err) {
    struct str text = str_skip(line, 1);
    bool with_auth = ps->steps[1] == STEP_AUTH;
    enum resp_error class;

    if (line.ptr[0] == '+') {
        ps->rdb_only = ps->rdb_only || step == STEP_RDB_ONLY;
        ps->version_taken = ps->version_taken || step == STEP_VERSION;
        return true;
    }
    if (line.ptr[0] != '-')
        return unexpected(step, line, err);
    class = resp_error_class(text);
    if (step == STEP_PING) {
        /* It went out before AUTH had an effect; a user without PING may still PSYNC. */
        if ((class == RESP_ERROR_NOAUTH && with_auth) || class == RESP_ERROR_NOPERM)
            return true;
        return refused(step, text, err);
    }
    if (step == STEP_AUTH || replconf_refusal_is_final(class))
        return refused(step, text, err);
    return true;
}

static bool take_fullresync(struct psync *ps, struct str rest, struct err *err) {
    struct str id;
    uint64_t offset;

    if (!str_cut(&rest, ' ', &id) || !repl_position_set_id(&ps->position, id) ||
        !str_parse_u64(rest, &offset) || offset >= (uint64_t)INT64_MAX)
        return err_set(err, ERR_PROTOCOL, "+FULLRESYNC without a replication id and an offset");
    ps->position.next = offset + 1;
    return true;
}

static bool take_continue(struct psync *ps, struct str rest, struct err *err) {
    if (!repl_position_known(&ps->asked))
        return err_set(err, ERR_PROTOCOL, "+CONTINUE although nothing was asked to be continued");
    ps->position = ps->asked;
    rest = str_trim(rest);
    /* After a failover the history has a new name; its offsets go on. */
    if (rest.len > 0 && !repl_position_set_id(&ps->position, rest))
        return err_set(err, ERR_PROTOCOL, "+CONTINUE with something that is no replication id");
    return true;
}

static bool take_psync_reply(struct psync *ps, struct str line, enum psync_wants *ret_wants,
                             struct err *err) {
    struct str fullresync = STR_LIT("+FULLRESYNC "), cont = STR_LIT("+CONTINUE");

    if (line.ptr[0] == '-')
        return refused(STEP_PSYNC, str_skip(line, 1), err);
    if (str_starts_with(line, fullresync)) {
        if (!take_fullresync(ps, str_skip(line, fullresync.len), err))
            return false;
        *ret_wants = PSYNC_WANTS_SNAPSHOT;
        return true;
    }
    if (str_equal(line, cont) || str_starts_with(line, STR_LIT("+CONTINUE "))) {
        if (!take_continue(ps, str_skip(line, cont.len), err))
            return false;
        *ret_wants = PSYNC_WANTS_STREAM;
        return true;
    }
    return unexpected(STEP_PSYNC, line, err);
}

/* One line without its end. Blank ones are keep-alives. */
static bool take_line(struct psync *ps, struct str line, struct buf *out,
                      enum psync_wants *ret_wants, struct err *err) {
    enum step step = (enum step)ps->steps[ps->step_at];

    if (line.len == 0) {
        ps->blank_lines++;
        return true;
    }
    if (step == STEP_PSYNC)
        return take_psync_reply(ps, line, ret_wants, err);
    if (step == STEP_SYNC)
        return line.ptr[0] == '-' ? refused(step, str_skip(line, 1), err)
                                  : unexpected(step, line, err);
    if (!take_reply(ps, step, line, err))
        return false;
    step = (enum step)ps->steps[++ps->step_at];
    return (step != STEP_PSYNC && step != STEP_SYNC) || put_step(step, ps, NULL, out, err);
}

/* The answer to SYNC is the header of a snapshot: it is not ours to take. */
static bool at_header(const struct psync *ps, char c) {
    return ps->steps[ps->step_at] == STEP_SYNC && ps->line_len == 0 && c == '$';
}

bool psync_feed(struct psync *ps, struct str in, size_t *ret_used, struct buf *out,
                enum psync_wants *ret_wants, struct err *err) {
    size_t used = 0;

    *ret_wants = PSYNC_WANTS_REPLY;
    while (used < in.len && *ret_wants == PSYNC_WANTS_REPLY) {
        char c = in.ptr[used];
        struct str line = str_of(ps->line, ps->line_len);

        if (at_header(ps, c)) {
            ps->position = ps->asked;
            *ret_wants = PSYNC_WANTS_SNAPSHOT;
            break;
        }
        used++;
        if (c != '\n') {
            if (ps->line_len == PSYNC_LINE_MAX)
                return err_set(err, ERR_TOO_BIG,
                               "the source answers %s with a line of over %d bytes",
                               step_names[ps->steps[ps->step_at]], PSYNC_LINE_MAX);
            ps->line[ps->line_len++] = c;
            continue;
        }
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        ps->line_len = 0;
        if (!take_line(ps, line, out, ret_wants, err))
            return false;
    }
    *ret_used = used;
    return true;
}

bool psync_put_ack(struct buf *out, uint64_t offset, struct err *err) {
    char digits[21];

    *resp_write_decimal(digits, offset) = '\0';
    return resp_put_words(out, err, "REPLCONF", "ACK", digits, NULL);
}
