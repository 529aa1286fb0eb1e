/* Names of keys under which values are built. */
#include <stdio.h>
#include <stdlib.h>

#include "services/flow/copy_temporary.h"
#include "tests/support/cunit_run.h"

static void a_key_and_its_temporary_key_share_a_slot(void) {
    const struct str keys[] = {
        STR_LIT(""),       STR_LIT("plain"),  STR_LIT("{tag}rest"), STR_LIT("a}b"),
        STR_LIT("{}a"),    STR_LIT("{a"),     STR_LIT("x{a}{b}"),   STR_LIT("{{a}}"),
        STR_LIT("\0\377"), STR_LIT("{a}{b}"), STR_LIT("}{a}"),
    };
    struct task_spec *spec = calloc(1, sizeof(*spec));
    uint32_t *tags = malloc(COPY_TEMPORARY_SLOTS * sizeof(*tags));
    char name[COPY_TEMPORARY_MAX];

    CU_ASSERT_PTR_NOT_NULL_FATAL(tags);
    snprintf(spec->job, sizeof(spec->job), "job_01234567890123456789012345");
    spec->task = UINT32_MAX;
    copy_temporary_tags(tags);
    for (size_t i = 0; i < LENGTH_OF(keys); i++) {
        copy_temporary_name(tags[slot_set_slot(keys[i])], spec, name);
        CU_ASSERT_EQUAL(slot_set_slot(str_from(name)), slot_set_slot(keys[i]));
        CU_ASSERT_TRUE(copy_temporary_is(str_from(name)));
    }
    /* The cluster specification's own examples. */
    CU_ASSERT_EQUAL(slot_set_slot(STR_LIT("123456789")), 0x31c3);
    CU_ASSERT_EQUAL(slot_set_slot(STR_LIT("foo{}{bar}")), slot_set_slot(STR_LIT("foo{}{bar}")));
    CU_ASSERT_EQUAL(slot_set_slot(STR_LIT("foo{{bar}}zap")), slot_set_slot(STR_LIT("{bar")));
    CU_ASSERT_EQUAL(slot_set_slot(STR_LIT("foo{bar}{zap}")), slot_set_slot(STR_LIT("bar")));
    free(tags);
    free(spec);
}

static void every_slot_has_a_tag(void) {
    uint32_t *tags = malloc(COPY_TEMPORARY_SLOTS * sizeof(*tags));

    CU_ASSERT_PTR_NOT_NULL_FATAL(tags);
    copy_temporary_tags(tags);
    for (unsigned slot = 0; slot < COPY_TEMPORARY_SLOTS; slot++) {
        char name[32];

        snprintf(name, sizeof(name), "{%u}kf:tmp:", tags[slot]);
        CU_ASSERT_EQUAL(slot_set_slot(str_from(name)), slot);
        CU_ASSERT(tags[slot] < 1000000);
    }
    free(tags);
}

static void keys_of_users_are_none(void) {
    const struct str keys[] = {STR_LIT(""),           STR_LIT("kf:tmp:"), STR_LIT("{}kf:tmp:"),
                               STR_LIT("{x}kf:tmp:"), STR_LIT("{1}kf:"),  STR_LIT("{1"),
                               STR_LIT("a{1}kf:tmp:")};

    for (size_t i = 0; i < LENGTH_OF(keys); i++)
        CU_ASSERT_FALSE(copy_temporary_is(keys[i]));
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(a_key_and_its_temporary_key_share_a_slot),
    CUNIT_TEST(every_slot_has_a_tag),
    CUNIT_TEST(keys_of_users_are_none),
};
CUNIT_MAIN("copy_temporary", tests)
