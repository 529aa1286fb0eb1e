#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/common/ulid.h"
#include "services/worker/task_spool.h"
#include "services/worker/worker_identity.h"
#include "tests/support/cunit_run.h"

static char base[64];

static void make_base(void) {
    snprintf(base, sizeof(base), "/tmp/keyferry-test-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(base));
}

static void remove_base(void) {
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", base);
    CU_ASSERT_EQUAL(system(command), 0);
}

static void a_worker_that_comes_back_is_who_it_was(void) {
    struct worker_identity first = WORKER_IDENTITY_INIT, again = WORKER_IDENTITY_INIT;
    struct err err = ERR_INIT;
    struct stat st;
    char id[WORKER_IDENTITY_ID_SIZE];

    make_base();
    CU_ASSERT_TRUE_FATAL(worker_identity_take(base, &first, &err));
    CU_ASSERT_TRUE(ulid_is(str_from(first.id), "worker"));
    CU_ASSERT_EQUAL(stat(first.spool_dir, &st), 0);
    snprintf(id, sizeof(id), "%s", first.id);
    worker_identity_drop(&first);
    CU_ASSERT_TRUE_FATAL(worker_identity_take(base, &again, &err));
    CU_ASSERT_STRING_EQUAL(again.id, id);
    worker_identity_drop(&again);
    remove_base();
}

static void two_workers_are_never_the_same(void) {
    struct worker_identity one = WORKER_IDENTITY_INIT, two = WORKER_IDENTITY_INIT;
    struct err err = ERR_INIT;

    make_base();
    CU_ASSERT_TRUE_FATAL(worker_identity_take(base, &one, &err));
    CU_ASSERT_TRUE_FATAL(worker_identity_take(base, &two, &err));
    CU_ASSERT_STRING_NOT_EQUAL(one.id, two.id);
    worker_identity_drop(&one);
    worker_identity_drop(&two);
    remove_base();
}

static void an_identity_is_taken_while_a_child_of_its_owner_lives(void) {
    struct worker_identity owner = WORKER_IDENTITY_INIT, next = WORKER_IDENTITY_INIT;
    struct err err = ERR_INIT;
    int go[2];
    pid_t child;
    char byte;

    make_base();
    CU_ASSERT_EQUAL_FATAL(pipe(go), 0);
    CU_ASSERT_TRUE_FATAL(worker_identity_take(base, &owner, &err));
    child = fork();
    if (child == 0) { /* holds what it inherited until we close the pipe */
        close(go[1]);
        _exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(go[0]);
    close(owner.lock_fd);
    CU_ASSERT_TRUE_FATAL(worker_identity_take(base, &next, &err));
    CU_ASSERT_STRING_NOT_EQUAL(next.id, owner.id);
    worker_identity_drop(&next);
    close(go[1]);
    CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
    CU_ASSERT_TRUE_FATAL(worker_identity_take(base, &next, &err));
    CU_ASSERT_STRING_EQUAL(next.id, owner.id);
    worker_identity_drop(&next);
    remove_base();
}

static void a_file_that_was_written_over_is_a_new_identity(void) {
    struct worker_identity got = WORKER_IDENTITY_INIT;
    struct err err = ERR_INIT;
    char path[128];
    FILE *file;

    make_base();
    snprintf(path, sizeof(path), "%s/worker-0.id", base);
    file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("../../etc 1\n", file);
    fclose(file);
    CU_ASSERT_TRUE_FATAL(worker_identity_take(base, &got, &err));
    CU_ASSERT_TRUE(ulid_is(str_from(got.id), "worker"));
    worker_identity_drop(&got);
    CU_ASSERT_FALSE(worker_identity_take("", &got, &err));
    CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
    remove_base();
}

static bool count_one(void *arg, const char *job, uint32_t task) {
    CU_ASSERT_TRUE(ulid_is(str_from(job), "job"));
    CU_ASSERT_EQUAL(task, 0);
    ++*(int *)arg;
    return true;
}

static void a_spool_is_made_listed_and_removed_whole(void) {
    struct err err = ERR_INIT;
    char job[ULID_ID_SIZE], path[256], inner[300];
    int count = 0, fd;
    struct stat st;

    make_base();
    ulid_make("job", job);
    CU_ASSERT_TRUE_FATAL(task_spool_make(base, job, 0, path, sizeof(path), &err));
    CU_ASSERT_TRUE(task_spool_make(base, job, 0, path, sizeof(path), &err));
    CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0700);
    snprintf(inner, sizeof(inner), "%s/stream", path);
    CU_ASSERT_EQUAL(mkdir(inner, 0700), 0);
    snprintf(inner, sizeof(inner), "%s/stream/1.data", path);
    fd = open(inner, O_CREAT | O_WRONLY, 0600);
    CU_ASSERT(fd >= 0);
    close(fd);
    snprintf(inner, sizeof(inner), "%s/link", path);
    CU_ASSERT_EQUAL(symlink("/", inner), 0); /* removed, never followed */
    task_spool_list(base, count_one, &count);
    CU_ASSERT_EQUAL(count, 1);
    CU_ASSERT_TRUE(task_spool_remove(base, job, 0, &err));
    CU_ASSERT(stat(path, &st) != 0);
    CU_ASSERT_TRUE(task_spool_remove(base, job, 0, &err));
    CU_ASSERT_FALSE(task_spool_remove(base, "../x", 0, &err));
    remove_base();
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_worker_that_comes_back_is_who_it_was),
    CUNIT_TEST(two_workers_are_never_the_same),
    CUNIT_TEST(an_identity_is_taken_while_a_child_of_its_owner_lives),
    CUNIT_TEST(a_file_that_was_written_over_is_a_new_identity),
    CUNIT_TEST(a_spool_is_made_listed_and_removed_whole),
};
CUNIT_MAIN("worker_files", tests)
