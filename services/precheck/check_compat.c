/* What holds between the two ends: versions, databases, encodings. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/rdb/rdb_accept.h"
#include "proto/rdb/rdb_payload.h"
#include "proto/rdb/rdb_transcode.h"
#include "proto/resp/resp_write.h"
#include "services/precheck/check_run.h"

/* The version of Redis whose commands and data it has. */
static uint32_t redis_version(const struct redis_info *info) {
    return info->redis_compat ? info->redis_compat : info->version_number;
}

static bool is_redis(const struct redis_info *info, uint32_t from_version) {
    return info->product == REDIS_PRODUCT_REDIS && info->version_number >= from_version;
}

/* What `from` may hold that `to` cannot, so that it stops the copy; modules and expiring fields
 * have checks of their own. NULL: nothing. Values travel in a form that the destination reads. */
static const char *unmovable(const struct redis_info *from, const struct redis_info *to) {
    enum { STREAMS = 50000, FUNCTIONS = 70000, ARRAYS = 80800 };

    if (redis_version(from) >= STREAMS && redis_version(to) < STREAMS)
        return "a stream";
    if (redis_version(from) >= FUNCTIONS && redis_version(to) < FUNCTIONS)
        return "a function library";
    if (is_redis(from, ARRAYS) && !is_redis(to, ARRAYS))
        return "an array";
    return NULL;
}

bool check_dst_version_order(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct redis_info *from = &run->source.info, *to = &run->destination.info;
    enum { IDEMPOTENT = 80600 };
    const char *what;
    char names[2][64];

    (void)err;
    if (from->version_number == 0 || to->version_number == 0 ||
        from->product == REDIS_PRODUCT_UNKNOWN || to->product == REDIS_PRODUCT_UNKNOWN) {
        check_remedy_info(run, from->version_number == 0 || from->product == REDIS_PRODUCT_UNKNOWN,
                          to->version_number == 0 || to->product == REDIS_PRODUCT_UNKNOWN, ret);
        return check_warn(ret, "One of the servers does not tell its version");
    }
    snprintf(names[0], sizeof(names[0]), "%s %s", redis_product_name(from->product), from->version);
    snprintf(names[1], sizeof(names[1]), "%s %s", redis_product_name(to->product), to->version);
    check_observed(ret, "%s", names[1]);
    check_threshold(ret, "%s", names[0]);
    what = unmovable(from, to);
    if (what) {
        check_remedy(ret, "A newer destination, or make sure that the source has none");
        return check_warn(ret, "%s cannot hold %s of %s: one stops the job", names[1], what,
                          names[0]);
    }
    return check_pass(ret, "%s takes what %s has%s", names[1], names[0],
                      is_redis(from, IDEMPOTENT) && !is_redis(to, IDEMPOTENT)
                          ? ", but for what idempotent producers of streams have sent (XADD IDMP)"
                          : "");
}

bool check_dst_db_range(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct arena arena = ARENA_INIT;
    struct buf out = BUF_INIT(64 * 1024);
    const struct resp_value *replies[CHECK_DATABASES_MAX + 1];
    int numbers[CHECK_DATABASES_MAX];
    size_t count = check_target_databases(run, numbers), used = 0;
    char lacking[120] = "", refusal[160] = "";
    bool ok = true;

    for (size_t i = 0; ok && i <= count; i++) { /* the last one back to 0 */
        char text[12];

        snprintf(text, sizeof(text), "%d", i < count ? numbers[i] : 0);
        ok = resp_put_words(&out, err, "SELECT", text, NULL);
    }
    ok = ok &&
         check_pipeline(run, &run->destination, buf_str(&out), count + 1, &arena, replies, err);
    for (size_t i = 0; ok && i < count; i++) {
        if (check_is_refused(replies[i]))
            check_show(replies[i], refusal);
        else if (!resp_value_is(replies[i], "OK") && used < sizeof(lacking) - 12)
            used += (size_t)snprintf(lacking + used, sizeof(lacking) - used, "%s%d",
                                     used ? ", " : "", numbers[i]);
    }
    buf_done(&out);
    arena_done(&arena);
    if (!ok)
        return false;
    if (used) {
        check_observed(ret, "not there: %s", lacking);
        return check_fail(ret, "The destination does not have database %s", lacking);
    }
    if (refusal[0]) {
        check_observed(ret, "%s", refusal);
        return check_skip(ret, "The account may not SELECT: see dst.permission");
    }
    if (run->map_all && !run->source.info.has_keyspace) {
        check_remedy(ret, "ACL SETUSER %s +info, or name the databases in objects.databases",
                     check_user(&run->source));
        return check_warn(ret, "The source does not tell which databases it has (INFO)");
    }
    if (run->map_all && run->destination.configured_databases != REDIS_INFO_UNKNOWN &&
        run->destination.configured_databases < run->source.configured_databases)
        return check_pass(ret,
                          "Every database with keys exists; the source could use %" PRId64
                          ", the destination has %" PRId64,
                          run->source.configured_databases, run->destination.configured_databases);
    return check_pass(ret, "Every database exists on the destination");
}

