#include "services/net/egress.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* What nobody runs a Redis on and an attacker would like to reach. */
static const char always_denied[] = "0.0.0.0/8 ::/128 169.254.0.0/16 fe80::/10 224.0.0.0/4 "
                                    "255.255.255.255 ff00::/8 "
                                    "100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::/64 "
                                    "fd20:ce::254";

static bool matches(const struct egress_rule *rule, const uint8_t address[16]) {
    size_t whole = rule->bits / 8, rest = rule->bits % 8;

    if (memcmp(rule->address, address, whole) != 0)
        return false;
    return rest == 0 || ((rule->address[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

static bool any_matches(const struct egress_rule *rules, uint32_t count,
                        const uint8_t address[16]) {
    for (uint32_t i = 0; i < count; i++)
        if (matches(&rules[i], address))
            return true;
    return false;
}

bool egress_parse_block(struct str text, struct egress_rule *ret, struct err *err) {
    struct str rest = text, address = STR_EMPTY;
    char c_text[64] = "", shown[64];
    uint64_t bits, bits_max = 128;
    uint8_t *at = ret->address;
    bool slash = memchr(text.ptr, '/', text.len) != NULL;

    (void)str_cut(&rest, '/', &address);
    str_escape(text, shown, sizeof(shown));
    memset(ret, 0, sizeof(*ret));
    if (address.len < sizeof(c_text))
        memcpy(c_text, address.ptr, address.len);
    if (inet_pton(AF_INET, c_text, at + 12) == 1) {
        memcpy(at, mapped_prefix, sizeof(mapped_prefix));
        bits_max = 32;
    } else if (inet_pton(AF_INET6, c_text, at) != 1) {
        return err_set(err, ERR_CONFIG, "%s is no address and no CIDR block", shown);
    }
    bits = bits_max;
    if (slash && (!str_parse_u64(rest, &bits) || bits > bits_max))
        return err_set(err, ERR_CONFIG, "%s: the number behind the slash is 0 to %d", shown,
                       (int)bits_max);
    ret->bits = (uint8_t)(bits + (128 - bits_max));
    return true;
}

/* `words`: who takes the words `unix` and `loopback`; NULL where they have no meaning. */
static bool parse_list(struct str list, struct egress_rule *rules, uint32_t *ret_count,
                       struct egress *words, struct err *err) {
    uint32_t count = 0;

    while (list.len > 0) {
        size_t len = 0;

        while (len < list.len && !strchr(", \t\n", list.ptr[len]))
            len++;
        if (words && str_equal(str_first(list, len), STR_LIT("unix"))) {
            words->allow_unix = true;
        } else if (words && str_equal(str_first(list, len), STR_LIT("loopback"))) {
            words->allow_loopback = true;
        } else if (len > 0) {
            if (count == EGRESS_RULES_MAX)
                return err_set(err, ERR_CONFIG, "more than %d blocks", EGRESS_RULES_MAX);
            if (!egress_parse_block(str_first(list, len), &rules[count], err))
                return false;
            count++;
        }
        list = str_skip(list, len + 1);
    }
    *ret_count = count;
    return true;
}

bool egress_list_holds(struct str list, const char *address) {
    struct egress_rule rules[EGRESS_RULES_MAX], one;
    uint32_t count = 0;
    struct err err = ERR_INIT;
    size_t len = strcspn(address, "%"); /* fe80::1%eth0 */

    return parse_list(list, rules, &count, NULL, &err) &&
           egress_parse_block(str_of(address, len), &one, &err) &&
           any_matches(rules, count, one.address);
}

bool egress_parse(struct str allow, struct str deny, struct egress *ret, struct err *err) {
    memset(ret, 0, sizeof(*ret));
    if (!parse_list(allow, ret->allow, &ret->allow_count, ret, err))
        return err_wrap(err, "KEYFERRY_EGRESS_ALLOW");
    if (!parse_list(deny, ret->deny, &ret->deny_count, NULL, err))
        return err_wrap(err, "KEYFERRY_EGRESS_DENY");
    return true;
}

static bool is_this_machine(const struct egress *policy, const uint8_t address[16]) {
    static const uint8_t v6[16] = {[15] = 1};

    return memcmp(address, v6, 16) == 0 ||
           (memcmp(address, mapped_prefix, sizeof(mapped_prefix)) == 0 && address[12] == 127) ||
           any_matches(policy->local, policy->local_count, address);
}

/* The control database listens on more than the address we reach it by: on this machine its port
 * is its own everywhere. */
static bool is_own_database(const struct egress *policy, const uint8_t address[16], uint16_t port) {
    if (policy->own_port == 0 || port != policy->own_port)
        return false;
    return memcmp(address, policy->own_address, 16) == 0 ||
           (is_this_machine(policy, policy->own_address) && is_this_machine(policy, address));
}

static struct egress_rule fixed[16]; /* of always_denied */
static uint32_t fixed_count;

static void read_fixed(void) {
    struct err err = ERR_INIT;

    if (!parse_list(str_from(always_denied), fixed, &fixed_count, NULL, &err))
        abort();
}

static bool permits(const struct egress *policy, const uint8_t address[16]) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, read_fixed);
    if (any_matches(fixed, fixed_count, address) ||
        any_matches(policy->deny, policy->deny_count, address))
        return false;
    if (any_matches(policy->allow, policy->allow_count, address))
        return true;
    if (is_this_machine(policy, address))
        return policy->allow_loopback;
    return policy->allow_count == 0;
}

/* The IPv4 address that a translator would make of an IPv6 one. */
static bool embedded_v4(const uint8_t address[16], uint8_t ret_mapped[16]) {
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    static const uint8_t six_to_four[2] = {0x20, 0x02};
    static const uint8_t compatible[12] = {0};
    const uint8_t *v4 = NULL;

    if (memcmp(address, nat64, sizeof(nat64)) == 0)
        v4 = address + 12;
    else if (memcmp(address, six_to_four, sizeof(six_to_four)) == 0)
        v4 = address + 2;
    else if (memcmp(address, compatible, sizeof(compatible)) == 0 && (address[12] || address[13]))
        v4 = address + 12;
    if (!v4)
        return false;
    memcpy(ret_mapped, mapped_prefix, sizeof(mapped_prefix));
    memcpy(ret_mapped + 12, v4, 4);
    return true;
}

bool egress_permits(const struct egress *policy, const struct sockaddr *address) {
    uint8_t bytes[16], inner[16];
    uint16_t port;

    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, address, sizeof(in));
        memcpy(bytes, mapped_prefix, sizeof(mapped_prefix));
        memcpy(bytes + 12, &in.sin_addr, 4);
        port = ntohs(in.sin_port);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, address, sizeof(in6));
        memcpy(bytes, &in6.sin6_addr, 16);
        port = ntohs(in6.sin6_port);
    } else {
        return address->sa_family == AF_UNIX && policy->allow_unix;
    }
    if (!permits(policy, bytes) || is_own_database(policy, bytes, port))
        return false;
    return !embedded_v4(bytes, inner) ||
           (permits(policy, inner) && !is_own_database(policy, inner, port));
}

