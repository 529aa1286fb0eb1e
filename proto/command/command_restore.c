#include "proto/command/command_restore.h"

#include "proto/base/bytes.h"
#include "proto/command/command_options.h"
#include "proto/rdb/rdb_payload.h"
#include "proto/rdb/rdb_transcode.h"
#include "proto/resp/resp_write.h"

enum { VALUE_MAX = 512 * 1024 * 1024, VALKEY_FROM = 80 };

/* A payload that goes out: what is copied of it, and the footer behind. */
struct payload {
    struct str body;
    char footer[RDB_PAYLOAD_FOOTER];
    struct buf own; /* of a body that was made here */
    bool empty;     /* there is no key to be made */
};

/* The footer is the destination's already, and has a checksum. */
static bool fits(const struct command_target *target, struct str payload) {
    const char *footer = payload.ptr + payload.len - RDB_PAYLOAD_FOOTER;

    return target->rdb_version == 0 ||
           (load_le16(footer) == target->rdb_version && load_le64(footer + 2) != 0);
}

static bool take_payload(const struct command_job *job, struct str bytes, struct payload *ret,
                         struct err *err) {
    struct rdb_payload parsed;

    if (bytes.len <= RDB_PAYLOAD_EXTRA)
        return err_set(err, ERR_RDB_CORRUPT, "a payload of %zu bytes is too short", bytes.len);
    ret->body = str_first(bytes, bytes.len - RDB_PAYLOAD_FOOTER);
    memcpy(ret->footer, bytes.ptr + ret->body.len, RDB_PAYLOAD_FOOTER);
    if (fits(job->target, bytes))
        return true;
    if (!rdb_payload_parse(bytes, &parsed, err))
        return false;
    if (parsed.meta.len > 0)
        return err_set(err, ERR_DEST_RESTORE,
                       "the value carries key metadata, which only its own version reads");
    rdb_payload_footer(parsed.type, parsed.value, job->target->rdb_version, ret->footer);
    return true;
}

/* The value in another type: its type byte and it become the body. */
static bool transcode(const struct command_job *job, struct str bytes, enum rdb_vendor from,
                      uint8_t to_type, struct payload *ret, struct err *err) {
    const struct command_target *target = job->target;
    struct rdb_transcoder transcoder;
    struct rdb_transcoded done;
    struct rdb_payload parsed;
    bool ok;

    if (!rdb_payload_parse(bytes, &parsed, err))
        return false;
    rdb_transcoder_init(&transcoder, from, target->destination.vendor, VALUE_MAX);
    transcoder.fields = target->held ? RDB_FIELDS_HOLD : RDB_FIELDS_KEEP;
    transcoder.drop_field_expiry = target->drops_hash_expiry;
    ret->own = BUF_INIT(VALUE_MAX);
    ok = buf_append(&ret->own, STR_LIT("\0"), err) &&
         rdb_transcode(&transcoder, parsed.type, parsed.value, to_type, &ret->own, &done, err);
    if (ok) {
        ret->own.ptr[0] = (char)done.type;
        ret->empty = done.empty;
        ret->body = buf_str(&ret->own);
        rdb_payload_footer(done.type, str_skip(ret->body, 1), target->rdb_version, ret->footer);
    }
    rdb_transcoder_done(&transcoder);
    return ok;
}

static bool is_miscounted(uint8_t type, struct str bytes) {
    struct rdb_stream_entries entries;
    bool match;

    rdb_stream_entries_init(&entries, VALUE_MAX);
    match = rdb_stream_entries_match(&entries, type,
                                     str_skip(str_first(bytes, bytes.len - RDB_PAYLOAD_FOOTER), 1));
    rdb_stream_entries_done(&entries);
    return !match;
}

/* The payload of a key, in a form that the destination reads. */
static bool take_value(const struct command_job *job, struct str bytes, struct payload *ret,
                       struct err *err) {
    struct rdb_accept accept;
    enum rdb_vendor from;
    uint8_t type;

    if (job->target->rdb_version == 0 || bytes.len <= RDB_PAYLOAD_EXTRA)
        return take_payload(job, bytes, ret, err);
    from = load_le16(bytes.ptr + bytes.len - RDB_PAYLOAD_FOOTER) >= VALKEY_FROM ? RDB_VALKEY
                                                                                : RDB_REDIS;
    type = (uint8_t)bytes.ptr[0];
    accept = rdb_accept(&job->target->destination, from, type);
    if (accept.way == RDB_WAY_TRANSCODE || (accept.counts_entries && is_miscounted(type, bytes)))
        return transcode(job, bytes, from, accept.type, ret, err);
    /* What no type is known for may begin with metadata of its key. */
    if (accept.way == RDB_WAY_IMPOSSIBLE && rdb_type_kind(from, type) != RDB_KIND_UNKNOWN)
        return err_set(err, ERR_DEST_RESTORE, "a value of type %u: %s", type, accept.why);
    return take_payload(job, bytes, ret, err);
}

