#include "services/ctl/ctl_secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "services/ctl/files.h"
#include "services/secret/secret.h"

enum { PASSWORD_MAX = 512, PEM_MAX = 64 * 1024, URL_MAX = 4096 };

struct end_options {
    const char *word, *environment;
    enum ctl_option password, ca, cert, key, server_name;
};

static const struct end_options ends[] = {
    [CTL_SOURCE] = {"source", "KEYFERRY_SOURCE_PASSWORD", CTL_SOURCE_PASSWORD_FILE, CTL_SOURCE_CA,
                    CTL_SOURCE_CERT, CTL_SOURCE_KEY, CTL_SOURCE_SERVER_NAME},
    [CTL_DESTINATION] = {"destination", "KEYFERRY_DESTINATION_PASSWORD", CTL_DEST_PASSWORD_FILE,
                         CTL_DEST_CA, CTL_DEST_CERT, CTL_DEST_KEY, CTL_DEST_SERVER_NAME},
};

/* Up to the last '@': a password that should have been encoded is hidden too. */
bool ctl_secrets_find(const char *url, size_t *ret_at, size_t *ret_len) {
    const char *user = strstr(url, "://"), *at = strrchr(url, '@'), *colon;

    if (!user || !at || at < user + 3)
        return false;
    colon = memchr(user + 3, ':', (size_t)(at - user - 3));
    if (!colon || at == colon + 1)
        return false;
    *ret_at = (size_t)(colon + 1 - url);
    *ret_len = (size_t)(at - colon - 1);
    return true;
}

int ctl_secrets_take_arguments(int argc, char **argv) {
    int taken = 0;

    for (int i = 1; i < argc; i++) {
        size_t at, len;
        char *copy;

        if (!ctl_secrets_find(argv[i], &at, &len))
            continue;
        copy = strdup(argv[i]);
        if (!copy)
            abort();
        memset(argv[i] + at, '*', len);
        argv[i] = copy;
        taken++;
    }
    return taken;
}

/* One line: what editors and `echo` put behind it is not part of a password. */
static bool read_password(const char *path, struct secret *ret, struct err *err) {
    char text[PASSWORD_MAX + 3];
    size_t len = 0;
    bool ok = true;

    if (strcmp(path, "-") == 0) {
        ssize_t got;

        while (len < sizeof(text) - 1 &&
               (got = read(STDIN_FILENO, text + len, sizeof(text) - 1 - len)) > 0) {
            len += (size_t)got;
            if (memchr(text, '\n', len))
                break;
        }
        text[len] = '\0';
    } else {
        ok = files_read(path, text, sizeof(text), &len, err) ||
             err_recode(err, ERR_USAGE, "the password");
    }
    if (ok) {
        len = strcspn(text, "\r\n");
        ok = (len > 0 && len <= PASSWORD_MAX) ||
             err_set(err, ERR_USAGE, "the password file %s holds %s", path,
                     len ? "more than 512 bytes" : "no password in its first line");
    }
    if (ok)
        secret_set(ret, str_of(text, len));
    explicit_bzero(text, sizeof(text));
    return ok;
}

static bool separate_password(const struct ctl_args *args, const struct end_options *end,
                              struct secret *ret, struct err *err) {
    const char *path = ctl_args_value(args, end->password);
    char *value = getenv(end->environment);

    if (path)
        return read_password(path, ret, err);
    if (value && *value) {
        secret_set(ret, str_from(value));
        explicit_bzero(value, strlen(value)); /* /proc shows the environment, too */
    }
    return true;
}

static bool append_encoded(struct buf *out, struct str bytes, struct err *err) {
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '-' || c == '_' || c == '.' || c == '~';

        if (plain ? !buf_append(out, str_of(&c, 1), err) : !buf_printf(out, err, "%%%02X", c))
            return false;
    }
    return true;
}

