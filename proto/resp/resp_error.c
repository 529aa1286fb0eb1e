#include "proto/resp/resp_error.h"

struct class_row {
    const char *name;
    enum err_code destination, source;
};

static const struct class_row classes[RESP_ERROR_COUNT] = {
#define RESP_ERROR_CLASS(symbol, destination_code, source_code)                                    \
    [RESP_ERROR_##symbol] = {#symbol, ERR_##destination_code, ERR_##source_code},
#include "proto/resp/resp_error.def"
#undef RESP_ERROR_CLASS
};

struct text_row {
    enum resp_error error;
    struct str begins;
};

static const struct text_row texts[] = {
#define RESP_ERROR_TEXT(symbol, text) {RESP_ERROR_##symbol, {(text), sizeof(text) - 1}},
#include "proto/resp/resp_error.def"
#undef RESP_ERROR_TEXT
};

static enum resp_error class_of(struct str text) {
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        if (text.len >= texts[i].begins.len &&
            str_equal_nocase(str_first(text, texts[i].begins.len), texts[i].begins))
            return texts[i].error;
    }
    return RESP_ERROR_OTHER;
}

enum resp_error resp_error_class(struct str text) {
    /* From 6.2 on EXEC itself is refused so, for what every command before it was not yet. */
    const struct str aborted = STR_LIT("EXECABORT Transaction discarded because of: ");
    enum resp_error cause =
        str_starts_with(text, aborted) ? class_of(str_skip(text, aborted.len)) : RESP_ERROR_OTHER;

    return cause != RESP_ERROR_OTHER ? cause : class_of(text);
}

enum err_code resp_error_destination(enum resp_error error) {
    return classes[error].destination;
}

enum err_code resp_error_source(enum resp_error error) {
    return classes[error].source;
}

/* `text` up to where `mark` begins. */
static struct str before(struct str text, struct str mark) {
    const char *at = memmem(text.ptr, text.len, mark.ptr, mark.len);

    return at ? str_first(text, (size_t)(at - text.ptr)) : text;
}

struct str resp_error_shown(struct str text) {
    enum resp_error class = resp_error_class(text);
    struct str shown = before(text, STR_LIT(", with args"));

    if (class == RESP_ERROR_NOGROUP)
        return before(text, STR_LIT("'"));
    /* What a script says is its author's, but for the errors of servers that it passes on. */
    if (before(text, STR_LIT("user_script")).len == text.len)
        return shown;
    return class == RESP_ERROR_OTHER ? before(text, STR_LIT(" "))
                                     : before(shown, STR_LIT(" script: "));
}

const char *resp_error_name(enum resp_error error) {
    return classes[error].name;
}
