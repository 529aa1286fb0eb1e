#include "proto/command/command_expire.h"

#include "proto/command/command_options.h"
#include "proto/resp/resp_write.h"

enum { DIGITS_MAX = 20 };

/* The time at the destination, as digits in `digits`. */
static bool resolve(struct command_job *job, struct str text, enum command_time time,
                    char digits[DIGITS_MAX], struct str *ret_text, struct err *err) {
    uint64_t at_ms;

    if (!command_time_resolve(text, time, job->receipt_ms, job->target->held, &at_ms, err))
        return false;
    *ret_text = str_of(digits, (size_t)(resp_write_decimal(digits, at_ms) - digits));
    return true;
}

static bool put_pexpireat(struct command_job *job, struct str key, struct str time,
                          struct err *err) {
    struct str argv[] = {STR_LIT("PEXPIREAT"), key, time};

    return command_job_put(job, LENGTH_OF(argv), argv, err);
}

/* EXPIRE and its kin. Their conditions held at the source, or they would not be here. */
static bool rewrite_expire(struct command_job *job, enum command_time time, struct err *err) {
    char digits[DIGITS_MAX];
    struct str text;

    if (job->command->argc < 3)
        return command_job_malformed(err);
    return resolve(job, command_job_arg(job, 2), time, digits, &text, err) &&
           put_pexpireat(job, command_job_arg(job, 1), text, err);
}

/* SETEX and PSETEX: key, time, value. */
static bool rewrite_setex(struct command_job *job, enum command_time time, struct err *err) {
    char digits[DIGITS_MAX];
    struct str text;

    if (job->command->argc != 4)
        return command_job_malformed(err);
    if (!resolve(job, command_job_arg(job, 2), time, digits, &text, err))
        return false;
    struct str argv[] = {STR_LIT("SET"), command_job_arg(job, 1), command_job_arg(job, 3),
                         STR_LIT("PXAT"), text};

    if (job->target->has_pxat)
        return command_job_put(job, 5, argv, err);
    return command_job_put(job, 3, argv, err) &&
           put_pexpireat(job, command_job_arg(job, 1), text, err);
}

static bool rewrite_set(struct command_job *job, struct err *err) {
    struct command_options options;
    struct command_edit edits[2];
    size_t count = 0;
    char digits[DIGITS_MAX];
    struct str text = STR_EMPTY;

    if (job->command->argc < 3)
        return command_job_malformed(err);
    if (!command_options_scan(job->command, 3, &options, err))
        return false;
    if (options.keepttl_at && !job->target->has_keepttl)
        return command_job_too_old(err, "SET … KEEPTTL");
    if (options.time_at) {
        if (!resolve(job, options.time_text, options.time, digits, &text, err))
            return false;
        edits[count++] = job->target->has_pxat
                             ? (struct command_edit){.at = options.time_at,
                                                     .drop = 2,
                                                     .with_count = 2,
                                                     .with = {STR_LIT("PXAT"), text}}
                             : command_job_drop(options.time_at, 2);
    }
    if (options.get_at) { /* edits ascend */
        bool first = count == 0 || options.get_at < options.time_at;

        if (first && count)
            edits[1] = edits[0];
        edits[first ? 0 : 1] = command_job_drop(options.get_at, 1);
        count++;
    }
    if (count == 0)
        return command_job_put_raw(job, err);
    return command_job_put_edited(job, edits, count, err) &&
           (!options.time_at || job->target->has_pxat ||
            put_pexpireat(job, command_job_arg(job, 1), text, err));
}

static bool rewrite_getex(struct command_job *job, struct err *err) {
    struct command_options options;
    char digits[DIGITS_MAX];
    struct str text;

    if (job->command->argc < 2)
        return command_job_malformed(err);
    if (!command_options_scan(job->command, 2, &options, err))
        return false;
    if (options.time_at)
        return resolve(job, options.time_text, options.time, digits, &text, err) &&
               put_pexpireat(job, command_job_arg(job, 1), text, err);
    if (options.persist_at) {
        struct str argv[] = {STR_LIT("PERSIST"), command_job_arg(job, 1)};

        return command_job_put(job, LENGTH_OF(argv), argv, err);
    }
    return command_job_put_raw(job, err);
}

static bool rewrite_increx(struct command_job *job, struct err *err) {
    struct command_options options;
    struct command_edit edit;
    char digits[DIGITS_MAX];
    struct str text;

    if (job->command->argc < 2)
        return command_job_malformed(err);
    if (!command_options_scan(job->command, 2, &options, err))
        return false;
    if (!options.time_at)
        return command_job_put_raw(job, err);
    if (!resolve(job, options.time_text, options.time, digits, &text, err))
        return false;
    edit = (struct command_edit){
        .at = options.time_at, .drop = 2, .with_count = 2, .with = {STR_LIT("PXAT"), text}};
    return command_job_put_edited(job, &edit, 1, err);
}

