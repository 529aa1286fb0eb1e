#include "services/net/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/net/endpoint_rules.h"

enum { URL_MAX = 4096 };

static char *dup_or_null(const char *text) {
    char *copy = text ? strdup(text) : NULL;

    if (text && !copy)
        abort();
    return copy;
}

void endpoint_done(struct endpoint *ep) {
    free(ep->tls_ca_pem);
    free(ep->tls_client_cert_pem);
    *ep = ENDPOINT_INIT;
}

void credentials_done(struct credentials *cred) {
    secret_done(&cred->password);
    secret_done(&cred->client_key_pem);
}

struct endpoint endpoint_dup(const struct endpoint *ep) {
    struct endpoint copy = *ep;

    copy.tls_ca_pem = dup_or_null(ep->tls_ca_pem);
    copy.tls_client_cert_pem = dup_or_null(ep->tls_client_cert_pem);
    return copy;
}

void endpoint_make_label(struct endpoint *ep) {
    const char *open = strchr(ep->host, ':') ? "[" : "", *shut = *open ? "]" : "";
    char addresses[sizeof(ep->label) - ENDPOINT_MASTER_MAX - 16], database[12] = "";

    if (ep->database >= 0)
        snprintf(database, sizeof(database), "/%d", ep->database);
    endpoint_show_addresses(ep, addresses, sizeof(addresses));
    if (endpoint_is_group(ep))
        snprintf(ep->label, sizeof(ep->label), "%s%s%s%s", ep->sentinel_master,
                 ep->sentinel_master[0] ? "@" : "", addresses, database);
    else if (endpoint_is_file(ep))
        snprintf(ep->label, sizeof(ep->label), "file:%s", ep->file);
    else if (endpoint_is_unix(ep) && ep->database >= 0)
        snprintf(ep->label, sizeof(ep->label), "unix:%s?db=%d", ep->host, ep->database);
    else if (endpoint_is_unix(ep))
        snprintf(ep->label, sizeof(ep->label), "unix:%s", ep->host);
    else if (ep->database >= 0)
        snprintf(ep->label, sizeof(ep->label), "%s%s%s:%u/%d", open, ep->host, shut, ep->port,
                 ep->database);
    else
        snprintf(ep->label, sizeof(ep->label), "%s%s%s:%u", open, ep->host, shut, ep->port);
}

void endpoint_server(const struct endpoint *ep, char dst[300]) {
    if (endpoint_is_unix(ep)) {
        snprintf(dst, 300, "%s", ep->host);
        return;
    }
    snprintf(dst, 300, strchr(ep->host, ':') ? "%.30s%s[%s]:%u" : "%.30s%s%s:%u",
             ep->sentinel_master, ep->sentinel_master[0] ? "@" : "", ep->host, ep->port);
    for (char *c = dst; *c; c++)
        *c = (char)tolower((unsigned char)*c);
}

/* Letters, digits, '-', '_' and '.'; or an IPv6 address when there is a colon. What
 * getaddrinfo would take as a short form of an address (127.1) is left to it: the
 * egress policy looks at what came out. */
bool endpoint_set_host(struct endpoint *ep, struct str host, struct err *err) {
    char text[ENDPOINT_HOST_MAX + 1];
    struct in6_addr address;

    if (host.len == 0)
        return err_set(err, ERR_VALIDATION, "the host is missing");
    if (host.len > ENDPOINT_HOST_MAX)
        return err_set(err, ERR_VALIDATION, "the host is longer than %d characters",
                       ENDPOINT_HOST_MAX);
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    if (memchr(host.ptr, ':', host.len)) {
        if (strlen(text) != host.len || inet_pton(AF_INET6, text, &address) != 1)
            return err_set(err, ERR_VALIDATION, "the host is no name and no address");
    } else {
        for (size_t i = 0; i < host.len; i++) {
            char c = host.ptr[i];
            bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

            if (!letter && !(c >= '0' && c <= '9') && !(c && strchr("-_.", c)))
                return err_set(err, ERR_VALIDATION,
                               "the host holds a character that no host name has");
        }
        if (host.ptr[0] == '-' || host.ptr[0] == '.')
            return err_set(err, ERR_VALIDATION, "the host is no name and no address");
    }
    memcpy(ep->host, text, host.len + 1);
    return true;
}

static bool is_utf8_text(struct str s) {
    /* What cannot be said in JSON could be neither stored nor handed on. */
    json_t *probe = json_stringn(s.len ? s.ptr : "", s.len);
    bool ok = probe && (s.len == 0 || !memchr(s.ptr, '\0', s.len));

    json_decref(probe);
    return ok;
}

static bool has_control(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
            return true;
    return false;
}

bool endpoint_set_server(struct endpoint *ep, struct str text, struct err *err) {
    if (text.len == 0 || text.ptr[0] != '/')
        return endpoint_set_host(ep, text, err);
    if (text.len > ENDPOINT_SOCKET_MAX)
        return err_set(err, ERR_VALIDATION, "the path of the socket is longer than %d bytes",
                       ENDPOINT_SOCKET_MAX);
    if (!is_utf8_text(text) || has_control(text))
        return err_set(err, ERR_VALIDATION,
                       "the path of the socket is not UTF-8 text without control characters");
    memcpy(ep->host, text.ptr, text.len);
    ep->host[text.len] = '\0';
    return true;
}

