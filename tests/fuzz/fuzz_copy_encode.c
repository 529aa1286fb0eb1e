/* Any bytes are a snapshot for any destination. What becomes of its records are whole
 * commands, as many as the unit counts; a value in pieces comes to its end, and names its
 * temporary key from the first command to the last.
 *
 *     destination and switches, 1 | snapshot
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/rdb/rdb_parser.h"
#include "proto/resp/resp_command.h"
#include "services/flow/copy_encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DESTINATIONS = 7, HELD = 8, PIECES = 16, BY_COMMANDS = 32, HINTS = 64, SMALL_BULK = 128 };
enum { UNIT_MAX = 64 << 20, COMMANDS_MAX = 1 << 20 };

static const struct {
    enum rdb_vendor vendor;
    uint32_t major, minor;
} destinations[DESTINATIONS + 1] = {
    {RDB_REDIS, 2, 8}, {RDB_REDIS, 4, 0},  {RDB_REDIS, 6, 0},  {RDB_REDIS, 7, 0},
    {RDB_REDIS, 8, 0}, {RDB_REDIS, 8, 10}, {RDB_VALKEY, 8, 1}, {RDB_VALKEY, 9, 1},
};

static void must(bool ok) {
    if (!ok)
        abort();
}

/* The unit holds as many whole commands as it says. */
static void is_whole(const struct unit *unit) {
    struct buf all = BUF_INIT(UNIT_MAX);
    struct resp_scan scan = RESP_SCAN_INIT;
    struct err err = ERR_INIT;
    struct str rest;

    for (uint32_t i = 0; i < unit->piece_count; i++)
        must(buf_append(&all, unit_piece_str(unit, i), &err));
    must(all.len == unit->bytes);
    rest = buf_str(&all);
    for (uint32_t i = 0; i < unit->commands; i++) {
        struct resp_command command;

        must(resp_command_scan(&scan, rest, &command, &err) == RESP_GOT);
        rest = str_skip(rest, command.raw.len);
    }
    must(rest.len == 0);
    buf_done(&all);
}

static bool put(struct copy_encoder *e, const struct rdb_event *ev, struct unit *unit) {
    struct err err = ERR_INIT;
    bool ok = copy_encoder_put(e, ev, (int)(ev->key.db % 16), unit, &err);

    for (int turn = 0; ok && copy_encoder_in_pieces(e); turn++) {
        must(turn < COMMANDS_MAX);
        is_whole(unit);
        must(copy_encoder_passed(e) <= ev->key.value.len);
        if (turn % 3 == 2)
            unit_clear(unit, 0);
        ok = copy_encoder_fill(e, turn % 2 ? 1 : 4096, unit, &err);
    }
    must(ok == (err.code == ERR_NONE));
    return ok;
}

/* Made once: it takes longer than all the rest. */
static uint32_t *tags_of_slots(void) {
    static uint32_t tags[COPY_TEMPORARY_SLOTS];

    if (tags[0] == tags[1])
        copy_temporary_tags(tags);
    return tags;
}

static void copy(uint8_t flags, struct str snapshot) {
    unsigned to = flags & DESTINATIONS;
    struct task_spec *spec = calloc(1, sizeof(*spec));
    struct command_target target = command_target(
        destinations[to].vendor == RDB_VALKEY,
        destinations[to].major << 16 | destinations[to].minor << 8, 11, flags & HELD);
    struct copy_writing how = {
        .target = &target,
        .spec = spec,
        .destination = {.vendor = destinations[to].vendor,
                        .version = destinations[to].major * 10000 + destinations[to].minor * 100,
                        .held = flags & HELD},
        .bulk_max = flags & SMALL_BULK ? 64 : 1 << 20,
        .piece_min = flags & PIECES ? 4 : 1 << 20,
        .keeps_idle = flags & HINTS,
        .keeps_freq = flags & HINTS,
    };
    struct rdb_templates templates;
    struct copy_encoder e;
    struct rdb_parser parser;
    struct rdb_event ev;
    struct unit unit;
    struct err err = ERR_INIT;
    bool ok = true;

    must(spec != NULL);
    snprintf(spec->job, sizeof(spec->job), "job_X");
    rdb_templates_init(&templates, 1 << 12);
    copy_encoder_init(&e, &how);
    e.pieces.tags = tags_of_slots();
    unit_init(&unit, UNIT_MAX / 2);
    unit_clear(&unit, 0);
    rdb_parser_init(&parser);
    rdb_parser_use_templates(&parser, &templates);
    while (ok &&
           rdb_parser_next(&parser, str_skip(snapshot, parser.offset), &ev, &err) == RDB_EVENT) {
        if (ev.kind == RDB_EV_VERSION)
            copy_encoder_set_source(&e, ev.version.vendor, &templates);
        else if (ev.kind == RDB_EV_HASH_TEMPLATE)
            ok = rdb_templates_add(&templates, ev.hash_template.id, ev.hash_template.count,
                                   ev.hash_template.fields, &err);
        else if (ev.kind == RDB_EV_KEY) {
            e.by_commands = flags & BY_COMMANDS;
            ok = put(&e, &ev, &unit);
        }
        if (ev.kind == RDB_EV_EOF)
            break;
    }
    if (ok) {
        must(copy_encoder_flush(&e, &unit, &err));
        is_whole(&unit);
    }
    e.pieces.tags = NULL;
    copy_encoder_done(&e);
    unit_done(&unit);
    rdb_templates_done(&templates);
    free(spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size >= 1)
        copy(data[0], str_of(data + 1, size - 1));
    return 0;
}
