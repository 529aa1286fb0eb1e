/* Resolving, connecting, TLS and login of both ends: one attempt was made
 * (check_end_open), and these say which step of it failed. */
#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "services/precheck/check_run.h"

enum { CERTIFICATE_WARN_DAYS = 30 };

static bool is_address(const char *host) {
    unsigned char address[16];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* The step was not reached: what it would have said is not known. */
static bool skip_step(const struct check_end *end, struct check_finding *f) {
    return check_skip(f, "Not tried: an earlier step of connecting to %s failed", end->ep.label);
}

static bool fail_step(const struct check_end *end, struct check_finding *f) {
    const char *why = end->failure.frame[0]; /* the root cause */

    check_observed(f, "%s", why);
    if (strstr(why, end->ep.label))
        return check_fail(f, "%c%s", toupper((unsigned char)why[0]), why + 1);
    return check_fail(f, "%s: %s", end->ep.label, why);
}

static bool resolves(const struct check_end *end, struct check_finding *f) {
    if (end->failed_at == CHECK_STAGE_RESOLVED)
        return fail_step(end, f);
    if (end->reached < CHECK_STAGE_RESOLVED && end->failed_at != CHECK_STAGE_CONNECTED)
        return skip_step(end, f);
    if (endpoint_is_unix(&end->ep))
        return check_skip(f, "%s is a socket of this machine", end->ep.host);
    if (is_address(end->ep.host))
        return check_pass(f, "%s is an address", end->ep.host);
    return check_pass(f, "%s resolves", end->ep.host);
}

/* A firewall, most likely: whoever runs it has to know what to let in. */
static void remedy_for_connect(const struct check_run *run, struct check_finding *f) {
    const json_t *list = json_object_get(json_object_get(run->message, "worker"), "egress");
    char text[200] = "";
    const json_t *one;
    size_t i, used = 0;

    json_array_foreach((json_t *)(uintptr_t)list, i, one) {
        const char *address = json_string_value(one);

        if (address && used + strlen(address) + 3 < sizeof(text))
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used ? ", " : "",
                                     address);
    }
    if (used > 0)
        check_remedy(f,
                     "Is the server running? Let in what this service connects from, %s (GET "
                     "/v1/egress-addresses): in the firewall, in bind and in protected-mode",
                     text);
}

static bool connects(const struct check_run *run, const struct check_end *end,
                     struct check_finding *f) {
    if (end->failed_at == CHECK_STAGE_CONNECTED) {
        if (strstr(end->failure.frame[0], "may not dial"))
            check_remedy(f, "Use another address, or have the operator of this service allow it");
        else if (!endpoint_is_unix(&end->ep))
            remedy_for_connect(run, f);
        return fail_step(end, f);
    }
    if (end->reached < CHECK_STAGE_CONNECTED)
        return skip_step(end, f);
    return check_pass(f, "%s accepts connections", end->ep.label);
}

static void remedy_for_tls(const struct check_end *end, struct check_finding *f) {
    const struct err *why = &end->failure;

    if (why->code == ERR_TIMEOUT || why->code == ERR_CLOSED ||
        strstr(why->frame[0], "wrong version number"))
        check_remedy(f, "What listens there does not speak TLS: check the port, or use redis:// "
                        "instead of rediss://");
    else if (end->client_certificate_days < 0)
        check_remedy(f, "The client certificate has expired: renew it and its key");
    else if (strstr(why->frame[0], "certificate required"))
        check_remedy(f, "The server demands a client certificate: give tls.client_cert_pem and its "
                        "key");
    else if (strstr(why->frame[0], "client certificate"))
        check_remedy(f, "Give tls.client_cert_pem and the key that belongs to it");
    else if (strstr(why->frame[0], "mismatch"))
        check_remedy(f, "Use a name that is in the server's certificate, or give it as "
                        "tls.server_name");
}

/* Says how long both certificates are good, and warns when that is not for long. */
static bool expires_soon(const struct check_end *end, struct check_finding *f) {
    int32_t server = end->certificate_days, client = end->client_certificate_days;
    char ours[48] = "";

    check_threshold(f, "valid for %d days", CERTIFICATE_WARN_DAYS);
    if (client != INT32_MAX)
        snprintf(ours, sizeof(ours), ", client certificate %d", (int)client);
    if (server != INT32_MAX)
        check_observed(f, "days left: %d%s", (int)server, ours);
    if (server < CERTIFICATE_WARN_DAYS) {
        check_remedy(f, "Renew the server's certificate before the migration starts");
        return check_warn(f, "The certificate of %s expires in %d days", end->ep.label,
                          (int)server);
    }
    if (client < CERTIFICATE_WARN_DAYS) {
        check_remedy(f, "Renew the client certificate (tls.client_cert_pem and its key) before the "
                        "migration starts");
        return check_warn(f, "The client certificate for %s expires in %d days", end->ep.label,
                          (int)client);
    }
    return false;
}

