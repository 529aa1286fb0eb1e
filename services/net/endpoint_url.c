/* endpoint_url.c - the part of endpoint.h that reads URLs. */
#include <string.h>

#include "services/net/endpoint_rules.h"

enum { URL_MAX = 4096 };

/* `dst` takes as many bytes as `from` has. */
static bool percent_decode(struct str from, char *dst, size_t *ret_len, struct err *err) {
    size_t len = 0;

    for (size_t i = 0; i < from.len; i++) {
        if (from.ptr[i] == '%') {
            int high = i + 2 < from.len ? str_hex_digit(from.ptr[i + 1]) : -1;
            int low = i + 2 < from.len ? str_hex_digit(from.ptr[i + 2]) : -1;

            if (high < 0 || low < 0)
                return err_set(err, ERR_VALIDATION,
                               "a %% is not followed by two hexadecimal digits "
                               "(write %%25 for a %%)");
            dst[len++] = (char)(high * 16 + low);
            i += 2;
        } else {
            dst[len++] = from.ptr[i];
        }
    }
    *ret_len = len;
    return true;
}

static bool parse_userinfo(struct str info, struct endpoint *ep, struct secret *password,
                           struct err *err) {
    struct str user = STR_EMPTY, pass = info;
    char decoded[URL_MAX];
    size_t len;
    bool ok;

    if (!info.len || !memchr(info.ptr, ':', info.len))
        return err_set(err, ERR_AMBIGUOUS_USERINFO,
                       "user info without a colon: clients disagree whether it is a user or a "
                       "password; write user:password@ or :password@");
    if (memchr(info.ptr, '@', info.len))
        return err_set(err, ERR_AMBIGUOUS_USERINFO,
                       "the user info holds an @ of its own: clients disagree where it ends; "
                       "write %%40 for it");
    (void)str_cut(&pass, ':', &user);
    if (!percent_decode(user, decoded, &len, err) ||
        !endpoint_set_username(ep, str_of(decoded, len), err))
        return false;
    ok = percent_decode(pass, decoded, &len, err) &&
         endpoint_check_password(str_of(decoded, len), err);
    if (ok) {
        secret_set(password, str_of(decoded, len));
        ep->has_password = len > 0;
    }
    explicit_bzero(decoded, sizeof(decoded));
    return ok;
}

static bool parse_port(struct str text, uint16_t *ret, struct err *err) {
    uint64_t port;

    if (!str_parse_u64(text, &port) || port < 1 || port > UINT16_MAX)
        return err_set(err, ERR_VALIDATION,
                       "the port is not a number from 1 to 65535 (a / ? # or @ in a password is "
                       "written as %%2F %%3F %%23 %%40)");
    *ret = (uint16_t)port;
    return true;
}

bool endpoint_parse_host_port(struct str text, struct endpoint *ep, struct err *err) {
    struct str host = text, port = STR_EMPTY;
    bool has_port = false;

    if (text.len > 0 && text.ptr[0] == '[') {
        const char *shut = memchr(text.ptr, ']', text.len);

        if (!shut)
            return err_set(err, ERR_VALIDATION, "the [ before an address is never closed");
        host = str_of(text.ptr + 1, (size_t)(shut - text.ptr - 1));
        port = str_skip(text, host.len + 2);
        if (!host.len || !memchr(host.ptr, ':', host.len))
            return err_set(err, ERR_VALIDATION, "only an IPv6 address stands in brackets");
        if (port.len > 0 && port.ptr[0] != ':')
            return err_set(err, ERR_VALIDATION, "after the ] comes a colon and the port");
        has_port = port.len > 0;
        port = str_skip(port, 1);
    } else if (text.len > 0 && memchr(text.ptr, ':', text.len)) {
        const char *colon = memchr(text.ptr, ':', text.len);

        host = str_of(text.ptr, (size_t)(colon - text.ptr));
        port = str_skip(text, host.len + 1);
        has_port = true;
        if (port.len > 0 && memchr(port.ptr, ':', port.len))
            return err_set(err, ERR_VALIDATION,
                           "more than one colon after the user info: an IPv6 address stands in "
                           "brackets");
    }
    return endpoint_set_host(ep, host, err) && (!has_port || parse_port(port, &ep->port, err));
}

static bool parse_database(struct str path, struct endpoint *ep, struct err *err) {
    uint64_t number;

    path = str_skip(path, 1); /* the slash */
    if (path.len == 0)
        return true;
    if (!str_parse_u64(path, &number) || number > ENDPOINT_DATABASE_MAX)
        return err_set(err, ERR_VALIDATION,
                       "the path of the URL is not a database number from 0 "
                       "to %d",
                       ENDPOINT_DATABASE_MAX);
    ep->database = (int)number;
    return true;
}

enum scheme_kind { SCHEME_SERVERS, SCHEME_SENTINEL, SCHEME_CLUSTER, SCHEME_UNIX, SCHEME_FILE };

struct scheme {
    const char *prefix;
    enum scheme_kind kind;
    bool tls;
};

static const struct scheme schemes[] = {
    {"redis://", SCHEME_SERVERS, false},
    {"rediss://", SCHEME_SERVERS, true},
    {"redis+sentinel://", SCHEME_SENTINEL, false},
    {"rediss+sentinel://", SCHEME_SENTINEL, true},
    {"redis+cluster://", SCHEME_CLUSTER, false},
    {"rediss+cluster://", SCHEME_CLUSTER, true},
    {"unix://", SCHEME_UNIX, false},
    {"file:", SCHEME_FILE, false},
};