/* One small value per encoding that servers from 7.0 on write, without the footer; and those of
 * before. */
static const struct {
    const char *name;
    uint32_t since, until; /* source versions that write it; 0 = no end */
    struct str payload;    /* type byte and value */
} samples[] = {
    {"a set of integers", 0, 0, {"\x0b\x0a\x02\0\0\0\x01\0\0\0\x07\0", 12}},
    {"a list", 70000, 0, {"\x12\x01\x02\x0a\x0a\0\0\0\x01\0\x81\x61\x02\xff", 14}},
    {"a hash", 70000, 0, {"\x10\x0d\x0d\0\0\0\x02\0\x81\x66\x02\x81\x76\x02\xff", 15}},
    {"a sorted set", 70000, 0, {"\x11\x0c\x0c\0\0\0\x02\0\x81\x6d\x02\x01\x01\xff", 14}},
    {"a set", 70200, 0, {"\x14\x0a\x0a\0\0\0\x01\0\x81\x61\x02\xff", 12}},
    {"a list", 0, 70000, {"\x0e\x01\x0e\x0e\0\0\0\x0a\0\0\0\x01\0\0\x01\x61\xff", 17}},
    {"a hash", 0, 70000, {"\x0d\x11\x11\0\0\0\x0d\0\0\0\x02\0\0\x01\x66\x03\x01\x76\xff", 19}},
};

/* The footer version of the destination's own payloads; 0 with *ret_reply when it does not
 * give one. */
static bool footer_version(struct check_run *run, struct arena *arena, uint16_t *ret_version,
                           const struct resp_value **ret_reply, struct err *err) {
    const struct resp_value *ignored;
    struct rdb_payload payload;

    *ret_version = 0;
    if (!check_ask(run, &run->destination, arena, ret_reply, err, "SET", run->probe_key, "1", "PX",
                   CHECK_PROBE_TTL))
        return false;
    if (!resp_value_is(*ret_reply, "OK"))
        return true;
    run->destination.probe_keys++;
    if (!check_ask(run, &run->destination, arena, ret_reply, err, "DUMP", run->probe_key) ||
        !check_ask(run, &run->destination, arena, &ignored, err, "DEL", run->probe_key))
        return false;
    if ((*ret_reply)->type != RESP_BULK)
        return true;
    if (!rdb_payload_parse((*ret_reply)->str, &payload, err))
        return err_wrap(err, "the destination's own DUMP");
    *ret_version = payload.version;
    return true;
}

