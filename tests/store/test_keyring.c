/* The key file on disk, and settings of a file: what a unit test may not touch. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/common/config.h"
#include "services/secret/keyring_file.h"
#include "services/secret/seal.h"
#include "tests/support/cunit_run.h"

static char folder[] = "/tmp/kf-keyring.XXXXXX";
static char path[64];

static void put(const char *text, mode_t mode) {
    int fd;

    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    chmod(path, mode);
}

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void a_made_key_file_is_ours_alone_and_opens(void) {
    struct keyring one = KEYRING_INIT, two = KEYRING_INIT;
    struct err err = ERR_INIT;
    struct stat st;
    bool made = false;

    unlink(path);
    CU_ASSERT_TRUE(keyring_create(path, &made, &err));
    CU_ASSERT_TRUE(made);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
    CU_ASSERT_EQUAL(st.st_nlink, 1);
    CU_ASSERT_TRUE(keyring_open(&one, path, &err));
    CU_ASSERT_EQUAL(one.count, 1);
    CU_ASSERT_TRUE(keyring_create(path, &made, &err));
    CU_ASSERT_FALSE(made);
    CU_ASSERT_TRUE(keyring_open(&two, path, &err));
    CU_ASSERT_EQUAL(memcmp(&one, &two, sizeof(one)), 0);
    keyring_done(&one);
    keyring_done(&two);
}

static void a_file_that_others_may_read_is_refused(void) {
    struct keyring ring = KEYRING_INIT;
    struct err err = ERR_INIT;

    put("1 " KEY "\n", 0640);
    CU_ASSERT_FALSE(keyring_open(&ring, path, &err));
    CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
    put("1 " KEY "\n", 0400);
    CU_ASSERT_TRUE(keyring_open(&ring, path, &err));
    CU_ASSERT_EQUAL(ring.keys[0].key[31], 0x1f);
    CU_ASSERT_FALSE(keyring_open(&ring, folder, &err));
    CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
}

static void a_damaged_file_is_refused_without_quoting_it(void) {
    static const char *const bad[] = {
        "",       "# only a comment\n", "1 abcd\n", "x " KEY "\n", "1 " KEY "\n1 " KEY "\n",
        KEY "\n", "1 " KEY "0\n"};
    struct err err = ERR_INIT;
    char story[1024];

    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        struct keyring ring = KEYRING_INIT;

        put(bad[i], 0600);
        CU_ASSERT_FALSE(keyring_open(&ring, path, &err));
        CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
        err_format(&err, story, sizeof(story));
        CU_ASSERT_PTR_NULL(strstr(story, "0405"));
        CU_ASSERT_EQUAL(ring.count, 0);
    }
}

static void the_last_of_several_keys_seals(void) {
    struct keyring ring = KEYRING_INIT;
    struct err err = ERR_INIT;

    put("# old\n1 " KEY "\n\n7 " KEY "\n", 0600);
    CU_ASSERT_TRUE(keyring_open(&ring, path, &err));
    CU_ASSERT_EQUAL(ring.count, 2);
    CU_ASSERT_EQUAL(ring.keys[1].id, 7);
}

/* Not the file's fault: this process had no descriptor left. */
static void a_file_that_could_not_be_read_for_a_moment_is_read_the_next_time(void) {
    struct keyring_file file = KEYRING_FILE_INIT;
    struct rlimit kept, none;
    struct err err = ERR_INIT;
    bool changed = true;

    put("1 " KEY "\n", 0600);
    CU_ASSERT_TRUE_FATAL(keyring_file_open(&file, path, &err));
    put("1 " KEY "\n2 " KEY "\n", 0600);
    getrlimit(RLIMIT_NOFILE, &kept);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = kept.rlim_max};
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &none), 0);
    CU_ASSERT_FALSE(keyring_file_look(&file, &changed, &err));
    err_clear(&err);
    CU_ASSERT_TRUE(keyring_file_look(&file, &changed, &err)); /* said once */
    CU_ASSERT_FALSE(changed);
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &kept), 0);
    CU_ASSERT_EQUAL(file.ring.count, 1);
    CU_ASSERT_TRUE(keyring_file_look(&file, &changed, &err));
    CU_ASSERT_TRUE(changed);
    CU_ASSERT_EQUAL(file.ring.count, 2);
    CU_ASSERT_TRUE(keyring_file_look(&file, &changed, &err));
    CU_ASSERT_FALSE(changed);
    keyring_file_done(&file);
}