static bool parse_scheme(struct str *url, const struct scheme **ret, struct err *err) {
    for (size_t i = 0; i < LENGTH_OF(schemes); i++) {
        struct str prefix = str_from(schemes[i].prefix), head = str_first(*url, prefix.len);

        if (!str_equal_nocase(head, prefix))
            continue;
        *ret = &schemes[i];
        *url = str_skip(*url, head.len);
        return true;
    }
    return err_set(err, ERR_VALIDATION,
                   "a URL starts with redis://, rediss:// or unix:// (a snapshot's with file:)");
}

static bool parse_file(struct str name, struct endpoint *ep, struct err *err) {
    char decoded[URL_MAX];
    size_t len;

    return percent_decode(name, decoded, &len, err) &&
           endpoint_set_file(ep, str_of(decoded, len), err);
}

/* Take the user info from the front of *rest, which then begins behind the @. */
static bool take_userinfo(struct str *rest, size_t end, struct endpoint *ep,
                          struct secret *password, struct err *err) {
    size_t at = end;

    while (at > 0 && rest->ptr[at - 1] != '@')
        at--;
    if (at > 0 && !parse_userinfo(str_first(*rest, at - 1), ep, password, err))
        return false;
    *rest = str_skip(*rest, at);
    return true;
}

/* /path[?db=n] */
static bool parse_unix(struct str url, struct endpoint *ep, struct secret *password,
                       struct err *err) {
    char decoded[URL_MAX];
    struct str path = STR_EMPTY, query, name = STR_LIT("db=");
    size_t end = 0, len;

    while (end < url.len && url.ptr[end] != '/')
        end++;
    if (!take_userinfo(&url, end, ep, password, err))
        return false;
    query = url;
    (void)str_cut(&query, '?', &path);
    if (path.len == 0 || path.ptr[0] != '/')
        return err_set(err, ERR_VALIDATION, "behind unix:// comes the whole path of the socket");
    if (path.len < url.len) {
        uint64_t number;

        if (!str_starts_with(query, name) || !str_parse_u64(str_skip(query, name.len), &number) ||
            number > ENDPOINT_DATABASE_MAX)
            return err_set(err, ERR_VALIDATION, "behind the path there can be ?db= and 0 to %d",
                           ENDPOINT_DATABASE_MAX);
        ep->database = (int)number;
    }
    return percent_decode(path, decoded, &len, err) &&
           endpoint_set_server(ep, str_of(decoded, len), err);
}

/* "/master[/db]": the name comes off the path. */
static bool take_master(struct str *path, struct endpoint *ep, struct err *err) {
    struct str rest = str_skip(*path, 1), name = STR_EMPTY;
    char decoded[URL_MAX];
    size_t len;

    (void)str_cut(&rest, '/', &name);
    *path = str_skip(*path, 1 + name.len);
    return percent_decode(name, decoded, &len, err) &&
           endpoint_set_sentinel_master(ep, str_of(decoded, len), err);
}

static bool parse_tcp(struct str url, enum scheme_kind kind, struct endpoint *ep,
                      struct secret *password, struct err *err) {
    bool sentinel = kind == SCHEME_SENTINEL;
    struct str path;
    size_t end = 0;

    while (end < url.len && !strchr("/?#", url.ptr[end]))
        end++;
    path = str_skip(url, end);
    if (path.len > 0 && (memchr(path.ptr, '?', path.len) || memchr(path.ptr, '#', path.len)))
        return err_set(err, ERR_VALIDATION, "the URL has a query or a fragment; neither is known");
    url = str_first(url, end);
    if (sentinel)
        ep->port = ENDPOINT_SENTINEL_PORT;
    ep->cluster = kind == SCHEME_CLUSTER;
    return take_userinfo(&url, end, ep, password, err) && endpoint_parse_addresses(url, ep, err) &&
           (!sentinel || take_master(&path, ep, err)) && parse_database(path, ep, err);
}

static bool parse_url(struct str url, struct endpoint *ep, struct secret *password,
                      struct err *err) {
    const struct scheme *scheme;

    if (url.len > URL_MAX)
        return err_set(err, ERR_VALIDATION, "the URL is longer than %d characters", URL_MAX);
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= ' ' || url.ptr[i] == 0x7f)
            return err_set(err, ERR_VALIDATION, "the URL holds a blank or a control character");
    if (!parse_scheme(&url, &scheme, err))
        return false;
    ep->tls = scheme->tls;
    return scheme->kind == SCHEME_FILE   ? parse_file(url, ep, err)
           : scheme->kind == SCHEME_UNIX ? parse_unix(url, ep, password, err)
                                         : parse_tcp(url, scheme->kind, ep, password, err);
}

bool endpoint_parse_url(struct str url, struct endpoint *ret, struct secret *ret_password,
                        struct err *err) {
    struct endpoint ep = ENDPOINT_INIT;
    struct secret password = SECRET_INIT;

    if (!parse_url(url, &ep, &password, err)) {
        secret_done(&password);
        return false;
    }
    endpoint_make_label(&ep);
    *ret = ep;
    *ret_password = password;
    return true;
}
