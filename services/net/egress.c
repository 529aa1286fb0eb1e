#include "services/net/egress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
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

/* `ret_unix`: whether the word `unix` was there; NULL where it has no meaning. */
static bool parse_list(struct str list, struct egress_rule *rules, uint32_t *ret_count,
                       bool *ret_unix, struct err *err) {
    uint32_t count = 0;
    bool allow_unix = false;

    while (list.len > 0) {
        size_t len = 0;

        while (len < list.len && !strchr(", \t\n", list.ptr[len]))
            len++;
        if (ret_unix && str_equal(str_first(list, len), STR_LIT("unix"))) {
            allow_unix = true;
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
    if (ret_unix)
        *ret_unix = allow_unix;
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
    if (!parse_list(allow, ret->allow, &ret->allow_count, &ret->allow_unix, err))
        return err_wrap(err, "KEYFERRY_EGRESS_ALLOW");
    if (!parse_list(deny, ret->deny, &ret->deny_count, NULL, err))
        return err_wrap(err, "KEYFERRY_EGRESS_DENY");
    return true;
}

static bool permits(const struct egress *policy, const uint8_t address[16]) {
    static struct egress_rule fixed[16];
    static uint32_t fixed_count;

    if (fixed_count == 0) {
        struct err err = ERR_INIT;

        if (!parse_list(str_from(always_denied), fixed, &fixed_count, NULL, &err))
            abort();
    }
    return !any_matches(fixed, fixed_count, address) &&
           !any_matches(policy->deny, policy->deny_count, address) &&
           (policy->allow_count == 0 || any_matches(policy->allow, policy->allow_count, address));
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

    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, address, sizeof(in));
        memcpy(bytes, mapped_prefix, sizeof(mapped_prefix));
        memcpy(bytes + 12, &in.sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, address, sizeof(in6));
        memcpy(bytes, &in6.sin6_addr, 16);
    } else {
        return address->sa_family == AF_UNIX && policy->allow_unix;
    }
    return permits(policy, bytes) && (!embedded_v4(bytes, inner) || permits(policy, inner));
}

bool egress_of_process(const struct egress **ret, struct err *err) {
    static struct egress policy;
    static bool read;

    if (!read && !egress_parse(str_from(getenv("KEYFERRY_EGRESS_ALLOW")),
                               str_from(getenv("KEYFERRY_EGRESS_DENY")), &policy, err))
        return false;
    read = true;
    *ret = &policy;
    return true;
}
