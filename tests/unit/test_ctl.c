#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/ctl/ctl_args.h"
#include "services/ctl/ctl_secrets.h"
#include "services/ctl/ctl_text.h"
#include "services/ctl/up_address.h"
#include "tests/support/cunit_run.h"

static const struct ctl_word words[] = {
    {.name = "migrate",
     .arguments = "SOURCE_URL DESTINATION_URL",
     .arguments_min = 2,
     .arguments_max = 2,
     .options = CTL_TAKES(DATABASE) | CTL_TAKES(JSON) | CTL_TAKES(NAME),
     .summary = "Move."},
    {.name = "job", .arguments = "", .summary = "Nothing by itself."},
    {.name = "job pause", .arguments = "JOB", .arguments_min = 1, .arguments_max = 1},
};

#define ARGV3(a, b, c) ((char *[]){(char[]){a}, (char[]){b}, (char[]){c}})

/* Arguments are written to, so they must not be literals. */
static char text_a[300], text_b[300], text_c[300];

static char *in(char *dst, const char *text) {
    snprintf(dst, 300, "%s", text);
    return dst;
}

static void the_longest_word_wins(void) {
    int used = 0;

    CU_ASSERT_PTR_EQUAL(ctl_args_word(words, 3, 3, ARGV3("keyferry", "job", "pause"), &used),
                        &words[2]);
    CU_ASSERT_EQUAL(used, 2);
    CU_ASSERT_PTR_EQUAL(ctl_args_word(words, 3, 3, ARGV3("keyferry", "job", "paus"), &used),
                        &words[1]);
    CU_ASSERT_EQUAL(used, 1);
    CU_ASSERT_PTR_NULL(ctl_args_word(words, 3, 2, ARGV3("keyferry", "mig", ""), &used));
    CU_ASSERT_PTR_NULL(ctl_args_word(words, 3, 1, ARGV3("keyferry", "", ""), &used));
}

static void options_stand_anywhere(void) {
    struct err err = ERR_INIT;
    struct ctl_args args;
    char *argv[] = {in(text_a, "--database=3:0"),
                    (char[]){"a"},
                    (char[]){"--database"},
                    (char[]){"4"},
                    (char[]){"b"},
                    (char[]){"--json"}};

    CU_ASSERT_TRUE_FATAL(ctl_args_parse(&args, &words[0], 6, argv, &err));
    CU_ASSERT_EQUAL(args.argument_count, 2);
    CU_ASSERT_STRING_EQUAL(args.argument[1], "b");
    CU_ASSERT_EQUAL(args.seen_count, 3);
    CU_ASSERT_STRING_EQUAL(args.seen[0].value, "3:0");
    CU_ASSERT_STRING_EQUAL(ctl_args_value(&args, CTL_DATABASE), "4");
    CU_ASSERT_TRUE(ctl_args_flag(&args, CTL_JSON));
    CU_ASSERT_FALSE(ctl_args_flag(&args, CTL_NAME));
}

static void two_dashes_end_the_options(void) {
    struct err err = ERR_INIT;
    struct ctl_args args;
    char *argv[] = {(char[]){"--"}, (char[]){"--json"}, (char[]){"b"}};

    CU_ASSERT_TRUE_FATAL(ctl_args_parse(&args, &words[0], 3, argv, &err));
    CU_ASSERT_STRING_EQUAL(args.argument[0], "--json");
    CU_ASSERT_FALSE(ctl_args_flag(&args, CTL_JSON));
}

static void what_is_wrong_is_named(void) {
    static const struct {
        const char *argument[3];
        const char *says;
    } rows[] = {
        {{"a", "b", "c"}, "no more than 2 arguments"},
        {{"a", NULL, NULL}, "needs SOURCE_URL"},
        {{"--jsonx", "a", "b"}, "no option --jsonx"},
        {{"--json=1", "a", "b"}, "takes no value"},
        {{"a", "b", "--name"}, "--name needs a value"},
        /* a word takes only the options it lists */
        {{"--listen=1", "a", "b"}, "no option --listen"},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct err err = ERR_INIT;
        struct ctl_args args;
        char *argv[3];
        int argc = 0;
        char *texts[] = {text_a, text_b, text_c};

        for (; argc < 3 && rows[i].argument[argc]; argc++)
            argv[argc] = in(texts[argc], rows[i].argument[argc]);
        CU_ASSERT_FALSE(ctl_args_parse(&args, &words[0], argc, argv, &err));
        CU_ASSERT_EQUAL(err.code, ERR_USAGE);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.frame[0], rows[i].says));
    }
}

static void an_error_does_not_quote_a_value(void) {
    struct err err = ERR_INIT;
    struct ctl_args args;
    char *argv[] = {in(text_a, "--secret=hunter2")};

    CU_ASSERT_FALSE(ctl_args_parse(&args, &words[0], 1, argv, &err));
    CU_ASSERT_PTR_NULL(strstr(err.frame[0], "hunter2"));
}

static void help_names_the_options_of_the_word(void) {
    struct buf out = BUF_INIT(10000);
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(ctl_args_help(&words[0], &out, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.ptr, "--database N[:M]"));
    CU_ASSERT_PTR_NULL(strstr(out.ptr, "--listen"));
    buf_done(&out);
}

