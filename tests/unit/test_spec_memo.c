#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/cunit_run.h"
#include "web-api/spec_memo.h"

enum { PLENTY = 1024 * 1024, SPECS = 64 };

static const char *sum_of(int i, char dst[SPEC_MEMO_SUM_SIZE]) {
    snprintf(dst, SPEC_MEMO_SUM_SIZE, "%064x", i);
    return dst;
}

static struct str spec_of(int i, char dst[64]) {
    snprintf(dst, 64, "{\"kind\": \"number %d\"}", i);
    return str_from(dst);
}

static const struct spec_held *make(struct spec_memo *m, int i) {
    char sum[SPEC_MEMO_SUM_SIZE], spec[64];

    return spec_memo_make(m, sum_of(i, sum), spec_of(i, spec));
}

static const struct spec_held *find(struct spec_memo *m, int i) {
    char sum[SPEC_MEMO_SUM_SIZE];

    return spec_memo_find(m, sum_of(i, sum));
}

static bool is_of(const struct spec_held *held, int i) {
    char text[64];

    snprintf(text, sizeof(text), ",\"kind\":\"number %d\"", i);
    return held && str_starts_with(buf_str(&held->template.text), str_from(text));
}

static bool knows(struct spec_memo *m, int i) {
    const struct spec_held *held = find(m, i);
    bool is = is_of(held, i);

    CU_ASSERT_TRUE(is || !held);
    spec_memo_give(m, held);
    return is;
}

static void what_was_made_is_found_by_its_sum_and_by_no_other(void) {
    struct spec_memo *m = spec_memo_new(PLENTY);

    CU_ASSERT_PTR_NULL(find(m, 1));
    for (int i = 0; i < SPECS; i++)
        spec_memo_give(m, make(m, i << 20)); /* the ends of their sums are alike */
    for (int i = 0; i < SPECS; i++)
        CU_ASSERT_TRUE(knows(m, i << 20));
    CU_ASSERT_PTR_NULL(find(m, 1));
    spec_memo_give(m, NULL);
    spec_memo_free(m);
    spec_memo_free(NULL);
}

static void who_was_not_asked_for_the_longest_goes_first(void) {
    struct spec_memo *m = spec_memo_new(PLENTY);
    const struct spec_held *one = make(m, 0);
    size_t bytes = one->bytes;

    spec_memo_give(m, one);
    spec_memo_free(m);
    m = spec_memo_new(3 * bytes);
    for (int i = 0; i < 3; i++)
        spec_memo_give(m, make(m, i));
    CU_ASSERT_TRUE(knows(m, 0));
    spec_memo_give(m, make(m, 3));
    CU_ASSERT_TRUE(knows(m, 0));
    CU_ASSERT_FALSE(knows(m, 1));
    CU_ASSERT_TRUE(knows(m, 2));
    CU_ASSERT_TRUE(knows(m, 3));
    spec_memo_free(m);
}

static void what_is_held_stays_when_it_is_forgotten(void) {
    struct spec_memo *m = spec_memo_new(1); /* no room for any */
    const struct spec_held *held = make(m, 7), *again;

    CU_ASSERT_FALSE(knows(m, 7));
    CU_ASSERT_TRUE(is_of(held, 7));
    again = make(m, 7);
    CU_ASSERT_TRUE(is_of(again, 7));
    spec_memo_give(m, again);
    CU_ASSERT_TRUE(is_of(held, 7));
    spec_memo_give(m, held);
    spec_memo_free(m);
}

static void *ask_a_lot(void *memo) {
    struct spec_memo *m = memo;
    bool ok = true;

    for (int i = 0; i < 20000; i++) {
        int which = i * 7 % SPECS;
        const struct spec_held *held = find(m, which);

        if (!held)
            held = make(m, which);
        ok = ok && is_of(held, which);
        spec_memo_give(m, held);
    }
    return ok ? m : NULL;
}

static void threads_ask_and_make_and_push_out_at_once(void) {
    struct spec_memo *m = spec_memo_new(8 * 1024);
    pthread_t threads[4];
    void *ok;

    for (size_t i = 0; i < LENGTH_OF(threads); i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, ask_a_lot, m), 0);
    for (size_t i = 0; i < LENGTH_OF(threads); i++) {
        pthread_join(threads[i], &ok);
        CU_ASSERT_PTR_NOT_NULL(ok);
    }
    spec_memo_free(m);
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(what_was_made_is_found_by_its_sum_and_by_no_other),
    CUNIT_TEST(who_was_not_asked_for_the_longest_goes_first),
    CUNIT_TEST(what_is_held_stays_when_it_is_forgotten),
    CUNIT_TEST(threads_ask_and_make_and_push_out_at_once),
};
CUNIT_MAIN("spec_memo", tests)
