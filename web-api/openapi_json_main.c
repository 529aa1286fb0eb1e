/* openapi_json - the build step that turns openapi.yaml into a C constant.
 *
 *     openapi_json openapi.yaml examples.json out.c VERSION
 *
 * It reads a small part of YAML: block mappings and sequences, flow [..] and {..}
 * on one line, plain and quoted scalars on one line, literal `|` and folded `>`
 * text, comments. Everything else is an error with its line: the document is ours,
 * so a reader that guesses would hide mistakes. info.version becomes VERSION, the codes of
 * problems come from err_codes.def, and examples from the other file (openapi_examples.h).
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/buf.h"
#include "web-api/openapi_examples.h"

enum { LINES_MAX = 20000, TEXT_MAX = 4 * 1024 * 1024 };

struct line {
    int number;
    int indent;
    struct str text; /* without indentation, comment and trailing blanks */
    struct str raw;
};

struct reader {
    struct line *lines;
    size_t count, at;
};

static json_t *read_block(struct reader *r, int indent);

static void fail(int line, const char *what) {
    fprintf(stderr, "openapi.yaml:%d: %s\n", line, what);
    exit(1);
}

/* Where a comment begins: at a # behind a blank, outside quotes. */
static size_t comment_at(struct str s) {
    char quote = '\0';

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (quote) {
            if (c == '\\' && quote == '"')
                i++;
            else if (c == quote)
                quote = '\0';
        } else if (c == '"' || (c == '\'' && (i == 0 || strchr(" [{,:", s.ptr[i - 1])))) {
            quote = c;
        } else if (c == '#' && (i == 0 || s.ptr[i - 1] == ' ')) {
            return i;
        }
    }
    return s.len;
}

/* The next line that says something, or NULL at the end. */
static struct line *peek(struct reader *r) {
    while (r->at < r->count && r->lines[r->at].text.len == 0)
        r->at++;
    return r->at < r->count ? &r->lines[r->at] : NULL;
}

static void skip_blanks(struct str *s) {
    while (s->len > 0 && s->ptr[0] == ' ')
        *s = str_skip(*s, 1);
}

static json_t *read_quoted(struct str *s, int line) {
    char quote = s->ptr[0], *out = malloc(s->len + 1);
    size_t len = 0, i = 1;
    json_t *text;

    if (!out)
        abort();
    for (; i < s->len && s->ptr[i] != quote; i++) {
        char c = s->ptr[i];

        if (c == '\\' && quote == '"') {
            if (++i == s->len || !strchr("\\\"n", s->ptr[i]))
                fail(line, "only \\\\, \\\" and \\n may be escaped");
            c = s->ptr[i] == 'n' ? '\n' : s->ptr[i];
        }
        out[len++] = c;
    }
    if (i == s->len)
        fail(line, "a quote is not closed");
    *s = str_skip(*s, i + 1);
    text = json_stringn(out, len);
    free(out);
    if (!text)
        fail(line, "not UTF-8");
    return text;
}

static json_t *plain_value(struct str s, int line) {
    int64_t integer;
    char text[64], *end;

    if (str_equal(s, STR_LIT("true")) || str_equal(s, STR_LIT("false")))
        return json_boolean(s.ptr[0] == 't');
    if (str_equal(s, STR_LIT("null")) || str_equal(s, STR_LIT("~")))
        return json_null();
    if (str_parse_i64(s, &integer))
        return json_integer(integer);
    if (s.len > 0 && strchr("&*!|>%@`", s.ptr[0]))
        fail(line, "this part of YAML is not read here: quote it");
    if (s.len > 0 && s.len < sizeof(text) && strchr("-.0123456789", s.ptr[0])) {
        memcpy(text, s.ptr, s.len);
        text[s.len] = '\0';

        double number = strtod(text, &end);

        if (*end == '\0')
            return json_real(number);
    }

    json_t *value = json_stringn(s.ptr, s.len);

    if (!value)
        fail(line, "not UTF-8");
    return value;
}

