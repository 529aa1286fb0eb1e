/* Which keys a snapshot has: a file that whoever goes on can trust. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "services/flow/key_set.h"
#include "tests/support/cunit_run.h"

enum { KEYS = 200000 };

static char dir_name[64];
static int dir_fd = -1;
static struct err err;
static struct key_set set; /* not of the stack's size */

static void fresh_dir(void) {
    snprintf(dir_name, sizeof(dir_name), "/tmp/kf-keys-XXXXXX");
    if (!mkdtemp(dir_name))
        abort();
    dir_fd = open(dir_name, O_RDONLY | O_DIRECTORY);
    err_clear(&err);
    key_set_init(&set);
}

static void remove_dir(void) {
    key_set_close(&set);
    key_set_remove(dir_fd);
    close(dir_fd);
    CU_ASSERT_EQUAL(rmdir(dir_name), 0);
}

static struct str key_of(int i, char text[32]) {
    return str_of(text, (size_t)snprintf(text, 32, "key:%d", i));
}

static void add(int first, int end) {
    char text[32];

    for (int i = first; i < end; i++)
        CU_ASSERT_TRUE_FATAL(key_set_add(&set, i % 3, key_of(i, text), &err));
    CU_ASSERT_TRUE(key_set_flush(&set, &err));
}

static void has_exactly(int end) {
    char text[32];
    int missing = 0, strangers = 0;

    for (int i = 0; i < end; i++) {
        missing += !key_set_has(&set, i % 3, key_of(i, text));
        strangers += key_set_has(&set, i % 3 + 1, key_of(i, text)); /* another database */
        strangers += key_set_has(&set, i % 3, key_of(i + KEYS, text));
    }
    CU_ASSERT_EQUAL(missing, 0);
    CU_ASSERT_EQUAL(strangers, 0);
}

static void what_was_added_is_there_and_nothing_else(void) {
    fresh_dir();
    CU_ASSERT_TRUE_FATAL(key_set_create(&set, dir_fd, 7, &err));
    add(0, KEYS);
    CU_ASSERT_TRUE_FATAL(key_set_sort(&set, dir_fd, &err));
    has_exactly(KEYS);
    remove_dir();
}

static void an_empty_one_has_nothing(void) {
    fresh_dir();
    CU_ASSERT_TRUE_FATAL(key_set_create(&set, dir_fd, 7, &err));
    CU_ASSERT_TRUE_FATAL(key_set_sort(&set, dir_fd, &err));
    CU_ASSERT_FALSE(key_set_has(&set, 0, STR_EMPTY));
    remove_dir();
}

/* A unit is built again after a kill, so some keys come twice. */
static void one_that_was_left_goes_on(void) {
    fresh_dir();
    CU_ASSERT_TRUE_FATAL(key_set_create(&set, dir_fd, 7, &err));
    add(0, 1000);
    key_set_close(&set);
    CU_ASSERT_TRUE_FATAL(key_set_resume(&set, dir_fd, 7, &err));
    add(500, 2000);
    CU_ASSERT_TRUE_FATAL(key_set_sort(&set, dir_fd, &err));
    has_exactly(2000);
    key_set_close(&set);
    /* Sorted it is still the same set. */
    CU_ASSERT_TRUE_FATAL(key_set_resume(&set, dir_fd, 7, &err));
    add(2000, 2100);
    CU_ASSERT_TRUE_FATAL(key_set_sort(&set, dir_fd, &err));
    has_exactly(2100);
    remove_dir();
}

static size_t read_file(char **ret) {
    int fd = openat(dir_fd, "keys", O_RDONLY);
    off_t size = lseek(fd, 0, SEEK_END);

    *ret = malloc((size_t)size);
    CU_ASSERT_EQUAL_FATAL(pread(fd, *ret, (size_t)size, 0), size);
    close(fd);
    return (size_t)size;
}

/* A kill while hashes change places must not cost one: its key would be removed as stale. */
static void sorting_changes_nothing_that_a_later_life_reads(void) {
    char *before, *after;
    size_t size;

    fresh_dir();
    CU_ASSERT_TRUE_FATAL(key_set_create(&set, dir_fd, 7, &err));
    add(0, KEYS);
    size = read_file(&before);
    CU_ASSERT_TRUE_FATAL(key_set_sort(&set, dir_fd, &err));
    CU_ASSERT_EQUAL_FATAL(read_file(&after), size);
    CU_ASSERT_EQUAL(memcmp(before, after, size), 0);
    free(before);
    free(after);
    remove_dir();
}

static void one_that_was_cut_is_not_trusted(void) {
    int fd;

    fresh_dir();
    CU_ASSERT_TRUE_FATAL(key_set_create(&set, dir_fd, 7, &err));
    add(0, 100);
    fd = openat(dir_fd, "keys", O_WRONLY);
    CU_ASSERT_EQUAL(ftruncate(fd, lseek(fd, 0, SEEK_END) - 3), 0);
    close(fd);
    CU_ASSERT_FALSE(key_set_sort(&set, dir_fd, &err));
    CU_ASSERT_EQUAL(err.code, ERR_SPOOL_CORRUPT);
    err_clear(&err);
    remove_dir();
}

static void one_of_another_snapshot_is_not_trusted(void) {
    fresh_dir();
    CU_ASSERT_FALSE(key_set_resume(&set, dir_fd, 7, &err));
    CU_ASSERT_EQUAL(err.code, ERR_SPOOL_CORRUPT);
    err_clear(&err);
    key_set_close(&set);
    CU_ASSERT_TRUE_FATAL(key_set_create(&set, dir_fd, 7, &err));
    key_set_close(&set);
    CU_ASSERT_FALSE(key_set_resume(&set, dir_fd, 8, &err));
    CU_ASSERT_EQUAL(err.code, ERR_SPOOL_CORRUPT);
    err_clear(&err);
    key_set_close(&set);
    CU_ASSERT_TRUE_FATAL(key_set_create(&set, dir_fd, 8, &err));
    key_set_close(&set);
    CU_ASSERT_TRUE(key_set_resume(&set, dir_fd, 8, &err));
    remove_dir();
}

/* What was not on the disk when the machine went down is not missed by looking. */
static void one_of_before_a_restart_of_the_machine_is_not_trusted(void) {
    int fd;

    fresh_dir();
    CU_ASSERT_TRUE_FATAL(key_set_create(&set, dir_fd, 7, &err));
    key_set_close(&set);
    fd = openat(dir_fd, "keys", O_WRONLY);
    CU_ASSERT_EQUAL(pwrite(fd, "another boot", 12, 32), 12);
    close(fd);
    CU_ASSERT_FALSE(key_set_resume(&set, dir_fd, 7, &err));
    CU_ASSERT_EQUAL(err.code, ERR_SPOOL_CORRUPT);
    err_clear(&err);
    remove_dir();
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(what_was_added_is_there_and_nothing_else),
    CUNIT_TEST(an_empty_one_has_nothing),
    CUNIT_TEST(one_that_was_left_goes_on),
    CUNIT_TEST(sorting_changes_nothing_that_a_later_life_reads),
    CUNIT_TEST(one_that_was_cut_is_not_trusted),
    CUNIT_TEST(one_of_another_snapshot_is_not_trusted),
    CUNIT_TEST(one_of_before_a_restart_of_the_machine_is_not_trusted),
};
CUNIT_MAIN("key_set", tests)