/* Append the payload as one bulk. */
static bool put_payload(struct buf *out, const struct payload *payload, struct err *err) {
    size_t len = payload->body.len + RDB_PAYLOAD_FOOTER;
    char *at;

    if (!buf_reserve(out, resp_size_bulk(len), err))
        return false;
    at = out->ptr + out->len;
    *at++ = '$';
    at = resp_write_decimal(at, len);
    memcpy(at, "\r\n", 2);
    memcpy(at + 2, payload->body.ptr, payload->body.len);
    at += 2 + payload->body.len;
    memcpy(at, payload->footer, RDB_PAYLOAD_FOOTER);
    memcpy(at + RDB_PAYLOAD_FOOTER, "\r\n", 2);
    out->len = (size_t)(at + RDB_PAYLOAD_FOOTER + 2 - out->ptr);
    out->ptr[out->len] = '\0';
    return true;
}

struct options {
    bool replace, absttl;
    uint32_t idle_at, freq_at; /* of the word; 0: not there */
};

static bool take_options(const struct command_job *job, struct options *ret, struct err *err) {
    struct options options = {.replace = job->row->id == COMMAND_RESTORE_ASKING};
    uint32_t argc = job->command->argv_count;

    for (uint32_t at = 4; at < argc; at++) {
        struct str word = command_job_arg(job, at);

        if (str_equal_nocase(word, STR_LIT("replace"))) {
            options.replace = true;
        } else if (str_equal_nocase(word, STR_LIT("absttl"))) {
            options.absttl = true;
        } else if (str_equal_nocase(word, STR_LIT("idletime")) && at + 1 < argc) {
            options.idle_at = at++;
        } else if (str_equal_nocase(word, STR_LIT("freq")) && at + 1 < argc) {
            options.freq_at = at++;
        } else {
            return err_set(err, ERR_UNKNOWN_COMMAND, "word %u of it is no known option", at);
        }
    }
    *ret = options;
    return true;
}

/* ABSTTL with its time, or nothing for a key that does not expire. */
static bool take_ttl(const struct command_job *job, const struct options *options,
                     uint64_t *ret_at_ms, struct err *err) {
    struct str text = command_job_arg(job, 2);

    *ret_at_ms = 0;
    if (str_equal(text, STR_LIT("0")))
        return true;
    if (!job->target->has_absttl)
        return command_job_too_old(err, "RESTORE … ABSTTL");
    return command_time_resolve(text, options->absttl ? COMMAND_TIME_PXAT : COMMAND_TIME_PX,
                                job->receipt_ms, job->target->held, ret_at_ms, err);
}

static bool put_pair(const struct command_job *job, uint32_t at, struct err *err) {
    return at == 0 || (resp_put_bulk(job->out, command_job_arg(job, at), err) &&
                       resp_put_bulk(job->out, command_job_arg(job, at + 1), err));
}

static bool put_key(struct command_job *job, const struct payload *payload, struct options options,
                    uint64_t at_ms, struct err *err) {
    const struct str none[] = {STR_LIT("DEL"), command_job_arg(job, 1)};
    uint64_t argc = 4;

    if (payload->empty) {
        job->count++;
        return resp_put_command(job->out, LENGTH_OF(none), none, err);
    }
    if (!job->target->has_absttl) /* IDLETIME and FREQ came with it */
        options.idle_at = options.freq_at = 0;
    argc += options.replace + (uint64_t)(at_ms != 0) + (options.idle_at ? 2u : 0u) +
            (options.freq_at ? 2u : 0u);
    job->count++;
    return resp_put_array(job->out, argc, err) && resp_put_literal(job->out, "RESTORE", err) &&
           resp_put_bulk(job->out, command_job_arg(job, 1), err) &&
           resp_put_u64(job->out, at_ms, err) && put_payload(job->out, payload, err) &&
           (!options.replace || resp_put_literal(job->out, "REPLACE", err)) &&
           (!at_ms || resp_put_literal(job->out, "ABSTTL", err)) &&
           put_pair(job, options.idle_at, err) && put_pair(job, options.freq_at, err);
}

static bool restore_key(struct command_job *job, struct err *err) {
    struct options options = {0};
    struct payload payload = {.own = BUF_INIT(VALUE_MAX)};
    uint64_t at_ms;
    bool ok;

    if (job->command->argc < 4 || job->command->argc > RESP_ARGV_MAX)
        return command_job_malformed(err);
    if (!take_options(job, &options, err) || !take_ttl(job, &options, &at_ms, err))
        return false;
    ok = take_value(job, command_job_arg(job, 3), &payload, err) &&
         put_key(job, &payload, options, at_ms, err);
    buf_done(&payload.own);
    return ok;
}

static bool restore_functions(struct command_job *job, struct err *err) {
    struct payload payload;
    uint32_t argc = job->command->argc;

    if (argc < 3 || argc > 4)
        return command_job_malformed(err);
    if (!take_payload(job, command_job_arg(job, 2), &payload, err))
        return false;
    job->count++;
    return resp_put_array(job->out, argc, err) && resp_put_literal(job->out, "FUNCTION", err) &&
           resp_put_literal(job->out, "RESTORE", err) && put_payload(job->out, &payload, err) &&
           (argc == 3 || resp_put_bulk(job->out, command_job_arg(job, 3), err));
}

bool command_restore_rewrite(struct command_job *job, struct err *err) {
    return job->row->id == COMMAND_FUNCTION_RESTORE ? restore_functions(job, err)
                                                    : restore_key(job, err);
}