static bool has_tls(const struct check_end *end, struct check_finding *f) {
    if (!end->ep.tls)
        return check_skip(f, "TLS is not asked for");
    if (end->failed_at == CHECK_STAGE_SECURED) {
        remedy_for_tls(end, f);
        return fail_step(end, f);
    }
    if (end->reached < CHECK_STAGE_SECURED)
        return skip_step(end, f);
    if (expires_soon(end, f))
        return true;
    if (end->ep.tls_verify == ENDPOINT_VERIFY_NONE) {
        check_remedy(f, "Set tls.verify to full");
        return check_warn(f, "The certificate of %s is not verified: tls.verify is none",
                          end->ep.label);
    }
    return check_pass(f, "TLS with %s stands and its certificate is valid", end->ep.label);
}

/* The owner's role did not give the login. */
static bool is_refused_by_role(const struct check_end *end) {
    return end->failure.code == ERR_ROLE_NOT_TRUSTED || end->failure.code == ERR_ROLE_PERMISSION ||
           end->failure.code == ERR_ROLE_REVOKED;
}

static bool role_lets_in(const struct check_run *run, const struct check_end *end,
                         struct check_finding *f) {
    const json_t *reference = json_object_get(json_object_get(run->spec, end->name), "reference");
    const char *role = json_string_value(json_object_get(reference, "role_name"));

    if (is_refused_by_role(end))
        return fail_step(end, f);
    if (!role)
        return check_skip(f, "The %s is reached by no role", end->name);
    check_observed(f, "%s", role);
    return check_pass(f, "The role %s lets this account in", role);
}

static bool logs_in(const struct check_end *end, struct check_finding *f) {
    const struct err *why = &end->failure;

    if (end->reached == CHECK_STAGE_LOGGED_IN)
        return check_pass(f, "Logged in as %s", check_user(end));
    if (is_refused_by_role(end))
        return check_skip(f, "Not tried: the role does not give a login");
    if (end->failed_at != CHECK_STAGE_LOGGED_IN)
        return skip_step(end, f);
    if (why->code == ERR_TIMEOUT || why->code == ERR_CLOSED || why->code == ERR_PROTOCOL ||
        why->code == ERR_TOO_BIG)
        check_remedy(f,
                     "What listens there does not answer as a Redis or Valkey server "
                     "does: check the port, and whether it wants %s",
                     end->ep.tls ? "a client certificate (tls.client_cert_pem and its key)"
                                 : "rediss:// (TLS)");
    else if (strstr(why->frame[0], "DENIED"))
        check_remedy(f, "The server is in protected mode: give it a password and a bind address, "
                        "or set protected-mode to no");
    else if (strstr(why->frame[0], "NOAUTH"))
        check_remedy(f, "The server demands a login: give user and password");
    else if (strstr(why->frame[0], "without any password configured") ||
             strstr(why->frame[0], "no password is set"))
        check_remedy(f, "The server has no password: leave the password empty");
    return fail_step(end, f);
}

bool check_src_dns(struct check_run *run, struct check_finding *ret, struct err *err) {
    (void)err;
    return resolves(&run->source, ret);
}

bool check_src_connect(struct check_run *run, struct check_finding *ret, struct err *err) {
    (void)err;
    return connects(run, &run->source, ret);
}

bool check_src_tls(struct check_run *run, struct check_finding *ret, struct err *err) {
    (void)err;
    return has_tls(&run->source, ret);
}

bool check_src_auth(struct check_run *run, struct check_finding *ret, struct err *err) {
    (void)err;
    return logs_in(&run->source, ret);
}

/* Without a login the server must let us in as it is; src.auth says the rest. */
bool check_src_secret_free(struct check_run *run, struct check_finding *ret, struct err *err) {
    const struct check_end *end = &run->source;

    (void)err;
    if (end->ep.username[0] || end->ep.has_password)
        return check_skip(ret, "A login is given");
    if (end->reached == CHECK_STAGE_LOGGED_IN)
        return check_pass(ret, "The source lets us in without a password");
    if (strstr(end->failure.frame[0], "NOAUTH"))
        return check_fail(ret, "The source demands a password and none was given");
    return skip_step(end, ret);
}

bool check_src_role_session(struct check_run *run, struct check_finding *ret, struct err *err) {
    (void)err;
    return role_lets_in(run, &run->source, ret);
}

bool check_dst_role_session(struct check_run *run, struct check_finding *ret, struct err *err) {
    (void)err;
    return role_lets_in(run, &run->destination, ret);
}

bool check_dst_dns(struct check_run *run, struct check_finding *ret, struct err *err) {
    (void)err;
    return resolves(&run->destination, ret);
}

bool check_dst_connect(struct check_run *run, struct check_finding *ret, struct err *err) {
    (void)err;
    return connects(run, &run->destination, ret);
}

bool check_dst_tls(struct check_run *run, struct check_finding *ret, struct err *err) {
    (void)err;
    return has_tls(&run->destination, ret);
}

bool check_dst_auth(struct check_run *run, struct check_finding *ret, struct err *err) {
    (void)err;
    return logs_in(&run->destination, ret);
}
