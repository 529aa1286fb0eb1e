#include <stdio.h>

#include "services/common/log.h"
#include "services/flow/import_file.h"
#include "services/flow/receiver.h"

enum { SHOW_BYTES = 4 * 1024 * 1024 };

struct file_reading {
    struct receiver *r;
    struct import_file file;
    struct import_facts facts;
    struct err err; /* why `go_on` said no, when it was not because it is over */
};

static bool go_on(void *arg) {
    struct file_reading *f = arg;

    return !receive_over(f->r) && receive_turn(f->r, &f->err);
}

/* The whole file is read before anything of it is copied: one that is cut short, as it
 * is while somebody still uploads it, must not be found out in the middle. */
static bool check(struct file_reading *f, struct err *err) {
    struct receiver *r = f->r;
    uint64_t keys = 0;

    if (!import_file_check(&f->file, go_on, f, &f->facts, err))
        return err_wrap(err, "%s", r->spec.source.label);
    if (f->err.code != ERR_NONE) {
        *err = f->err;
        return false;
    }
    for (int db = 0; db < TASK_DATABASES_MAX; db++)
        if (!r->spec.objects.prefixes && (r->spec.map_all || r->spec.database_map[db] >= 0))
            keys += f->facts.keys_of[db];
    atomic_store_explicit(&r->control->source_keys, keys, memory_order_relaxed);
    r->source.product = f->facts.vendor == RDB_VALKEY ? REDIS_PRODUCT_VALKEY : REDIS_PRODUCT_REDIS;
    snprintf(r->source.version, sizeof(r->source.version), "%s", f->facts.server_version);
    return receive_say_source(r, err);
}

static bool copy_some(struct file_reading *f, struct err *err) {
    struct receiver *r = f->r;
    uint64_t left = f->facts.bytes - r->snapshot.end;
    size_t n;

    if (!import_file_read(&f->file, r->snapshot.end, r->buffer,
                          left < RECEIVER_BUFFER_BYTES ? (size_t)left : RECEIVER_BUFFER_BYTES, &n,
                          err))
        return false;
    if (n == 0)
        return import_file_unchanged(&f->file, err) &&
               err_set(err, ERR_SOURCE_FILE, "the file ends before its own end");
    return receive_append(r, str_of(r->buffer, n), err) &&
           (r->snapshot.end - r->mark.end < SHOW_BYTES || receive_show(r, err));
}

static bool copy(struct file_reading *f, struct err *err) {
    struct receiver *r = f->r;
    bool resumed;

    if (!receive_go_on(r, f->file.identity, &resumed, err))
        return false;
    log_event(LOG_LEVEL_INFO, resumed ? "receive.file-goes-on" : "receive.file-begins",
              LOG_INT("generation", r->meta.generation), LOG_INT("offset", r->mark.end),
              LOG_INT("bytes", f->facts.bytes));
    atomic_store_explicit(&r->control->snapshot_bytes_total, f->facts.bytes, memory_order_relaxed);
    atomic_store_explicit(&r->control->link, CONTROL_LINK_SNAPSHOT, memory_order_relaxed);
    while (!receive_over(r) && r->snapshot.end < f->facts.bytes) {
        if (!receive_turn(r, err))
            return false;
        if (!receive_has_room(r) && r->mark.end < r->snapshot.end) {
            if (!receive_show(r, err)) /* it may be the rest of a value */
                return false;
        } else if (!receive_has_room(r))
            receive_sleep(r, INT64_MAX);
        else if (!copy_some(f, err))
            return false;
    }
    if (receive_over(r))
        return true;
    return import_file_unchanged(&f->file, err) && receive_end(r, err);
}

bool receive_file(struct receiver *r, struct err *err) {
    struct file_reading f = {.r = r, .file = IMPORT_FILE_INIT, .err = ERR_INIT};
    bool ok = import_file_open(r->spec.import_dir, r->spec.source.file, &f.file, err) &&
              check(&f, err) && (receive_over(r) || copy(&f, err));

    import_file_close(&f.file);
    return ok;
}