bool endpoint_set_file(struct endpoint *ep, struct str name, struct err *err) {
    struct str rest = name, part;

    if (name.len == 0)
        return err_set(err, ERR_VALIDATION, "the name of the file is missing");
    if (name.len > ENDPOINT_FILE_MAX)
        return err_set(err, ERR_VALIDATION, "the name of the file is longer than %d bytes",
                       ENDPOINT_FILE_MAX);
    if (!is_utf8_text(name))
        return err_set(err, ERR_VALIDATION, "the name of the file is not UTF-8 text");
    if (has_control(name))
        return err_set(err, ERR_VALIDATION, "the name of the file holds a control character");
    if (name.ptr[0] == '/')
        return err_set(err, ERR_VALIDATION,
                       "a file is named below the service's import directory: file:NAME, without "
                       "a slash before it");
    while (str_cut(&rest, '/', &part))
        if (part.len == 0 || str_equal(part, STR_LIT(".")) || str_equal(part, STR_LIT("..")))
            return err_set(err, ERR_VALIDATION,
                           "the name of the file may not leave the import directory: no part of "
                           "it is empty, \".\" or \"..\"");
    if (name.ptr[name.len - 1] == '/')
        return err_set(err, ERR_VALIDATION, "the name of the file ends with a slash");
    memcpy(ep->file, name.ptr, name.len);
    ep->file[name.len] = '\0';
    return true;
}

bool endpoint_set_username(struct endpoint *ep, struct str name, struct err *err) {
    if (name.len > ENDPOINT_USERNAME_MAX)
        return err_set(err, ERR_VALIDATION, "the user name is longer than %d bytes",
                       ENDPOINT_USERNAME_MAX);
    if (!is_utf8_text(name))
        return err_set(err, ERR_VALIDATION, "the user name is not UTF-8 text");
    if (name.len > 0)
        memcpy(ep->username, name.ptr, name.len);
    ep->username[name.len] = '\0';
    return true;
}

bool endpoint_check_password(struct str password, struct err *err) {
    if (password.len > ENDPOINT_PASSWORD_MAX)
        return err_set(err, ERR_VALIDATION, "the password is longer than %d bytes",
                       ENDPOINT_PASSWORD_MAX);
    if (!is_utf8_text(password))
        return err_set(err, ERR_VALIDATION, "the password is not UTF-8 text");
    return true;
}

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

enum scheme {
    SCHEME_LATER,
    SCHEME_TCP,
    SCHEME_TLS,
    SCHEME_SENTINEL,
    SCHEME_SENTINEL_TLS,
    SCHEME_UNIX,
    SCHEME_FILE,
};

static const struct {
    const char *prefix;
    enum scheme scheme;
} schemes[] = {
    {"redis://", SCHEME_TCP},
    {"rediss://", SCHEME_TLS},
    {"redis+sentinel://", SCHEME_SENTINEL},
    {"rediss+sentinel://", SCHEME_SENTINEL_TLS},
    {"redis+cluster://", SCHEME_LATER},
    {"rediss+cluster://", SCHEME_LATER},
    {"unix://", SCHEME_UNIX},
    {"file:", SCHEME_FILE},
};

static bool parse_scheme(struct str *url, enum scheme *ret, struct err *err) {
    for (size_t i = 0; i < LENGTH_OF(schemes); i++) {
        struct str prefix = str_from(schemes[i].prefix), head = str_first(*url, prefix.len);

        if (!str_equal_nocase(head, prefix))
            continue;
        if (schemes[i].scheme == SCHEME_LATER)
            return err_set(err, ERR_NOT_SUPPORTED_YET, "%s is not supported yet",
                           schemes[i].prefix);
        *ret = schemes[i].scheme;
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

static bool parse_tcp(struct str url, bool sentinel, struct endpoint *ep, struct secret *password,
                      struct err *err) {
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
    return take_userinfo(&url, end, ep, password, err) && endpoint_parse_addresses(url, ep, err) &&
           (!sentinel || take_master(&path, ep, err)) && parse_database(path, ep, err);
}

static bool parse_url(struct str url, struct endpoint *ep, struct secret *password,
                      struct err *err) {
    enum scheme scheme;

    if (url.len > URL_MAX)
        return err_set(err, ERR_VALIDATION, "the URL is longer than %d characters", URL_MAX);
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= ' ' || url.ptr[i] == 0x7f)
            return err_set(err, ERR_VALIDATION, "the URL holds a blank or a control character");
    if (!parse_scheme(&url, &scheme, err))
        return false;
    ep->tls = scheme == SCHEME_TLS || scheme == SCHEME_SENTINEL_TLS;
    return scheme == SCHEME_FILE ? parse_file(url, ep, err)
           : scheme == SCHEME_UNIX
               ? parse_unix(url, ep, password, err)
               : parse_tcp(url, scheme == SCHEME_SENTINEL || scheme == SCHEME_SENTINEL_TLS, ep,
                           password, err);
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
