#include "services/flow/durable.h"

#include <string.h>

/* What INFO says of keeping; -1 = it does not. */
struct keeping {
    int64_t offset, replicas, replica_offset; /* the last is of the one that is furthest behind */
    int64_t aof, pending_fsync;
    int64_t last_save, save_took, server_us;
    bool is_save_ok, is_aof_ok;
};

static int64_t number_of(struct str text) {
    uint64_t value;

    return str_parse_u64(text, &value) && value <= INT64_MAX ? (int64_t)value : -1;
}

/* slave0:ip=…,port=…,state=online,offset=123,lag=0 */
static void take_replica(struct keeping *k, struct str value) {
    struct str rest = value, part;
    int64_t offset = -1;

    while (str_cut(&rest, ',', &part)) {
        if (str_starts_with(part, STR_LIT("offset=")))
            offset = number_of(str_skip(part, 7));
    }
    if (k->replica_offset < 0 || offset < k->replica_offset)
        k->replica_offset = offset > 0 ? offset : 0;
}

static bool is_replica(struct str name) {
    struct str number = str_skip(name, 5);

    return str_starts_with(name, STR_LIT("slave")) && number.len > 0 && number_of(number) >= 0;
}

static struct keeping read_info(struct str info) {
    struct keeping k = {-1, -1, -1, -1, -1, -1, -1, -1, true, true};
    const struct {
        const char *name;
        int64_t *into;
    } numbers[] = {
        {"master_repl_offset", &k.offset},
        {"connected_slaves", &k.replicas},
        {"aof_enabled", &k.aof},
        {"aof_pending_bio_fsync", &k.pending_fsync},
        {"rdb_last_save_time", &k.last_save},
        {"rdb_last_bgsave_time_sec", &k.save_took},
        {"server_time_usec", &k.server_us},
    };
    struct str line;

    while (str_cut(&info, '\n', &line)) {
        struct str value = line, name;

        if (value.len > 0 && value.ptr[value.len - 1] == '\r')
            value.len--;
        if (!memchr(value.ptr, ':', value.len) || !str_cut(&value, ':', &name))
            continue;
        for (size_t i = 0; i < LENGTH_OF(numbers); i++) {
            if (str_equal(name, str_from(numbers[i].name)))
                *numbers[i].into = number_of(value);
        }
        if (is_replica(name))
            take_replica(&k, value);
        else if (str_equal(name, STR_LIT("rdb_last_bgsave_status")))
            k.is_save_ok = str_equal(value, STR_LIT("ok"));
        else if (str_equal(name, STR_LIT("aof_last_write_status")))
            k.is_aof_ok = str_equal(value, STR_LIT("ok"));
    }
    return k;
}

static bool is_kept(const struct durable_sample *s, const struct keeping *now, int64_t now_ms) {
    if (now_ms - s->at_ms >= DURABLE_AGE_MS)
        return true;
    if (now->replicas > 0)
        return s->offset >= 0 && now->replica_offset >= s->offset;
    if (now->aof == 1)
        return now->is_aof_ok && now->pending_fsync <= 0 && now_ms - s->at_ms >= DURABLE_FSYNC_MS;
    /* The time is of the end of a save; what it holds is of its beginning. */
    return now->is_save_ok && now->last_save > 0 && s->server_us > 0 &&
           (now->last_save - (now->save_took > 0 ? now->save_took : 0) - 1) * 1000000 >
               s->server_us;
}

uint64_t durable_note(struct durable *d, struct str info, uint64_t applied, int64_t now_ms) {
    struct keeping now = read_info(info);
    uint32_t kept = 0;

    while (d->count > 0 && d->samples[d->count - 1].applied > applied)
        d->count--;
    if (d->durable > applied)
        d->durable = applied;
    for (uint32_t i = 0; i < d->count; i++) {
        if (is_kept(&d->samples[i], &now, now_ms)) {
            d->durable = d->samples[i].applied;
            kept = i + 1;
        }
    }
    d->count -= kept;
    memmove(d->samples, d->samples + kept, d->count * sizeof(d->samples[0]));
    /* Full: the newest waits for the next look. */
    if (d->count < DURABLE_SAMPLES && applied > d->durable &&
        (d->count == 0 || d->samples[d->count - 1].applied < applied))
        d->samples[d->count++] =
            (struct durable_sample){.applied = applied,
                                    .offset = now.offset,
                                    .at_ms = now_ms,
                                    .server_us = now.server_us > 0 ? now.server_us : 0};
    return d->durable;
}