/* MSET and a PEXPIREAT for each key, for servers without MSETEX. */
static bool put_msetex_apart(struct command_job *job, const struct command_options *options,
                             uint32_t options_at, struct str time, struct err *err) {
    struct command_edit edits[] = {command_job_replace(0, 2, STR_LIT("MSET")),
                                   command_job_drop(options_at, job->command->argc - options_at)};
    struct resp_command_args args = command_args_from(job->command, 2);
    struct str key, value;

    if (options->keepttl_at)
        return command_job_too_old(err, "MSETEX … KEEPTTL");
    if (!command_job_put_edited(job, edits, LENGTH_OF(edits), err))
        return false;
    for (uint32_t at = 2; options->time_at && at < options_at; at += 2) {
        if (!resp_command_args_next(&args, &key) || !resp_command_args_next(&args, &value) ||
            !put_pexpireat(job, key, time, err))
            return false;
    }
    return true;
}

/* MSETEX numkeys key value … [NX|XX] [time] */
static bool rewrite_msetex(struct command_job *job, struct err *err) {
    struct command_options options;
    struct command_edit edit;
    char digits[DIGITS_MAX];
    struct str text = STR_EMPTY;
    uint64_t numkeys;
    uint32_t options_at;

    if (job->command->argc < 4 || !str_parse_u64(command_job_arg(job, 1), &numkeys) ||
        numkeys == 0 || numkeys > (job->command->argc - 2) / 2)
        return command_job_malformed(err);
    options_at = 2 + 2 * (uint32_t)numkeys;
    if (!command_options_scan(job->command, options_at, &options, err))
        return false;
    if (options.time_at && !resolve(job, options.time_text, options.time, digits, &text, err))
        return false;
    if (!job->target->has_msetex)
        return put_msetex_apart(job, &options, options_at, text, err);
    if (!options.time_at)
        return command_job_put_raw(job, err);
    edit = (struct command_edit){
        .at = options.time_at, .drop = 2, .with_count = 2, .with = {STR_LIT("PXAT"), text}};
    return command_job_put_edited(job, &edit, 1, err);
}

/* HPEXPIREAT key time FIELDS n field … from a command that has field value …. */
static bool put_hpexpireat(struct command_job *job, uint32_t fields_at, struct str time,
                           struct err *err) {
    uint32_t fields = (job->command->argc - fields_at - 2) / 2;
    struct resp_command_args args = command_args_from(job->command, fields_at + 2);
    struct str field, value;
    bool ok = resp_put_array(job->out, 5 + (uint64_t)fields, err) &&
              resp_put_literal(job->out, "HPEXPIREAT", err) &&
              resp_put_bulk(job->out, command_job_arg(job, 1), err) &&
              resp_put_bulk(job->out, time, err) && resp_put_literal(job->out, "FIELDS", err) &&
              resp_put_u64(job->out, fields, err);

    job->count++;
    while (ok && fields-- > 0)
        ok = resp_command_args_next(&args, &field) && resp_command_args_next(&args, &value) &&
             resp_put_bulk(job->out, field, err);
    return ok;
}

/* FIELDS n stands where it should, with n times `each` words behind it. */
static bool check_fields(const struct command_job *job, uint32_t fields_at, uint32_t each,
                         struct err *err) {
    uint64_t count;

    if (fields_at == 0 || fields_at + 1 >= job->command->argv_count ||
        !str_parse_u64(command_job_arg(job, fields_at + 1), &count) || count == 0 ||
        count > job->command->argc || fields_at + 2 + count * each != job->command->argc)
        return err_set(err, ERR_PROTOCOL, "its FIELDS do not match their count");
    return true;
}

/* HSETEX key [FNX|FXX] [time|KEEPTTL] FIELDS n field value …. An HSET clears the
 * expiry of its fields, as HSETEX without KEEPTTL does. */