bool egress_own(struct egress *policy, const char *address, uint16_t port) {
    struct egress_rule rule;
    struct err none = ERR_INIT;

    if (!egress_parse_block(str_from(address), &rule, &none))
        return false;
    memcpy(policy->own_address, rule.address, 16);
    policy->own_port = port;
    return true;
}

/* Addresses of this machine's interfaces: what is reached by them is as near as loopback. */
static void find_local(struct egress *policy) {
    struct ifaddrs *list = NULL;

    if (getifaddrs(&list) != 0)
        return;
    for (struct ifaddrs *i = list; i && policy->local_count < EGRESS_LOCAL_MAX; i = i->ifa_next) {
        struct egress_rule *rule = &policy->local[policy->local_count];

        if (!i->ifa_addr)
            continue;
        rule->bits = 128;
        if (i->ifa_addr->sa_family == AF_INET) {
            memcpy(rule->address, mapped_prefix, sizeof(mapped_prefix));
            memcpy(rule->address + 12,
                   &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr, 4);
            policy->local_count++;
        } else if (i->ifa_addr->sa_family == AF_INET6) {
            memcpy(rule->address,
                   &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr, 16);
            policy->local_count++;
        }
    }
    freeifaddrs(list);
}

static bool read_process(struct egress *policy, struct err *err) {
    const char *own = getenv(EGRESS_OWN_NAME), *comma = own ? strchr(own, ',') : NULL;
    char address[64];

    if (!egress_parse(str_from(getenv("KEYFERRY_EGRESS_ALLOW")),
                      str_from(getenv("KEYFERRY_EGRESS_DENY")), policy, err))
        return false;
    find_local(policy);
    if (comma && (size_t)(comma - own) < sizeof(address)) {
        snprintf(address, sizeof(address), "%.*s", (int)(comma - own), own);
        (void)egress_own(policy, address, (uint16_t)atoi(comma + 1));
    }
    return true;
}

bool egress_of_process(const struct egress **ret, struct err *err) {
    static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;
    static struct egress policy;
    static bool read;
    bool ok;

    /* A check dials both ends at the same time. */
    pthread_mutex_lock(&reading);
    read = read || read_process(&policy, err);
    ok = read;
    pthread_mutex_unlock(&reading);
    if (ok)
        *ret = &policy;
    return ok;
}
