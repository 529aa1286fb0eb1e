#include "web-api/etag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/secret/api_key.h"
#include "web-api/json_text.h"

void etag_format(struct str bytes, int64_t version, char dst[ETAG_SIZE]) {
    char digest[65] = "";

    api_key_sha256_hex(bytes, digest);
    snprintf(dst, ETAG_SIZE, "\"%lld.%.16s\"", (long long)version, digest);
}

/* Ours: what cannot be written here could not be answered either. */
static void write(struct buf *dst, const json_t *value) {
    struct err err = ERR_INIT;

    if (!json_text(dst, value, &err))
        abort();
}

void etag_add(json_t *body, int64_t version) {
    struct buf text = BUF_INIT(JSON_TEXT_MAX);
    char tag[ETAG_SIZE];

    write(&text, body);
    etag_format(buf_str(&text), version, tag);
    buf_done(&text);
    json_object_set_new(body, "etag", json_string(tag));
}

void etag_close(struct buf *text, size_t begin, int64_t version, char ret_tag[ETAG_SIZE]) {
    struct err err = ERR_INIT;
    char tag[ETAG_SIZE];

    etag_format(str_skip(buf_str(text), begin), version, tag);
    text->len--; /* its last brace comes again behind the tag, whose quotes are part of it */
    if (!buf_append(text, STR_LIT(",\"etag\":\"\\"), &err) ||
        !buf_append(text, str_of(tag, strlen(tag) - 1), &err) ||
        !buf_append(text, STR_LIT("\\\"\"}"), &err))
        abort();
    if (ret_tag)
        memcpy(ret_tag, tag, sizeof(tag));
}

/* "12.9f3a…" or "12" in quotes: the version. */
static bool tag_version(struct str tag, int64_t *ret_version) {
    struct str version;

    if (tag.len < 2 || tag.ptr[0] != '"' || tag.ptr[tag.len - 1] != '"')
        return false;
    tag = str_of(tag.ptr + 1, tag.len - 2);
    return str_cut(&tag, '.', &version) && str_parse_i64(version, ret_version);
}

bool etag_names_version(struct str header, int64_t version) {
    struct str one;
    int64_t named;

    while (str_cut(&header, ',', &one)) {
        one = str_trim(one);
        if (str_equal(one, STR_LIT("*")) || (tag_version(one, &named) && named == version))
            return true;
    }
    return false;
}

bool etag_is_named(struct str header, const char *tag) {
    struct str one;

    while (str_cut(&header, ',', &one)) {
        one = str_trim(one);
        if (str_starts_with(one, STR_LIT("W/")))
            one = str_skip(one, 2);
        if (str_equal(one, STR_LIT("*")) || str_equal(one, str_from(tag)))
            return true;
    }
    return false;
}
