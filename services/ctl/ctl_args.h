/* ctl_args.h - the command line, read by a table. Pure.
 *
 * An option is a row of ctl_options.def; a word (a subcommand) is a row that says
 * which options it takes, how many arguments, and what help prints. Options may
 * stand anywhere, as `--name value` or `--name=value`; `--` ends them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"

enum ctl_option {
#define CTL_OPTION(symbol, name, value, help) CTL_##symbol,
#include "services/ctl/ctl_options.def"
#undef CTL_OPTION
    CTL_OPTION_COUNT
};

#define CTL_TAKES(symbol) (1ULL << CTL_##symbol)

enum { CTL_SEEN_MAX = 128, CTL_ARGUMENTS_MAX = 8 };

struct ctl_args {
    const struct ctl_word *word;
    struct {
        enum ctl_option option;
        char *value; /* in argv; "" for a flag */
    } seen[CTL_SEEN_MAX];
    size_t seen_count;
    char *argument[CTL_ARGUMENTS_MAX]; /* in argv */
    size_t argument_count;
};

struct ctl_word {
    const char *name;      /* "migrate", "job pause" */
    const char *arguments; /* for the usage line: "SOURCE_URL DESTINATION_URL" */
    size_t arguments_min, arguments_max;
    uint64_t options; /* CTL_TAKES(…) | … */
    const char *summary;
    const char *examples;                    /* lines, each indented by two */
    int (*run)(const struct ctl_args *args); /* answers the exit code */
};

/* Which word does argv[1..] begin with? The longest name wins. *ret_used is how
 * many entries of argv it takes. NULL when there is none. */
const struct ctl_word *ctl_args_word(const struct ctl_word *words, size_t count, int argc,
                                     char *const *argv, int *ret_used);

/* Read what follows the word. *args points into argv afterwards.
 * Errors: USAGE names the option or argument. */
MUST_CHECK bool ctl_args_parse(struct ctl_args *args, const struct ctl_word *word, int argc,
                               char **argv, struct err *err);

/* The value of the last occurrence; NULL when it was not given. */
char *ctl_args_value(const struct ctl_args *args, enum ctl_option option);

static inline bool ctl_args_flag(const struct ctl_args *args, enum ctl_option option) {
    return ctl_args_value(args, option) != NULL;
}

/* The help of one word. Errors: TOO_BIG, MEMORY. */
MUST_CHECK bool ctl_args_help(const struct ctl_word *word, struct buf *out, struct err *err);
