#include "services/net/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/net/endpoint_rules.h"

static char *dup_or_null(const char *text) {
    char *copy = text ? strdup(text) : NULL;

    if (text && !copy)
        abort();
    return copy;
}

void endpoint_done(struct endpoint *ep) {
    free(ep->address_map);
    free(ep->tls_ca_pem);
    free(ep->tls_client_cert_pem);
    *ep = ENDPOINT_INIT;
}

void credentials_done(struct credentials *cred) {
    secret_done(&cred->password);
    secret_done(&cred->client_key_pem);
    secret_done(&cred->sentinel_password);
}

struct endpoint endpoint_dup(const struct endpoint *ep) {
    struct endpoint copy = *ep;

    copy.tls_ca_pem = dup_or_null(ep->tls_ca_pem);
    copy.tls_client_cert_pem = dup_or_null(ep->tls_client_cert_pem);
    copy.address_map = endpoint_map_dup(ep);
    return copy;
}

void endpoint_make_label(struct endpoint *ep) {
    const char *open = strchr(ep->host, ':') ? "[" : "", *shut = *open ? "]" : "";
    char addresses[sizeof(ep->label) - ENDPOINT_MASTER_MAX - 16], database[12] = "";

    if (ep->database >= 0)
        snprintf(database, sizeof(database), "/%d", ep->database);
    endpoint_show_addresses(ep, addresses, sizeof(addresses));
    if (endpoint_is_group(ep) || endpoint_is_cluster(ep))
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