/* The sample in the form that the copy would give it. */
static bool put_restore(struct buf *out, struct str key, struct str sample,
                        const struct rdb_destination *to, uint16_t version, struct err *err) {
    enum { PAYLOAD_MAX = 256 };
    uint8_t type = (uint8_t)sample.ptr[0];
    struct rdb_accept accept = rdb_accept(to, RDB_REDIS, type);
    struct buf payload = BUF_INIT(PAYLOAD_MAX);
    struct rdb_transcoder transcoder;
    struct rdb_transcoded done = {.type = type};
    char footer[RDB_PAYLOAD_FOOTER];
    bool ok;

    rdb_transcoder_init(&transcoder, RDB_REDIS, to->vendor, PAYLOAD_MAX);
    if (accept.way == RDB_WAY_TRANSCODE)
        ok = rdb_transcode(&transcoder, type, str_skip(sample, 1), accept.type, &payload, &done,
                           err);
    else
        ok = buf_append(&payload, str_skip(sample, 1), err);
    if (ok)
        rdb_payload_footer(done.type, buf_str(&payload), version, footer);
    ok = ok && resp_put_array(out, 4, err) && resp_put_literal(out, "RESTORE", err) &&
         resp_put_bulk(out, key, err) && resp_put_literal(out, CHECK_PROBE_TTL, err) &&
         buf_printf(out, err, "$%zu\r\n%c", payload.len + RDB_PAYLOAD_EXTRA, done.type) &&
         buf_append(out, buf_str(&payload), err) &&
         buf_append(out, str_of(footer, sizeof(footer)), err) &&
         buf_append(out, STR_LIT("\r\n"), err);
    rdb_transcoder_done(&transcoder);
    buf_done(&payload);
    return ok;
}

static struct rdb_destination destination_of(const struct redis_info *info, uint16_t footer) {
    struct rdb_destination to = {
        .vendor = info->product == REDIS_PRODUCT_VALKEY ? RDB_VALKEY : RDB_REDIS,
        .version = info->version_number,
    };

    if (to.version == 0)
        (void)!rdb_destination_of_footer(footer, &to);
    return to;
}

static bool is_written_by(size_t sample, const struct redis_info *source) {
    uint32_t version = redis_version(source);

    return version >= samples[sample].since &&
           (samples[sample].until == 0 || version < samples[sample].until);
}

bool check_dst_payload_compat(struct check_run *run, struct check_finding *ret, struct err *err) {
    struct arena arena = ARENA_INIT;
    struct buf out = BUF_INIT(64 * 1024);
    const struct resp_value *replies[2 * LENGTH_OF(samples)], *reply = NULL;
    const char *asked[LENGTH_OF(samples)], *refused = NULL;
    struct rdb_destination to;
    size_t count = 0;
    uint16_t version = 0;
    char shown[160] = "";
    bool ok;

    if (!run->may_write)
        return check_skip(ret, "probe is read_only: nothing is written to try it");
    ok = footer_version(run, &arena, &version, &reply, err);
    to = destination_of(&run->destination.info, version);
    for (size_t i = 0; ok && version && i < LENGTH_OF(samples); i++) {
        if (!is_written_by(i, &run->source.info))
            continue;
        ok = put_restore(&out, str_from(run->probe_key), samples[i].payload, &to, version, err) &&
             resp_put_words(&out, err, "DEL", run->probe_key, NULL);
        asked[count++] = samples[i].name;
    }
    ok = ok && (!count || check_pipeline(run, &run->destination, buf_str(&out), 2 * count, &arena,
                                         replies, err));
    for (size_t i = 0; ok && i < count && !refused; i++) {
        reply = replies[2 * i];
        if (!resp_value_is(reply, "OK"))
            refused = asked[i];
        else
            run->destination.probe_keys++;
    }
    if (ok && (refused || !version))
        check_show(reply, shown);
    if (ok && !version)
        check_skip(ret, "The probe key could not be written and read back: %s", shown);
    else if (ok && refused && check_is_refused(reply))
        check_skip(ret, "The account may not RESTORE: see dst.permission");
    else if (ok && refused) {
        check_observed(ret, "%s", shown);
        check_fail(ret, "The destination does not read %s in the form it should: %s", refused,
                   shown);
    } else if (ok) {
        check_observed(ret, "payload version %u", version);
        check_pass(ret, "%zu encodings of the source were restored and removed", count);
    }
    buf_done(&out);
    arena_done(&arena);
    return ok;
}
