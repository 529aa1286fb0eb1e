#include <stdlib.h>

#include "proto/crc/crc64.h"
#include "services/flow/stream_parts.h"

void stream_count(struct stream_unit *out, enum command_id id, enum stream_counter counter) {
    uint32_t *counts = out->counts[id];

    if (counts[STREAM_APPLIED] + counts[STREAM_SKIPPED] + counts[STREAM_REJECTED] == 0)
        out->touched[out->touched_count++] = (uint16_t)id;
    counts[counter]++;
}

/* A command that nobody knows: its first argument might be its key, or not. */
static bool key_of(const struct resp_command *command, const struct command_row *row,
                   struct str *ret_key) {
    return row && command_first_key(command, row, ret_key);
}

bool stream_reject(struct stream_units *s, const struct resp_command *command,
                   const struct command_decision *d, enum stream_reason reason,
                   struct stream_unit *out, struct err *err) {
    enum command_id id = d->row ? d->row->id : COMMAND_NONE;
    struct stream_reject *item;
    struct str key;

    stream_count(out, id, STREAM_REJECTED);
    out->rejected++;
    if (out->reject_count == STREAM_REJECTS_MAX)
        return true; /* counted, and no more: the list is bounded */
    item = &out->rejects[out->reject_count];
    *item = (struct stream_reject){.offset = s->command_at,
                                   .source_db = s->source_db,
                                   .reason = reason,
                                   .at = out->reject_bytes.len};
    if (d->row)
        str_escape(str_from(d->row->name), item->name, sizeof(item->name));
    else
        str_escape(command->argv[0], item->name, sizeof(item->name));
    if (key_of(command, d->row, &key)) {
        item->has_key = true;
        item->key_hash = crc64_update(0, key.ptr, key.len);
    }
    if (command->raw.len <= STREAM_REJECT_BYTES_MAX) {
        if (!buf_append(&out->reject_bytes, command->raw, err))
            return false;
        item->len = command->raw.len;
    }
    out->reject_count++;
    return true;
}

const char *stream_reason_name(enum stream_reason reason) {
    static const char *const names[] = {"unknown_command", "lua_policy", "flush_policy"};

    return names[reason];
}

bool stream_script_policy(struct stream_units *s, const struct resp_command *command,
                          const struct command_decision *d, struct stream_unit *out,
                          struct err *err) {
    if (s->a->spec.objects.lua == TASK_SKIP_IT)
        return stream_reject(s, command, d, STREAM_REJECT_LUA, out, err);
    return err_set(err, ERR_COMMAND_REFUSED,
                   "the stream holds %s, and the job's lua_policy is fail", d->row->name);
}

bool stream_publish(struct stream_units *s, const struct resp_command *command,
                    const struct command_decision *d, struct stream_unit *out, struct err *err) {
    /* Shard channels came with 7.0, as ENTRIESREAD did. */
    bool wanted = s->a->spec.objects.publish &&
                  (d->row->id == COMMAND_PUBLISH || s->a->target.has_entriesread);

    stream_count(out, d->row->id, wanted ? STREAM_APPLIED : STREAM_SKIPPED);
    if (!wanted) {
        out->skipped++;
        return true;
    }
    out->commands++;
    return stream_forward(s, command->raw, out, err);
}
