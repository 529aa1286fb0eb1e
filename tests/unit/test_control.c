#include <poll.h>
#include <unistd.h>

#include "services/flow/control.h"
#include "tests/support/cunit_run.h"

static bool rung(int bell) {
    struct pollfd p = {.fd = bell, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static void two_mappings_share_one_block(void) {
    struct control_block *a = NULL, *b = NULL;
    struct err err = ERR_INIT;
    int fd = -1;

    CU_ASSERT_TRUE_FATAL(control_new(&a, &fd, &err));
    CU_ASSERT_TRUE_FATAL(control_map(fd, &b, &err));
    atomic_store(&a->stream_end, 7);
    CU_ASSERT_EQUAL(atomic_load(&b->stream_end), 7);
    CU_ASSERT_EQUAL(atomic_load(&b->want), CONTROL_RUN);
    CU_ASSERT(ftruncate(fd, 0) != 0);
    control_unmap(a);
    control_unmap(b);
    control_unmap(NULL);
    close(fd);
}

static void a_descriptor_that_is_no_block_is_refused(void) {
    struct control_block *block = NULL;
    struct err err = ERR_INIT;
    int pipes[2];

    CU_ASSERT_FATAL(pipe(pipes) == 0);
    CU_ASSERT_FALSE(control_map(pipes[0], &block, &err));
    CU_ASSERT_FALSE(control_map(-1, &block, &err));
    CU_ASSERT_EQUAL(err.code, ERR_IO);
    CU_ASSERT_PTR_NULL(block);
    close(pipes[0]);
    close(pipes[1]);
}

static void a_bell_rings_once_and_only_for_a_sleeper(void) {
    struct err err = ERR_INIT;
    _Atomic uint32_t sleeps = 0;
    int bell = -1;

    CU_ASSERT_TRUE_FATAL(control_bell_new(&bell, &err));
    control_bell_ring(bell, &sleeps);
    CU_ASSERT_FALSE(rung(bell));
    control_bell_arm(&sleeps);
    control_bell_ring(bell, &sleeps);
    control_bell_ring(bell, &sleeps);
    CU_ASSERT_TRUE(rung(bell));
    control_bell_wait(bell, &sleeps, 0);
    CU_ASSERT_FALSE(rung(bell));
    CU_ASSERT_EQUAL(atomic_load(&sleeps), 0);
    /* Woken by something else: the flag is taken back, later numbers ring nothing. */
    control_bell_arm(&sleeps);
    control_bell_clear(bell, &sleeps);
    control_bell_ring(bell, &sleeps);
    CU_ASSERT_FALSE(rung(bell));
    close(bell);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(two_mappings_share_one_block),
    CUNIT_TEST(a_descriptor_that_is_no_block_is_refused),
    CUNIT_TEST(a_bell_rings_once_and_only_for_a_sleeper),
};
CUNIT_MAIN("control", tests)
