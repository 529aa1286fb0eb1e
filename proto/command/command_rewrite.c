#include "proto/command/command_rewrite.h"

#include "proto/command/command_expire.h"
#include "proto/command/command_job.h"
#include "proto/command/command_restore.h"
#include "proto/command/command_xadd.h"
#include "proto/resp/resp_write.h"

struct command_target command_target(bool valkey, uint32_t version, uint16_t rdb_version,
                                     bool held) {
#define FROM(major, minor) (version >= ((uint32_t)(major) << 16 | (uint32_t)(minor) << 8))
    return (struct command_target){
        .held = held,
        .rdb_version = rdb_version,
        .destination = {.vendor = valkey ? RDB_VALKEY : RDB_REDIS,
                        .version =
                            (version >> 16) * 10000 + (version >> 8 & 255) * 100 + (version & 255),
                        .held = held},
        .has_unlink = FROM(4, 0),
        .has_absttl = FROM(5, 0),
        .has_keepttl = FROM(6, 0),
        .has_pxat = FROM(6, 2),
        .has_entriesread = FROM(7, 0),
        .has_hash_expiry = valkey ? FROM(9, 0) : FROM(7, 4),
        .has_hsetex = valkey ? FROM(9, 0) : FROM(8, 0),
        .has_msetex = valkey ? FROM(9, 1) : FROM(8, 4),
        .has_hgetdel = valkey ? FROM(9, 1) : FROM(8, 0),
        .has_idmp = !valkey && FROM(8, 6),
    };
#undef FROM
}

/* UNLINK frees later what DEL frees at once: the same to a reader. */
static bool forward_unlink(struct command_job *job, struct err *err) {
    struct command_edit edit = command_job_replace(0, 1, STR_LIT("DEL"));

    return command_job_put_edited(job, &edit, 1, err);
}

/* LPOP key n leaves what LTRIM key n -1 leaves, RPOP key n what LTRIM key 0 -(n+1). */
static bool forward_pop_count(struct command_job *job, struct err *err) {
    bool left = job->row->id == COMMAND_LPOP;
    char digits[21] = "-";
    uint64_t count;
    char *end;

    if (!str_parse_u64(command_job_arg(job, 2), &count) || count > (uint64_t)INT64_MAX - 1)
        return err_set(err, ERR_PROTOCOL, "its count is no number");
    end = left ? resp_write_decimal(digits, count) : resp_write_decimal(digits + 1, count + 1);

    struct str number = str_of(digits, (size_t)(end - digits));
    struct str argv[] = {STR_LIT("LTRIM"), command_job_arg(job, 1), left ? number : STR_LIT("0"),
                         left ? STR_LIT("-1") : number};

    return command_job_put(job, LENGTH_OF(argv), argv, err);
}

/* XGROUP CREATE|SETID key group id [MKSTREAM] [ENTRIESREAD n]: a counter for XINFO,
 * which older servers do not keep. */
static bool forward_xgroup(struct command_job *job, struct err *err) {
    for (uint32_t i = 5; i + 1 < job->command->argv_count; i++) {
        struct command_edit edit = command_job_drop(i, 2);

        if (str_equal_nocase(command_job_arg(job, i), STR_LIT("entriesread")))
            return command_job_put_edited(job, &edit, 1, err);
    }
    return command_job_put_raw(job, err);
}

/* HGETDEL key FIELDS n field …: nobody reads what it answers. */
static bool forward_hgetdel(struct command_job *job, struct err *err) {
    struct command_edit edits[] = {command_job_replace(0, 1, STR_LIT("HDEL")),
                                   command_job_drop(2, 2)};

    if (job->command->argc < 5 || !str_equal_nocase(command_job_arg(job, 2), STR_LIT("fields")))
        return command_job_malformed(err);
    return command_job_put_edited(job, edits, LENGTH_OF(edits), err);
}

