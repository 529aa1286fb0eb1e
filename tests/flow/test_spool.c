/* The spool: what one process writes, another reads, whatever was killed between. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/flow/reading_mark.h"
#include "services/flow/spool_meta.h"
#include "services/flow/spool_reader.h"
#include "services/flow/spool_writer.h"
#include "tests/support/cunit_run.h"

static char dir_name[64];
static int dir_fd = -1;
static struct err err;

static void fresh_dir(void) {
    snprintf(dir_name, sizeof(dir_name), "/tmp/kf-spool-XXXXXX");
    if (!mkdtemp(dir_name))
        abort();
    dir_fd = open(dir_name, O_RDONLY | O_DIRECTORY);
    err_clear(&err);
}

static void remove_dir(void) {
    char command[128];

    close(dir_fd);
    snprintf(command, sizeof(command), "rm -rf %s", dir_name);
    CU_ASSERT_EQUAL(system(command), 0); /* NOLINT(cert-env33-c): a test's own directory */
}

/* The byte that stands at an offset in every test's log. */
static char byte_at(uint64_t offset) {
    return (char)(offset * 2654435761u >> 13);
}

static void append(struct spool_writer *w, size_t len) {
    char *bytes = malloc(len);

    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_at(w->end + i);
    CU_ASSERT_TRUE(spool_writer_append(w, str_of(bytes, len), 1000 + w->end, &err));
    free(bytes);
}

static bool view_is_right(struct str view, uint64_t from) {
    for (size_t i = 0; i < view.len; i++) {
        if (view.ptr[i] != byte_at(from + i))
            return false;
    }
    return true;
}

static void what_is_written_is_read_across_segments(void) {
    struct spool_writer w = SPOOL_WRITER_INIT;
    struct spool_reader r = SPOOL_READER_INIT;
    uint64_t start = SPOOL_SEGMENT_BYTES - 1000;
    struct str view;

    fresh_dir();
    CU_ASSERT_TRUE(spool_writer_open(&w, dir_fd, "stream", &err));
    CU_ASSERT_TRUE(spool_writer_reset(&w, start, &err));
    CU_ASSERT_TRUE(spool_reader_open(&r, dir_fd, "stream", start, &err));
    for (int i = 0; i < 50; i++) {
        append(&w, (size_t)(i * 37 + 1));
        CU_ASSERT_TRUE(spool_reader_view(&r, start, w.end, &view, &err));
        CU_ASSERT_EQUAL(view.len, w.end - start);
    }
    CU_ASSERT_TRUE(w.end > SPOOL_SEGMENT_BYTES);
    CU_ASSERT_TRUE(view_is_right(view, start));
    append(&w, 2 * SPOOL_SEGMENT_BYTES + 7);
    CU_ASSERT_TRUE(spool_reader_view(&r, start, w.end, &view, &err));
    CU_ASSERT_TRUE(view_is_right(view, start));
    CU_ASSERT_EQUAL(spool_reader_received_ms(&r, start + 1), 1000 + start);
    spool_reader_release(&r, w.end);
    CU_ASSERT_TRUE(spool_reader_view(&r, w.end - 5, w.end, &view, &err));
    CU_ASSERT_TRUE(view_is_right(view, w.end - 5));
    spool_reader_close(&r);
    spool_writer_close(&w);
    remove_dir();
}

