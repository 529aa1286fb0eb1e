/* A heartbeat is found in the stream wherever it was cut, and says where the source is. */
#include <stdlib.h>
#include <string.h>

#include "services/flow/receiver.h"
#include "tests/support/cunit_run.h"

#define BEAT "1763640000123.456"
#define STREAM                                                                                     \
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$16\r\n1763640000123.45\r\n*4\r\n$6\r\nPSETEX\r\n$1\r\nh\r\n"   \
    "$5\r\n10000\r\n$17\r\n" BEAT "\r\n*1\r\n$4\r\nPING\r\n"

/* What the receiver knows when `stream` came in pieces of `step` bytes, the marker having been
 * sent before byte `sent`. */
static uint64_t found(size_t step, size_t sent, bool drain, uint64_t *ret_drain) {
    static struct control_block control;
    struct receiver *r = calloc(1, sizeof(*r));
    struct str stream = STR_LIT(STREAM);
    struct err err = ERR_INIT;
    uint64_t end;

    memset(&control, 0, sizeof(control));
    r->control = &control;
    r->apply_bell = -1;
    r->stream.end = 1000;
    r->spec.heartbeat = true;
    for (size_t at = 0; at < stream.len; at += step) {
        struct str piece = str_first(str_skip(stream, at), step);

        if (sent >= at && sent < at + step) {
            if (drain)
                CU_ASSERT_TRUE(receive_marker_drain(r, &err));
            memcpy(r->side.beat, BEAT, sizeof(BEAT));
            r->side.beats++;
            receive_marker_sent(r);
        }
        r->stream.end += piece.len;
        receive_marker_look(r, piece);
    }
    end = atomic_load(&control.source_offset);
    *ret_drain = atomic_load(&control.drain_offset);
    free(r);
    return end;
}

static void the_marker_is_found_however_the_stream_is_cut(void) {
    const uint64_t end = 1000 + (uint64_t)(strstr(STREAM, BEAT) - STREAM) + strlen(BEAT);
    uint64_t drain;

    for (size_t step = 1; step <= strlen(STREAM); step++) {
        CU_ASSERT_EQUAL(found(step, 0, false, &drain), end);
        CU_ASSERT_EQUAL(drain, 0);
        CU_ASSERT_EQUAL(found(step, 0, true, &drain), end);
        CU_ASSERT_EQUAL(drain, end);
    }
}

static void what_came_before_it_was_sent_does_not_count(void) {
    uint64_t drain;

    CU_ASSERT_EQUAL(found(1, strlen(STREAM) - 3, true, &drain), 0);
    CU_ASSERT_EQUAL(drain, 0);
}

static void without_heartbeats_a_drain_has_no_end(void) {
    struct receiver *r = calloc(1, sizeof(*r));
    struct err err = ERR_INIT;

    CU_ASSERT_FALSE(receive_marker_drain(r, &err));
    CU_ASSERT_EQUAL(err.code, ERR_SOURCE_NOPERM);
    free(r);
}

static void a_history_by_sync_has_a_name_of_its_own(void) {
    struct receiver *r = calloc(1, sizeof(*r));
    struct redis_info now = {.run_id = "abcdef0123456789abcdef0123456789abcdef01"};
    struct repl_position at;
    char name[41];

    r->source = now;
    at = receive_sync_history(r);
    CU_ASSERT_EQUAL(strlen(at.replid), 40);
    CU_ASSERT_TRUE(receive_is_sync_history(at.replid));
    CU_ASSERT_FALSE(receive_is_sync_history(now.run_id));
    memcpy(r->meta.replid, at.replid, 41);
    receive_history_name(r, &now, name);
    CU_ASSERT_STRING_EQUAL(name, at.replid);
    now.run_id[0] = 'b';
    receive_history_name(r, &now, name);
    CU_ASSERT_STRING_NOT_EQUAL(name, at.replid);
    now.run_id[0] = '\0';
    receive_history_name(r, &now, name);
    CU_ASSERT_STRING_EQUAL(name, "");
    free(r);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(the_marker_is_found_however_the_stream_is_cut),
    CUNIT_TEST(what_came_before_it_was_sent_does_not_count),
    CUNIT_TEST(without_heartbeats_a_drain_has_no_end),
    CUNIT_TEST(a_history_by_sync_has_a_name_of_its_own),
};
CUNIT_MAIN("stream_marker", tests)