static void a_file_that_changes_is_read_again_and_a_broken_one_leaves_the_keys(void) {
    struct keyring_file file = KEYRING_FILE_INIT;
    struct err err = ERR_INIT;
    bool changed = true;

    unlink(path);
    CU_ASSERT_FALSE(keyring_file_open(&file, path, &err));
    CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
    err_clear(&err);
    put("1 " KEY "\n", 0600);
    CU_ASSERT_TRUE(keyring_file_open(&file, path, &err));
    CU_ASSERT_TRUE(keyring_file_look(&file, &changed, &err));
    CU_ASSERT_FALSE(changed);
    put("1 " KEY "\n2 " KEY "\n", 0600);
    CU_ASSERT_TRUE(keyring_file_look(&file, &changed, &err));
    CU_ASSERT_TRUE(changed);
    CU_ASSERT_EQUAL(file.ring.count, 2);
    put("2 " KEY "\n1 00", 0600);
    CU_ASSERT_FALSE(keyring_file_look(&file, &changed, &err));
    CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
    err_clear(&err);
    CU_ASSERT_TRUE(keyring_file_look(&file, &changed, &err)); /* said once */
    CU_ASSERT_FALSE(changed);
    CU_ASSERT_EQUAL(file.ring.count, 2);
    CU_ASSERT_EQUAL(file.ring.keys[1].id, 2);
    unlink(path);
    CU_ASSERT_FALSE(keyring_file_look(&file, &changed, &err));
    err_clear(&err);
    put("2 " KEY "\n", 0600);
    CU_ASSERT_TRUE(keyring_file_look(&file, &changed, &err));
    CU_ASSERT_TRUE(changed);
    CU_ASSERT_EQUAL(file.ring.count, 1);
    keyring_file_done(&file);
    CU_ASSERT_TRUE(keyring_file_open(&file, "", &err));
    CU_ASSERT_TRUE(keyring_file_look(&file, &changed, &err));
    keyring_file_done(&file);
}

static void a_file_of_settings_stands_below_the_environment(void) {
    char set[] = "KEYFERRY_LISTEN=here:2";
    char *const environment[] = {set, NULL};
    struct config c;
    struct err err = ERR_INIT;
    char story[1024];

    put("# settings\nKEYFERRY_LISTEN = here:1\r\nKEYFERRY_LEASE_SECONDS=20\n", 0600);
    config_init(&c);
    CU_ASSERT_TRUE(config_load(&c, path, environment, &err));
    CU_ASSERT_STRING_EQUAL(c.listen, "here:2");
    CU_ASSERT_EQUAL(c.lease_seconds, 20);
    config_done(&c);

    put("KEYFERRY_LISTEN=x\nnonsense\n", 0600);
    config_init(&c);
    CU_ASSERT_FALSE(config_load(&c, path, NULL, &err));
    err_format(&err, story, sizeof(story));
    CU_ASSERT_PTR_NOT_NULL(strstr(story, "line 2"));
    CU_ASSERT_FALSE(config_load(&c, "/no/such/file", NULL, &err));
    config_done(&c);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_made_key_file_is_ours_alone_and_opens),
    CUNIT_TEST(a_file_that_others_may_read_is_refused),
    CUNIT_TEST(a_damaged_file_is_refused_without_quoting_it),
    CUNIT_TEST(the_last_of_several_keys_seals),
    CUNIT_TEST(a_file_that_could_not_be_read_for_a_moment_is_read_the_next_time),
    CUNIT_TEST(a_file_that_changes_is_read_again_and_a_broken_one_leaves_the_keys),
    CUNIT_TEST(a_file_of_settings_stands_below_the_environment),
};

int main(void) {
    int failed;

    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/file", folder);
    failed = cunit_run("keyring", tests, (unsigned)LENGTH_OF(tests));
    unlink(path);
    rmdir(folder);
    return failed;
}