static bool rewrite_hsetex(struct command_job *job, struct err *err) {
    const struct command_target *target = job->target;
    struct command_options options;
    struct command_edit edit;
    char digits[DIGITS_MAX];
    struct str text = STR_EMPTY;

    if (job->command->argc < 6)
        return command_job_malformed(err);
    if (!command_options_scan(job->command, 2, &options, err) ||
        !check_fields(job, options.fields_at, 2, err))
        return false;
    if (options.time_at && !resolve(job, options.time_text, options.time, digits, &text, err))
        return false;
    if (target->has_hsetex && !options.time_at)
        return command_job_put_raw(job, err);
    if (target->has_hsetex) {
        edit = (struct command_edit){
            .at = options.time_at, .drop = 2, .with_count = 2, .with = {STR_LIT("PXAT"), text}};
        return command_job_put_edited(job, &edit, 1, err);
    }
    if (options.time_at && !target->has_hash_expiry && !target->drops_hash_expiry)
        return command_job_too_old(err, "hash fields that expire");
    if (options.keepttl_at && target->has_hash_expiry)
        return command_job_too_old(err, "HSETEX … KEEPTTL");
    edit = (struct command_edit){.at = 0,
                                 .drop = options.fields_at + 2,
                                 .with_count = 2,
                                 .with = {STR_LIT("HSET"), command_job_arg(job, 1)}};
    return command_job_put_edited(job, &edit, 1, err) &&
           (!options.time_at || target->drops_hash_expiry ||
            put_hpexpireat(job, options.fields_at, text, err));
}

static bool rewrite_hgetex(struct command_job *job, struct err *err) {
    struct command_options options;
    char digits[DIGITS_MAX];
    struct str text;

    if (job->command->argc < 5)
        return command_job_malformed(err);
    if (!command_options_scan(job->command, 2, &options, err) ||
        !check_fields(job, options.fields_at, 1, err))
        return false;
    if (job->target->drops_hash_expiry)
        return true;
    if (!job->target->has_hash_expiry)
        return command_job_too_old(err, "hash fields that expire");
    if (options.time_at) {
        struct command_edit edits[2];

        if (!resolve(job, options.time_text, options.time, digits, &text, err))
            return false;
        edits[0] = command_job_replace(0, 1, STR_LIT("HPEXPIREAT"));
        edits[1] = command_job_replace(options.time_at, 2, text);
        return command_job_put_edited(job, edits, 2, err);
    }
    if (options.persist_at) {
        struct command_edit edits[] = {command_job_replace(0, 1, STR_LIT("HPERSIST")),
                                       command_job_drop(options.persist_at, 1)};

        return command_job_put_edited(job, edits, 2, err);
    }
    return command_job_put_raw(job, err);
}

/* HEXPIRE key time [NX|XX|GT|LT] FIELDS n field …. The condition stays: one server
 * keeps fields in the list for which it did not hold. Between held times it
 * compares as between true ones. */
static bool rewrite_hexpire(struct command_job *job, enum command_time time, struct err *err) {
    struct command_edit edits[2];
    char digits[DIGITS_MAX];
    struct str text;

    if (job->command->argc < 6)
        return command_job_malformed(err);
    if (job->target->drops_hash_expiry)
        return true;
    if (!job->target->has_hash_expiry)
        return command_job_too_old(err, "hash fields that expire");
    if (!resolve(job, command_job_arg(job, 2), time, digits, &text, err))
        return false;
    edits[0] = command_job_replace(0, 1, STR_LIT("HPEXPIREAT"));
    edits[1] = command_job_replace(2, 1, text);
    return command_job_put_edited(job, edits, 2, err);
}

bool command_expire_rewrite(struct command_job *job, struct err *err) {
    switch (job->row->id) {
    case COMMAND_SET:
        return rewrite_set(job, err);
    case COMMAND_SETEX:
        return rewrite_setex(job, COMMAND_TIME_EX, err);
    case COMMAND_PSETEX:
        return rewrite_setex(job, COMMAND_TIME_PX, err);
    case COMMAND_EXPIRE:
        return rewrite_expire(job, COMMAND_TIME_EX, err);
    case COMMAND_PEXPIRE:
        return rewrite_expire(job, COMMAND_TIME_PX, err);
    case COMMAND_EXPIREAT:
        return rewrite_expire(job, COMMAND_TIME_EXAT, err);
    case COMMAND_PEXPIREAT:
        return rewrite_expire(job, COMMAND_TIME_PXAT, err);
    case COMMAND_GETEX:
        return rewrite_getex(job, err);
    case COMMAND_INCREX:
        return rewrite_increx(job, err);
    case COMMAND_MSETEX:
        return rewrite_msetex(job, err);
    case COMMAND_HSETEX:
        return rewrite_hsetex(job, err);
    case COMMAND_HGETEX:
        return rewrite_hgetex(job, err);
    case COMMAND_HEXPIRE:
        return rewrite_hexpire(job, COMMAND_TIME_EX, err);
    case COMMAND_HPEXPIRE:
        return rewrite_hexpire(job, COMMAND_TIME_PX, err);
    case COMMAND_HEXPIREAT:
        return rewrite_hexpire(job, COMMAND_TIME_EXAT, err);
    case COMMAND_HPEXPIREAT:
        return rewrite_hexpire(job, COMMAND_TIME_PXAT, err);
    default:
        return err_set(err, ERR_INTERNAL, "%s carries an expiry and has no rule", job->row->name);
    }
}