/* A value within a flow collection ends at a comma or the closing bracket. */
static json_t *read_flow(struct str *s, int line) {
    skip_blanks(s);
    if (s->len == 0)
        fail(line, "a value is missing");
    if (s->ptr[0] == '"' || s->ptr[0] == '\'')
        return read_quoted(s, line);
    if (s->ptr[0] == '[' || s->ptr[0] == '{') {
        bool map = s->ptr[0] == '{';
        char end = map ? '}' : ']';
        json_t *all = map ? json_object() : json_array();

        *s = str_skip(*s, 1);
        for (skip_blanks(s); s->len > 0 && s->ptr[0] != end; skip_blanks(s)) {
            if (map) {
                json_t *key = read_flow(s, line);

                skip_blanks(s);
                if (s->len == 0 || s->ptr[0] != ':' || !json_is_string(key))
                    fail(line, "a member of {..} needs a text, a colon and a value");
                *s = str_skip(*s, 1);
                json_object_set_new(all, json_string_value(key), read_flow(s, line));
                json_decref(key);
            } else {
                json_array_append_new(all, read_flow(s, line));
            }
            skip_blanks(s);
            if (s->len > 0 && s->ptr[0] == ',')
                *s = str_skip(*s, 1);
        }
        if (s->len == 0)
            fail(line, "a bracket is not closed on its line");
        *s = str_skip(*s, 1);
        return all;
    }

    size_t len = 0;

    while (len < s->len && !strchr(",]}", s->ptr[len]) &&
           !(s->ptr[len] == ':' && (len + 1 == s->len || s->ptr[len + 1] == ' ')))
        len++;

    json_t *value = plain_value(str_trim(str_first(*s, len)), line);

    *s = str_skip(*s, len);
    return value;
}

static json_t *read_scalar(struct str s, int line) {
    json_t *value;

    if (!strchr("[{\"'", s.ptr[0]))
        return plain_value(s, line);
    value = read_flow(&s, line);
    skip_blanks(&s);
    if (s.len > 0)
        fail(line, "something stands behind the value");
    return value;
}

/* `|` keeps line ends, `>` folds them to blanks; a trailing `-` drops the last. */
static json_t *read_text_block(struct reader *r, struct str mark, int parent_indent) {
    struct buf text = BUF_INIT(TEXT_MAX);
    struct err err = ERR_INIT;
    int indent = -1;
    json_t *value;

    for (; r->at < r->count; r->at++) {
        const struct line *l = &r->lines[r->at];
        struct str content = str_trim(l->raw);

        if (content.len > 0) {
            int here = (int)(content.ptr - l->raw.ptr);

            if (here <= parent_indent)
                break;
            if (indent < 0)
                indent = here;
            content = str_skip(l->raw, (size_t)indent);
        }
        if (text.len > 0 && mark.ptr[0] == '>' && content.len > 0 && text.ptr[text.len - 1] == '\n')
            text.ptr[text.len - 1] = ' ';
        if (!buf_append(&text, content, &err) || !buf_append(&text, STR_LIT("\n"), &err))
            fail(l->number, "the text is too long");
    }
    while (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (mark.len == 1 && !buf_append(&text, STR_LIT("\n"), &err))
        fail(0, "the text is too long");
    value = json_stringn(buf_str(&text).ptr, buf_str(&text).len);
    buf_done(&text);
    if (!value)
        fail(0, "not UTF-8");
    return value;
}

/* Cut "key: rest" or "key:"; false when the text is no such thing. */
static bool cut_key(struct str text, json_t **ret_key, struct str *ret_rest, int line) {
    struct str rest = text;

    if (text.ptr[0] == '"' || text.ptr[0] == '\'') {
        *ret_key = read_quoted(&rest, line);
        if (rest.len > 0 && rest.ptr[0] == ':') {
            *ret_rest = str_trim(str_skip(rest, 1));
            return true;
        }
        json_decref(*ret_key);
        return false;
    }
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == ':' && (i + 1 == text.len || text.ptr[i + 1] == ' ')) {
            *ret_key = json_stringn(text.ptr, i);
            *ret_rest = str_trim(str_skip(text, i + 1));
            return true;
        }
    return false;
}

static bool is_item(struct str text) {
    return text.ptr[0] == '-' && (text.len == 1 || text.ptr[1] == ' ');
}

static json_t *read_value(struct reader *r, struct str rest, int indent, int line) {
    const struct line *next;

    if (rest.len > 0 && strchr("|>", rest.ptr[0]) &&
        (rest.len == 1 || (rest.len == 2 && rest.ptr[1] == '-')))
        return read_text_block(r, rest, indent);
    if (rest.len > 0)
        return read_scalar(rest, line);
    next = peek(r);
    if (next && (next->indent > indent || (next->indent == indent && is_item(next->text))))
        return read_block(r, next->indent);
    return json_null();
}

static json_t *read_mapping(struct reader *r, int indent) {
    json_t *object = json_object(), *key;
    struct line *l;
    struct str rest;

    while ((l = peek(r)) && l->indent == indent && !is_item(l->text)) {
        if (!cut_key(l->text, &key, &rest, l->number) || !key)
            fail(l->number, "expected `key: value`");
        if (json_object_get(object, json_string_value(key)))
            fail(l->number, "this key stands twice");
        r->at++;
        json_object_set_new(object, json_string_value(key), read_value(r, rest, indent, l->number));
        json_decref(key);
    }
    if (l && l->indent > indent)
        fail(l->number, "indented deeper than its neighbours");
    return object;
}

