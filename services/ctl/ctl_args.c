#include "services/ctl/ctl_args.h"

#include <stdio.h>
#include <string.h>

struct option_row {
    const char *name;
    const char *value;
    const char *help;
};

static const struct option_row rows[] = {
#define CTL_OPTION(symbol, name, value, help) {name, value, help},
#include "services/ctl/ctl_options.def"
#undef CTL_OPTION
};

_Static_assert(CTL_OPTION_COUNT <= 64, "a word's options are one bit each");

const struct ctl_word *ctl_args_word(const struct ctl_word *words, size_t count, int argc,
                                     char *const *argv, int *ret_used) {
    const struct ctl_word *best = NULL;
    int best_used = 0;

    for (size_t i = 0; i < count; i++) {
        struct str rest = str_from(words[i].name), part;
        int used = 0;

        while (str_cut(&rest, ' ', &part) && used + 1 < argc &&
               str_equal(part, str_from(argv[used + 1]))) {
            used++;
            if (rest.len == 0 && used > best_used) {
                best = &words[i];
                best_used = used;
            }
        }
    }
    *ret_used = best_used;
    return best;
}

static bool find_option(const struct ctl_word *word, struct str name, enum ctl_option *ret_option) {
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        if (str_equal(name, str_from(rows[i].name)) &&
            (i == CTL_HELP || (word->options & (1ULL << i)))) {
            *ret_option = (enum ctl_option)i;
            return true;
        }
    }
    return false;
}

static bool note(struct ctl_args *args, enum ctl_option option, char *value, struct err *err) {
    if (args->seen_count == CTL_SEEN_MAX)
        return err_set(err, ERR_USAGE, "more than %d options", CTL_SEEN_MAX);
    args->seen[args->seen_count].option = option;
    args->seen[args->seen_count++].value = value;
    return true;
}

/* One `--name[=value]`; *at moves past a value that stands apart. */
static bool take_option(struct ctl_args *args, char **argv, int argc, int *at, struct err *err) {
    char *text = argv[*at] + 2, *equals = strchr(text, '=');
    struct str name = equals ? str_of(text, (size_t)(equals - text)) : str_from(text);
    enum ctl_option option;

    /* The name is quoted only up to '=': a value may be a secret. */
    if (!find_option(args->word, name, &option))
        return err_set(err, ERR_USAGE, "keyferry %s knows no option --" STR_FMT, args->word->name,
                       STR_ARG(str_first(name, 60)));
    if (!rows[option].value && equals)
        return err_set(err, ERR_USAGE, "--%s takes no value", rows[option].name);
    if (!rows[option].value)
        return note(args, option, text + strlen(text), err);
    if (!equals && *at + 1 >= argc)
        return err_set(err, ERR_USAGE, "--%s needs a value: %s", rows[option].name,
                       rows[option].value);
    return note(args, option, equals ? equals + 1 : argv[++*at], err);
}

bool ctl_args_parse(struct ctl_args *args, const struct ctl_word *word, int argc, char **argv,
                    struct err *err) {
    bool options_end = false;

    *args = (struct ctl_args){.word = word};
    for (int i = 0; i < argc; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && strcmp(argv[i], "-h") == 0) {
            if (!note(args, CTL_HELP, argv[i], err))
                return false;
        } else if (!options_end && strncmp(argv[i], "--", 2) == 0) {
            if (!take_option(args, argv, argc, &i, err))
                return false;
        } else if (args->argument_count == CTL_ARGUMENTS_MAX ||
                   args->argument_count == word->arguments_max) {
            return err_set(err, ERR_USAGE, "keyferry %s takes no more than %zu argument%s",
                           word->name, word->arguments_max, word->arguments_max == 1 ? "" : "s");
        } else {
            args->argument[args->argument_count++] = argv[i];
        }
    }
    if (args->argument_count < word->arguments_min && !ctl_args_flag(args, CTL_HELP))
        return err_set(err, ERR_USAGE, "keyferry %s needs %s", word->name, word->arguments);
    return true;
}

char *ctl_args_value(const struct ctl_args *args, enum ctl_option option) {
    for (size_t i = args->seen_count; i > 0; i--) {
        if (args->seen[i - 1].option == option)
            return args->seen[i - 1].value;
    }
    return NULL;
}

bool ctl_args_help(const struct ctl_word *word, struct buf *out, struct err *err) {
    if (!buf_printf(out, err, "keyferry %s%s%s%s\n\n%s\n", word->name, *word->arguments ? " " : "",
                    word->arguments, word->options ? " [options]" : "", word->summary))
        return false;
    if (word->options && !buf_append(out, STR_LIT("\nOptions\n"), err))
        return false;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char left[64];

        if (!(word->options & (1ULL << i)))
            continue;
        snprintf(left, sizeof(left), "--%s%s%s", rows[i].name, rows[i].value ? " " : "",
                 rows[i].value ? rows[i].value : "");
        if (!buf_printf(out, err, "  %-36s %s\n", left, rows[i].help))
            return false;
    }
    return buf_printf(out, err, "\nExamples\n%s", word->examples);
}
