/* stream_story.h - a stream of commands in words, and the unit it becomes in words again.
 * Included by the tests of services/flow/stream_*.c, which each have one story at a time.
 */
#pragma once

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "services/flow/stream_units.h"
#include "tests/support/cunit_run.h"

static struct applier *a;
static struct stream_units s;
static struct stream_unit out;
static struct err err;

static inline uint64_t received(void *ctx, uint64_t offset) {
    (void)ctx;
    return 1700000000000 + offset;
}

/* All databases one to one, a 7.0 that holds expiries, positions from offset 1. */
static inline void begin(void) {
    a = calloc(1, sizeof(*a));
    snprintf(a->spec.job, sizeof(a->spec.job), "job_X");
    snprintf(a->spec.heartbeat_prefix, sizeof(a->spec.heartbeat_prefix), "BEAT");
    a->spec.map_all = true;
    a->spec.incremental = true;
    a->spec.transaction_bytes = TASK_TRANSACTION_BYTES;
    memset(a->database_ok, 0xff, 2); /* databases 0 to 15 */
    a->target = command_target(false, 7 << 16, 10, true);
    stream_unit_init(&out, 1 << 20, a);
    stream_units_init(&s, a, 1, 0);
    s.received = received;
    err_clear(&err);
}

static inline void end(void) {
    stream_unit_done(&out);
    task_objects_done(&a->spec.objects);
    free(a);
}

/* "1:5 2:6": source 1 into 5, 2 into 6, nothing else. */
static inline void map_databases(const char *pairs) {
    a->spec.map_all = false;
    memset(a->spec.database_map, 0xff, sizeof(a->spec.database_map));
    a->spec.lowest_database = TASK_DATABASES_MAX;
    for (const char *at = pairs; at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL) {
        int from = atoi(at), to = atoi(strchr(at, ':') + 1);

        a->spec.database_map[from] = (int16_t)to;
        if (to < a->spec.lowest_database)
            a->spec.lowest_database = to;
    }
    stream_unit_clear(&out, a);
    stream_units_init(&s, a, 1, 0);
    s.received = received;
}

/* As the first message has it; `databases` and `policies` as JSON. */
static inline void choose(const char *objects) {
    json_t *spec = json_loads(objects, 0, NULL);

    CU_ASSERT_TRUE_FATAL(task_objects_parse(spec, &a->spec.objects, &err));
    json_decref(spec);
    stream_units_init(&s, a, 1, 0);
    s.received = received;
}

/* "SET a 1|SELECT 2" as the stream has it. */
static inline struct str stream_of(const char *commands) {
    static char text[8192];
    char copy[1024];
    size_t len = 0;
    char *rest = copy, *line;

    snprintf(copy, sizeof(copy), "%s", commands);
    while ((line = strsep(&rest, "|"))) {
        char words[8][128];
        int n = 0;
        char *word;

        while ((word = strsep(&line, " ")))
            snprintf(words[n++], sizeof(words[0]), "%s", word);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "*%d\r\n", n);
        for (int i = 0; i < n; i++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "$%zu\r\n%s\r\n",
                                    strlen(words[i]), words[i]);
    }
    return str_of(text, len);
}

/* The unit as "SET a 1|SELECT 2" again. */
static inline const char *shown(void) {
    static char text[8192];
    static char raw[8192];
    size_t len = 0, raw_len = 0;
    struct resp_scan scan = RESP_SCAN_INIT;
    struct str rest;

    for (uint32_t i = 0; i < out.unit.piece_count; i++) {
        struct str piece = unit_piece_str(&out.unit, i);

        memcpy(raw + raw_len, piece.ptr, piece.len);
        raw_len += piece.len;
    }
    CU_ASSERT_EQUAL(raw_len, out.unit.bytes);
    rest = str_of(raw, raw_len);
    text[0] = '\0';
    while (rest.len > 0) {
        struct resp_command command;

        if (resp_command_scan(&scan, rest, &command, &err) != RESP_GOT)
            return "broken";
        for (uint32_t i = 0; i < command.argc; i++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s" STR_FMT,
                                    i > 0     ? " "
                                    : len > 0 ? "|"
                                              : "",
                                    STR_ARG(command.argv[i]));
        rest = str_skip(rest, command.raw.len);
    }
    return text;
}

/* With KEEP for the script that keeps what a flush must not take along. */
static inline const char *shown_short(void) {
    static char text[8192];
    const char *rest = shown(), *script;
    size_t len = 0;

    while ((script = strstr(rest, "EVAL local n,s,call="))) {
        const char *behind = strstr(script, " return 1 0 ");

        CU_ASSERT_PTR_NOT_NULL_FATAL(behind);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*sKEEP ", (int)(script - rest),
                                rest);
        rest = behind + strlen(" return 1 0 ");
    }
    snprintf(text + len, sizeof(text) - len, "%s", rest);
    return text;
}

static inline bool take(struct str bytes) {
    return stream_units_take(&s, bytes, &out, &err);
}

#define TAKES(commands, expected)                                                                  \
    do {                                                                                           \
        struct str bytes = stream_of(commands);                                                    \
        begin();                                                                                   \
        CU_ASSERT_TRUE(take(bytes));                                                               \
        CU_ASSERT_STRING_EQUAL(shown_short(), expected);                                           \
        CU_ASSERT_EQUAL(out.next, 1 + bytes.len);                                                  \
        end();                                                                                     \
    } while (0)