static json_t *read_sequence(struct reader *r, int indent) {
    json_t *array = json_array(), *key;
    struct line *l;

    while ((l = peek(r)) && l->indent == indent && is_item(l->text)) {
        struct str item = str_skip(l->text, 1), rest;

        skip_blanks(&item);
        if (item.len > 0 && !strchr("[{", item.ptr[0]) && cut_key(item, &key, &rest, l->number)) {
            /* A mapping that begins on the dash's line: read it as if it stood alone. */
            json_decref(key);
            l->indent += (int)(item.ptr - l->text.ptr);
            l->text = item;
            json_array_append_new(array, read_mapping(r, l->indent));
        } else {
            r->at++;
            json_array_append_new(array, read_value(r, item, indent, l->number));
        }
    }
    if (l && l->indent > indent)
        fail(l->number, "indented deeper than its neighbours");
    return array;
}

static json_t *read_block(struct reader *r, int indent) {
    const struct line *l = peek(r);

    return is_item(l->text) ? read_sequence(r, indent) : read_mapping(r, indent);
}

static void split_lines(struct reader *r, struct str rest) {
    struct str raw;

    while (str_cut(&rest, '\n', &raw)) {
        struct line *l = &r->lines[r->count];

        if (r->count == LINES_MAX)
            fail(LINES_MAX, "too many lines");
        if (memchr(raw.ptr, '\t', raw.len))
            fail((int)r->count + 1, "a tab");
        *l = (struct line){.number = (int)r->count + 1, .raw = raw};
        while ((size_t)l->indent < raw.len && raw.ptr[l->indent] == ' ')
            l->indent++;
        l->text = str_skip(raw, (size_t)l->indent);
        l->text = str_trim(str_first(l->text, comment_at(l->text)));
        r->count++;
    }
}

static bool read_file(const char *path, struct buf *out) {
    FILE *in = fopen(path, "rb");
    char chunk[65536];
    struct err err = ERR_INIT;
    size_t n;

    if (!in)
        return false;
    while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0)
        if (!buf_append(out, str_of(chunk, n), &err))
            break;
    fclose(in);
    return n == 0;
}

static bool write_constant(const char *path, const char *text) {
    FILE *out = fopen(path, "wb");
    size_t len = strlen(text);

    if (!out)
        return false;
    fputs("#include <stddef.h>\n#include \"web-api/openapi.h\"\n"
          "const char openapi_json_bytes[] = {\n",
          out);
    for (size_t i = 0; i < len; i++)
        fprintf(out, "%d,%s", (signed char)text[i], i % 24 == 23 ? "\n" : "");
    fprintf(out, "0};\nconst size_t openapi_json_len = %zu;\n", len);
    return fclose(out) == 0;
}

/* Every code a problem may have, from the table they are made of. */
static void add_codes(json_t *document) {
    static const struct {
        int status;
        const char *code, *title;
    } rows[] = {
#define ERR(symbol, status, retry, code, title) {status, code, title},
#include "proto/base/err_codes.def"
#undef ERR
    };
    json_t *code = json_object_get(
        json_object_get(
            json_object_get(json_object_get(json_object_get(document, "components"), "schemas"),
                            "Problem"),
            "properties"),
        "code");
    json_t *names = json_array(), *codes = json_array();

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_array_append_new(names, json_string(rows[i].code));
        json_array_append_new(codes, json_pack("{s:s, s:i, s:s}", "code", rows[i].code, "status",
                                               rows[i].status, "title", rows[i].title));
    }
    json_object_set_new(code, "enum", names);
    json_object_set_new(document, "x-problem-codes", codes);
}

int main(int argc, char **argv) {
    struct buf text = BUF_INIT(TEXT_MAX);
    struct reader r = {.lines = calloc(LINES_MAX, sizeof(struct line))};
    json_t *document, *examples;
    json_error_t why;
    char *json;
    int rc = 1;

    if (argc != 5 || !r.lines || !read_file(argv[1], &text)) {
        fprintf(stderr, "usage: openapi_json openapi.yaml examples.json out.c VERSION\n");
        return 2;
    }
    examples = json_load_file(argv[2], 0, &why);
    if (!examples) {
        fprintf(stderr, "%s:%d: %s\n", argv[2], why.line, why.text);
        return 1;
    }
    split_lines(&r, buf_str(&text));
    if (!peek(&r))
        fail(1, "the document is empty");
    document = read_block(&r, peek(&r)->indent);
    if (peek(&r))
        fail(peek(&r)->number, "not part of the document");
    json_object_set_new(json_object_get(document, "info"), "version", json_string(argv[4]));
    add_codes(document);
    openapi_examples_add(document, examples);
    json = json_dumps(document, JSON_COMPACT);
    if (json && write_constant(argv[3], json))
        rc = 0;
    free(json);
    json_decref(document);
    json_decref(examples);
    free(r.lines);
    buf_done(&text);
    return rc;
}