static void a_password_leaves_the_arguments(void) {
    char *argv[] = {(char[]){"keyferry"}, in(text_a, "redis://u:p@ss/w@h:1/0"),
                    in(text_b, "redis://h:1"), in(text_c, "--url=http://a:b@c")};

    CU_ASSERT_EQUAL(ctl_secrets_take_arguments(4, argv), 2);
    CU_ASSERT_STRING_EQUAL(argv[1], "redis://u:p@ss/w@h:1/0");
    CU_ASSERT_STRING_EQUAL(text_a, "redis://u:******@h:1/0");
    CU_ASSERT_PTR_EQUAL(argv[2], text_b);
    CU_ASSERT_STRING_EQUAL(text_c, "--url=http://a:*@c");
    free(argv[1]);
    free(argv[3]);
}

static void a_separate_password_is_put_into_the_url(void) {
    static const struct {
        const char *url, *result;
    } rows[] = {
        {"redis://h:1/2", "redis://:p%40%20%3A%C3%A9@h:1/2"},
        {"redis://u@h", "redis://u:p%40%20%3A%C3%A9@h"},
        {"rediss://u:@h", "rediss://u:p%40%20%3A%C3%A9@h"},
        {"redis://h/x@y", "redis://:p%40%20%3A%C3%A9@h/x@y"},
        {"redis://u:old@h", NULL},
        {"h:1", NULL},
        {"://", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct buf out = BUF_INIT(400);
        struct err err = ERR_INIT;
        bool ok = ctl_secrets_url(str_from(rows[i].url), STR_LIT("p@ :\xc3\xa9"), &out, &err);

        CU_ASSERT_EQUAL(ok, rows[i].result != NULL);
        if (ok && rows[i].result)
            CU_ASSERT_STRING_EQUAL(out.ptr, rows[i].result);
        buf_done(&out);
    }
}

static void numbers_read_as_people_write_them(void) {
    char t[CTL_TEXT_SIZE];

    CU_ASSERT_STRING_EQUAL(ctl_text_count(0, t), "0");
    CU_ASSERT_STRING_EQUAL(ctl_text_count(1204331, t), "1,204,331");
    CU_ASSERT_STRING_EQUAL(ctl_text_count(UINT64_MAX, t), "18,446,744,073,709,551,615");
    CU_ASSERT_STRING_EQUAL(ctl_text_short(999, t), "999");
    CU_ASSERT_STRING_EQUAL(ctl_text_short(999.7, t), "1.00 k");
    CU_ASSERT_STRING_EQUAL(ctl_text_short(891204, t), "891 k");
    CU_ASSERT_STRING_EQUAL(ctl_text_short(1204331, t), "1.20 M");
    CU_ASSERT_STRING_EQUAL(ctl_text_bytes(21e9, t), "21.0 GB");
    CU_ASSERT_STRING_EQUAL(ctl_text_seconds(0.31, t), "0.3 s");
    CU_ASSERT_STRING_EQUAL(ctl_text_seconds(300, t), "5 min");
    CU_ASSERT_STRING_EQUAL(ctl_text_seconds(21600, t), "6 h");
    CU_ASSERT_STRING_EQUAL(ctl_text_bar(50, t), "██████████░░░░░░░░░░");
}

static void no_number_leaves_its_field(void) {
    static const double odd[] = {-1, 0, 1e18, 1e300, __builtin_nan(""), __builtin_inf()};
    char t[CTL_TEXT_SIZE];

    for (size_t i = 0; i < LENGTH_OF(odd); i++) {
        CU_ASSERT(strlen(ctl_text_short(odd[i], t)) < 20);
        CU_ASSERT(strlen(ctl_text_bytes(odd[i], t)) < 20);
        CU_ASSERT(strlen(ctl_text_seconds(odd[i], t)) < 20);
        CU_ASSERT_EQUAL(strlen(ctl_text_bar(odd[i], t)), 60);
    }
}

static void a_client_uses_loopback_for_any_address(void) {
    static const struct {
        const char *listen, *url;
    } rows[] = {
        {"127.0.0.1:8080", "http://127.0.0.1:8080"},
        {"0.0.0.0:1", "http://127.0.0.1:1"},
        {"[::]:80", "http://[::1]:80"},
        {"[::1]:80", "http://[::1]:80"},
        {"localhost:65535", "http://localhost:65535"},
        {"localhost:65536", NULL},
        {"localhost", NULL},
        {":80", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct err err = ERR_INIT;
        char url[300] = "";
        bool ok = up_address_url(rows[i].listen, url, sizeof(url), &err);

        CU_ASSERT_EQUAL(ok, rows[i].url != NULL);
        if (rows[i].url)
            CU_ASSERT_STRING_EQUAL(url, rows[i].url);
    }
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(the_longest_word_wins),
    CUNIT_TEST(options_stand_anywhere),
    CUNIT_TEST(two_dashes_end_the_options),
    CUNIT_TEST(what_is_wrong_is_named),
    CUNIT_TEST(an_error_does_not_quote_a_value),
    CUNIT_TEST(help_names_the_options_of_the_word),
    CUNIT_TEST(a_password_leaves_the_arguments),
    CUNIT_TEST(a_separate_password_is_put_into_the_url),
    CUNIT_TEST(numbers_read_as_people_write_them),
    CUNIT_TEST(no_number_leaves_its_field),
    CUNIT_TEST(a_client_uses_loopback_for_any_address),
};
CUNIT_MAIN("ctl", tests)