bool ctl_secrets_url(struct str url, struct str password, struct buf *out, struct err *err) {
    struct str rest = url, user = STR_EMPTY, authority;
    size_t scheme = 0;
    const char *at;

    while (scheme + 3 <= url.len && memcmp(url.ptr + scheme, "://", 3) != 0)
        scheme++;
    if (scheme == 0 || scheme + 3 > url.len)
        return err_set(err, ERR_USAGE, "a server is named as redis://HOST[:PORT]");
    rest = str_skip(url, scheme + 3);
    authority = rest;
    for (size_t i = 0; i < rest.len; i++) {
        if (memchr("/?#", rest.ptr[i], 3)) {
            authority = str_first(rest, i);
            break;
        }
    }
    at = authority.len ? memrchr(authority.ptr, '@', authority.len) : NULL;
    if (at) {
        user = str_of(authority.ptr, (size_t)(at - authority.ptr));
        rest = str_skip(rest, user.len + 1);
    }
    if (user.len && memchr(user.ptr, ':', user.len)) {
        if (user.ptr[user.len - 1] != ':')
            return err_set(err, ERR_USAGE, "the password is given twice: in the URL and beside it");
        user.len--;
    }
    return buf_append(out, str_first(url, scheme + 3), err) && buf_append(out, user, err) &&
           buf_append(out, STR_LIT(":"), err) && append_encoded(out, password, err) &&
           buf_append(out, STR_LIT("@"), err) && buf_append(out, rest, err);
}

static bool add_pem(json_t *tls, const char *member, const char *path, struct err *err) {
    char *text;
    size_t len;
    bool ok;

    if (!path)
        return true;
    text = malloc(PEM_MAX + 1);
    if (!text)
        abort();
    ok = files_read(path, text, PEM_MAX + 1, &len, err) || err_recode(err, ERR_USAGE, "%s", member);
    if (ok && json_object_set_new(tls, member, json_stringn(text, len)) != 0)
        ok = err_set(err, ERR_USAGE, "%s is no PEM file", path);
    explicit_bzero(text, PEM_MAX + 1);
    free(text);
    return ok;
}

static bool add_tls(const struct ctl_args *args, const struct end_options *end, json_t *reference,
                    struct err *err) {
    const char *name = ctl_args_value(args, end->server_name);
    json_t *tls = json_object();
    bool ok = add_pem(tls, "ca_pem", ctl_args_value(args, end->ca), err) &&
              add_pem(tls, "client_cert_pem", ctl_args_value(args, end->cert), err) &&
              add_pem(tls, "client_key_pem", ctl_args_value(args, end->key), err);

    if (ok && name && json_object_set_new(tls, "server_name", json_string(name)) != 0)
        ok = err_set(err, ERR_USAGE, "--%s-server-name is not UTF-8", end->word);
    if (ok && json_object_size(tls) > 0)
        json_object_set(reference, "tls", tls);
    json_decref(tls);
    return ok;
}

bool ctl_secrets_endpoint(const struct ctl_args *args, enum ctl_end which, const char *url,
                          json_t **ret, struct err *err) {
    const struct end_options *end = &ends[which];
    struct secret password = SECRET_INIT;
    struct buf full = BUF_INIT(URL_MAX);
    json_t *reference = json_object();
    bool ok = separate_password(args, end, &password, err);

    if (ok && secret_str(&password).len)
        ok = ctl_secrets_url(str_from(url), secret_str(&password), &full, err);
    else if (ok)
        ok = buf_append(&full, str_from(url), err);
    if (ok &&
        json_object_set_new(reference, "url", json_stringn(full.ptr ? full.ptr : "", full.len)))
        ok = err_set(err, ERR_USAGE, "the URL is not UTF-8");
    ok = ok && add_tls(args, end, reference, err);
    if (full.ptr)
        explicit_bzero(full.ptr, full.cap);
    buf_done(&full);
    secret_done(&password);
    if (ok)
        *ret = reference;
    else
        (void)err_wrap(err, "%s", end->word);
    if (!ok)
        json_decref(reference);
    return ok;
}