/* A reader far behind looks at a large part at once and asks about its beginning. */
static void the_receipt_of_a_piece_is_known_however_much_came_behind_it(void) {
    enum { PIECES = 3000, BYTES = 100 };
    struct spool_writer w = SPOOL_WRITER_INIT;
    struct spool_reader r = SPOOL_READER_INIT;
    uint64_t start = SPOOL_SEGMENT_BYTES - PIECES / 2 * BYTES;
    struct str view;

    fresh_dir();
    CU_ASSERT_TRUE(spool_writer_open(&w, dir_fd, "stream", &err));
    CU_ASSERT_TRUE(spool_writer_reset(&w, start, &err));
    CU_ASSERT_TRUE(spool_reader_open(&r, dir_fd, "stream", start, &err));
    for (int i = 0; i < PIECES; i++)
        append(&w, BYTES);
    CU_ASSERT_TRUE(spool_reader_view(&r, start, w.end, &view, &err));
    for (int step = 1; step < 1000; step = step * 7 + 1) {
        for (int i = 0; i < PIECES; i += step) {
            uint64_t piece = start + (uint64_t)i * BYTES;

            CU_ASSERT_EQUAL(spool_reader_received_ms(&r, piece + 1), 1000 + piece);
            CU_ASSERT_EQUAL(spool_reader_received_ms(&r, piece + BYTES), 1000 + piece);
        }
    }
    CU_ASSERT_EQUAL(spool_reader_received_ms(&r, w.end + 1), 1000 + w.end - BYTES);
    spool_reader_close(&r);
    spool_writer_close(&w);
    remove_dir();
}

static void a_writer_goes_on_where_the_killed_one_was(void) {
    struct spool_writer w = SPOOL_WRITER_INIT;
    uint64_t end;

    fresh_dir();
    CU_ASSERT_TRUE(spool_writer_open(&w, dir_fd, "stream", &err));
    CU_ASSERT_TRUE(spool_writer_reset(&w, 4711, &err));
    for (int i = 1; i <= 20; i++) {
        append(&w, (size_t)i * 1000);
        end = w.end;
        spool_writer_close(&w); /* as kill -9 leaves it */
        w = SPOOL_WRITER_INIT;
        CU_ASSERT_TRUE(spool_writer_open(&w, dir_fd, "stream", &err));
        CU_ASSERT_EQUAL(w.start, 4711);
        CU_ASSERT_EQUAL(w.end, end);
    }
    spool_writer_close(&w);
    remove_dir();
}

/* A reader that was told of `kept` goes on with what is written in the place of the rest. */
static void what_is_cut_off_is_written_anew(void) {
    static const uint64_t kept[] = {300, 1000, SPOOL_SEGMENT_BYTES, SPOOL_SEGMENT_BYTES + 300};

    for (size_t i = 0; i < LENGTH_OF(kept); i++) {
        struct spool_writer w = SPOOL_WRITER_INIT;
        struct spool_reader r = SPOOL_READER_INIT;
        char other[] = "something else stands here now";
        struct str view;

        fresh_dir();
        CU_ASSERT_TRUE(spool_writer_open(&w, dir_fd, "snapshot", &err));
        CU_ASSERT_TRUE(spool_reader_open(&r, dir_fd, "snapshot", 0, &err));
        append(&w, 300);
        append(&w, 700);
        append(&w, SPOOL_SEGMENT_BYTES - 1000);
        append(&w, 300);
        append(&w, 2 * SPOOL_SEGMENT_BYTES + 5);
        CU_ASSERT_TRUE(spool_reader_view(&r, 0, kept[i], &view, &err));
        spool_writer_close(&w); /* as kill -9 leaves it */
        w = SPOOL_WRITER_INIT;
        CU_ASSERT_TRUE(spool_writer_open(&w, dir_fd, "snapshot", &err));
        CU_ASSERT_FALSE(spool_writer_cut(&w, kept[i] - 1, &err));
        CU_ASSERT_EQUAL(err.code, ERR_SPOOL_CORRUPT);
        CU_ASSERT_FALSE(spool_writer_cut(&w, w.end + 1, &err));
        err_clear(&err);
        CU_ASSERT_TRUE(spool_writer_cut(&w, kept[i], &err));
        CU_ASSERT_EQUAL(w.end, kept[i]);
        CU_ASSERT_TRUE(spool_writer_append(&w, str_from(other), 1, &err));
        CU_ASSERT_TRUE(spool_reader_view(&r, 0, w.end, &view, &err));
        CU_ASSERT_TRUE(view_is_right(str_first(view, (size_t)kept[i]), 0));
        CU_ASSERT_TRUE(str_equal(str_skip(view, (size_t)kept[i]), str_from(other)));
        spool_writer_close(&w);
        w = SPOOL_WRITER_INIT;
        CU_ASSERT_TRUE(spool_writer_open(&w, dir_fd, "snapshot", &err));
        CU_ASSERT_EQUAL(w.end, kept[i] + strlen(other));
        CU_ASSERT_TRUE(spool_writer_cut(&w, 0, &err));
        CU_ASSERT_EQUAL(spool_writer_bytes(&w), 0);
        spool_reader_close(&r);
        spool_writer_close(&w);
        remove_dir();
    }
}