/* The entry has its id; what the producer called it matters to the source alone. */
static bool forward_xadd(struct command_job *job, struct err *err) {
    struct command_xadd xadd;
    struct command_edit edit;

    if (!command_xadd_scan(job->command, &xadd, err))
        return false;
    if (xadd.idempotent_at == 0)
        return command_job_put_raw(job, err);
    edit = command_job_drop(xadd.idempotent_at, xadd.idempotent_count);
    return command_job_put_edited(job, &edit, 1, err);
}

/* FLUSHALL and FLUSHDB [ASYNC|SYNC]: how, not what. */
static bool forward_flush(struct command_job *job, struct err *err) {
    struct command_edit edit = command_job_drop(1, 1);
    bool known =
        job->command->argc != 2 ||
        (str_equal_nocase(command_job_arg(job, 1), STR_LIT("async")) ? job->target->has_unlink
                                                                     : job->target->has_pxat);

    return known ? command_job_put_raw(job, err) : command_job_put_edited(job, &edit, 1, err);
}

/* Most commands go as they came; some have another form at an older server. */
static bool forward(struct command_job *job, struct err *err) {
    const struct command_target *target = job->target;

    switch (job->row->id) {
    case COMMAND_UNLINK:
        if (!target->has_unlink)
            return forward_unlink(job, err);
        break;
    case COMMAND_LPOP:
    case COMMAND_RPOP:
        if (!target->has_pxat && job->command->argc == 3)
            return forward_pop_count(job, err);
        break;
    case COMMAND_XGROUP_CREATE:
    case COMMAND_XGROUP_SETID:
        if (!target->has_entriesread)
            return forward_xgroup(job, err);
        break;
    case COMMAND_HGETDEL:
        if (!target->has_hgetdel)
            return forward_hgetdel(job, err);
        break;
    case COMMAND_HPERSIST:
        if (target->drops_hash_expiry)
            return true;
        break;
    case COMMAND_XADD:
        if (!target->has_idmp)
            return forward_xadd(job, err);
        break;
    default:
        break;
    }
    return command_job_put_raw(job, err);
}

bool command_rewrite(const struct resp_command *command, const struct command_decision *decision,
                     const struct command_target *target, uint64_t receipt_ms, struct buf *out,
                     uint32_t *ret_count, struct err *err) {
    struct command_job job = {.command = command,
                              .row = decision->row,
                              .target = target,
                              .receipt_ms = receipt_ms,
                              .out = out};
    size_t len_before = out->len;
    bool ok;

    switch (decision->action) {
    case COMMAND_DO_FORWARD:
        ok = forward(&job, err);
        break;
    case COMMAND_DO_EXPIRY:
        ok = command_expire_rewrite(&job, err);
        break;
    case COMMAND_DO_RESTORE:
        ok = command_restore_rewrite(&job, err);
        break;
    case COMMAND_DO_FLUSHALL:
    case COMMAND_DO_FLUSHDB:
        ok = forward_flush(&job, err);
        break;
    case COMMAND_DO_SCRIPT:
    case COMMAND_DO_PUBLISH:
        ok = command_job_put_raw(&job, err);
        break;
    default:
        ok = err_set(err, ERR_INTERNAL, "it is not to be forwarded");
        break;
    }
    if (!ok) {
        out->len = len_before;
        return err_wrap(err, "rewriting %s", decision->row ? decision->row->name : "a newline");
    }
    *ret_count = job.count;
    return true;
}

bool command_rewrite_cross_db(const struct resp_command *command,
                              const struct command_decision *decision, uint32_t db, struct buf *out,
                              struct err *err) {
    char digits[20];
    struct str text = str_of(digits, (size_t)(resp_write_decimal(digits, db) - digits));
    struct command_edit edit = command_job_replace(2, 1, text);

    if (decision->row->id == COMMAND_COPY) {
        uint32_t at = 3;

        while (at + 1 < command->argv_count && !str_equal_nocase(command->argv[at], STR_LIT("db")))
            at++;
        edit.at = at + 1;
    }
    if (edit.at >= command->argc)
        return err_set(err, ERR_PROTOCOL, "%s names no database", decision->row->name);
    return command_edit_put(command, &edit, 1, out, err);
}