/* Change one byte of a file of the log's first segment. */
static void damage(const char *suffix, off_t at) {
    char path[160], byte;
    int fd;

    snprintf(path, sizeof(path), "%s/stream/%020d.%s", dir_name, 0, suffix);
    fd = open(path, O_RDWR);
    CU_ASSERT_EQUAL(pread(fd, &byte, 1, at), 1);
    byte = (char)(byte ^ 0x20);
    CU_ASSERT_EQUAL(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void a_torn_tail_is_cut_off_and_written_again(void) {
    struct spool_writer w = SPOOL_WRITER_INIT;
    struct spool_reader r = SPOOL_READER_INIT;
    struct str view;

    fresh_dir();
    CU_ASSERT_TRUE(spool_writer_open(&w, dir_fd, "stream", &err));
    CU_ASSERT_TRUE(spool_writer_reset(&w, 1, &err));
    append(&w, 500);
    append(&w, 500);
    spool_writer_close(&w);
    damage("seg", 600); /* a page of the last piece never reached the disk */
    w = SPOOL_WRITER_INIT;
    CU_ASSERT_TRUE(spool_writer_open(&w, dir_fd, "stream", &err));
    CU_ASSERT_EQUAL(w.end, 501);
    append(&w, 700);
    CU_ASSERT_TRUE(spool_reader_open(&r, dir_fd, "stream", 1, &err));
    CU_ASSERT_TRUE(spool_reader_view(&r, 1, w.end, &view, &err));
    CU_ASSERT_TRUE(view_is_right(view, 1));
    spool_reader_close(&r);
    spool_writer_close(&w);
    remove_dir();
}

static void a_flipped_bit_is_never_handed_out(void) {
    for (off_t at = 1; at < 1000; at += 97) {
        struct spool_writer w = SPOOL_WRITER_INIT;
        struct spool_reader r = SPOOL_READER_INIT;
        struct str view;

        fresh_dir();
        CU_ASSERT_TRUE(spool_writer_open(&w, dir_fd, "stream", &err));
        CU_ASSERT_TRUE(spool_writer_reset(&w, 1, &err));
        append(&w, 500);
        append(&w, 500);
        damage("seg", at);
        CU_ASSERT_TRUE(spool_reader_open(&r, dir_fd, "stream", 1, &err));
        CU_ASSERT_FALSE(spool_reader_view(&r, 1, w.end, &view, &err));
        CU_ASSERT_EQUAL(err.code, ERR_SPOOL_CORRUPT);
        spool_reader_close(&r);
        spool_writer_close(&w);
        remove_dir();
    }
}

static void a_damaged_index_is_never_believed(void) {
    for (off_t at = 0; at < 2 * SPOOL_RECORD_BYTES; at++) {
        struct spool_writer w = SPOOL_WRITER_INIT;
        struct spool_reader r = SPOOL_READER_INIT;
        struct str view;

        if (at % SPOOL_RECORD_BYTES >= 24)
            continue; /* reserved bytes */
        fresh_dir();
        CU_ASSERT_TRUE(spool_writer_open(&w, dir_fd, "stream", &err));
        CU_ASSERT_TRUE(spool_writer_reset(&w, 1, &err));
        append(&w, 500);
        append(&w, 500);
        damage("idx", at);
        CU_ASSERT_FALSE(spool_reader_open(&r, dir_fd, "stream", 1, &err) &&
                        spool_reader_view(&r, 1, w.end, &view, &err));
        CU_ASSERT_EQUAL(err.code, ERR_SPOOL_CORRUPT);
        spool_reader_close(&r);
        spool_writer_close(&w);
        remove_dir();
    }
}

static void a_reader_may_begin_inside_a_piece(void) {
    struct spool_writer w = SPOOL_WRITER_INIT;

    fresh_dir();
    CU_ASSERT_TRUE(spool_writer_open(&w, dir_fd, "stream", &err));
    CU_ASSERT_TRUE(spool_writer_reset(&w, 100, &err));
    append(&w, 50);
    append(&w, 50);
    for (uint64_t from = 100; from <= 200; from++) {
        struct spool_reader r = SPOOL_READER_INIT;
        struct str view;

        CU_ASSERT_TRUE(spool_reader_open(&r, dir_fd, "stream", from, &err));
        CU_ASSERT_TRUE(spool_reader_view(&r, from, 200, &view, &err));
        CU_ASSERT_EQUAL(view.len, 200 - from);
        CU_ASSERT_TRUE(view_is_right(view, from));
        spool_reader_close(&r);
    }
    {
        struct spool_reader r = SPOOL_READER_INIT;

        CU_ASSERT_FALSE(spool_reader_open(&r, dir_fd, "stream", 99, &err));
        CU_ASSERT_EQUAL(err.code, ERR_SPOOL_CORRUPT);
        spool_reader_close(&r);
        CU_ASSERT_FALSE(spool_reader_open(&r, dir_fd, "stream", 201, &err));
        spool_reader_close(&r);
    }
    spool_writer_close(&w);
    remove_dir();
}

static void trimming_keeps_what_is_asked_for(void) {
    struct spool_writer w = SPOOL_WRITER_INIT;

    fresh_dir();
    CU_ASSERT_TRUE(spool_writer_open(&w, dir_fd, "stream", &err));
    CU_ASSERT_TRUE(spool_writer_reset(&w, 10, &err));
    append(&w, 3 * SPOOL_SEGMENT_BYTES);
    spool_writer_trim(&w, SPOOL_SEGMENT_BYTES - 1);
    CU_ASSERT_EQUAL(w.start, 10);
    spool_writer_trim(&w, 2 * SPOOL_SEGMENT_BYTES + 5);
    CU_ASSERT_EQUAL(w.start, 2 * SPOOL_SEGMENT_BYTES);
    spool_writer_close(&w);
    w = SPOOL_WRITER_INIT;
    CU_ASSERT_TRUE(spool_writer_open(&w, dir_fd, "stream", &err));
    CU_ASSERT_EQUAL(w.start, 2 * SPOOL_SEGMENT_BYTES);
    CU_ASSERT_EQUAL(w.end, 3 * (uint64_t)SPOOL_SEGMENT_BYTES + 10);
    spool_writer_close(&w);
    remove_dir();
}

static void the_meta_file_is_whole_or_none(void) {
    struct spool_meta meta = {.generation = 3, .snapshot_offset = 77, .snapshot_bytes = 5};
    struct spool_meta back;
    int fd;

    fresh_dir();
    CU_ASSERT_TRUE(spool_meta_read(dir_fd, &back, &err));
    CU_ASSERT_EQUAL(back.generation, 0);
    memset(meta.replid, 'a', 40);
    CU_ASSERT_TRUE(spool_meta_write(dir_fd, &meta, &err));
    CU_ASSERT_TRUE(spool_meta_read(dir_fd, &back, &err));
    CU_ASSERT_EQUAL(memcmp(&meta, &back, sizeof(meta)), 0);
    fd = openat(dir_fd, "meta", O_WRONLY);
    CU_ASSERT_EQUAL(ftruncate(fd, 60), 0);
    close(fd);
    CU_ASSERT_TRUE(spool_meta_read(dir_fd, &back, &err));
    CU_ASSERT_EQUAL(back.generation, 0);
    remove_dir();
}

/* The destination may be away while its source fails over more than once. */
static void a_history_is_known_by_its_former_names(void) {
    struct spool_meta meta = {.generation = 3}, back;
    char names[SPOOL_META_FORMER + 2][41] = {{0}};

    fresh_dir();
    for (int i = 0; i < SPOOL_META_FORMER + 2; i++)
        memset(names[i], 'a' + i, 40);
    memcpy(meta.replid, names[0], sizeof(meta.replid));
    for (int i = 1; i < SPOOL_META_FORMER + 2; i++) {
        spool_meta_rename(&meta, names[i]);
        CU_ASSERT_TRUE(spool_meta_write(dir_fd, &meta, &err));
        CU_ASSERT_TRUE(spool_meta_read(dir_fd, &back, &err));
        CU_ASSERT_EQUAL(memcmp(&meta, &back, sizeof(meta)), 0);
        for (int j = 0; j < SPOOL_META_FORMER + 2; j++)
            CU_ASSERT_EQUAL(spool_meta_is_history(&back, names[j]),
                            j <= i && j >= i - SPOOL_META_FORMER);
    }
    CU_ASSERT_FALSE(spool_meta_is_history(&back, ""));
    remove_dir();
}

static void a_mark_of_reading_is_whole_or_none(void) {
    struct reading_mark mark = {.generation = 3,
                                .is_composed = true,
                                .end = 1ULL << 40,
                                .db = 9,
                                .cursor = UINT64_MAX - 1,
                                .version = 80,
                                .changes = -1,
                                .last_save_sec = 1700000000},
                        back;
    char path[128];
    int fd;

    fresh_dir();
    CU_ASSERT_TRUE(reading_mark_read(dir_fd, &back, &err));
    CU_ASSERT_EQUAL(back.generation, 0);
    CU_ASSERT_TRUE(reading_mark_write(dir_fd, &mark, &err));
    CU_ASSERT_TRUE(reading_mark_read(dir_fd, &back, &err));
    CU_ASSERT(back.generation == 3 && back.is_composed && back.end == mark.end && back.db == 9 &&
              back.cursor == mark.cursor && back.version == 80 && back.changes == -1 &&
              back.last_save_sec == mark.last_save_sec);
    snprintf(path, sizeof(path), "%s/reading.mark", dir_name);
    fd = open(path, O_RDWR);
    CU_ASSERT_EQUAL(pwrite(fd, "\x01", 1, 20), 1);
    close(fd);
    CU_ASSERT_TRUE(reading_mark_read(dir_fd, &back, &err));
    CU_ASSERT_EQUAL(back.generation, 0);
    remove_dir();
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(what_is_written_is_read_across_segments),
    CUNIT_TEST(the_receipt_of_a_piece_is_known_however_much_came_behind_it),
    CUNIT_TEST(a_writer_goes_on_where_the_killed_one_was),
    CUNIT_TEST(what_is_cut_off_is_written_anew),
    CUNIT_TEST(a_torn_tail_is_cut_off_and_written_again),
    CUNIT_TEST(a_flipped_bit_is_never_handed_out),
    CUNIT_TEST(a_damaged_index_is_never_believed),
    CUNIT_TEST(a_reader_may_begin_inside_a_piece),
    CUNIT_TEST(trimming_keeps_what_is_asked_for),
    CUNIT_TEST(the_meta_file_is_whole_or_none),
    CUNIT_TEST(a_history_is_known_by_its_former_names),
    CUNIT_TEST(a_mark_of_reading_is_whole_or_none),
};
CUNIT_MAIN("spool", tests)
