#include "services/redis/acl_line.h"

enum {
    ACL_BOTH = ACL_SOURCE | ACL_DESTINATION,
    ACL_CLUSTER = ACL_BOTH | ACL_OF_CLUSTER,
    ACL_ONLY_PSYNC = 4,
    ACL_FOLLOW = ACL_PSYNC | ACL_SYNC, /* what a stream needs */
};

const struct acl_rule acl_rules[] = {
#define RULE(role, reading, since, until, rule, why)                                               \
    {ACL_##role, ACL_##reading, (since), (until), (rule), (why)},
#include "services/redis/acl_rules.def"
#undef RULE
};

const size_t acl_rule_count = LENGTH_OF(acl_rules);

static bool belongs(unsigned readings, enum acl_reading reading) {
    if (readings == ACL_ONLY_PSYNC)
        return reading == ACL_PSYNC || reading == ACL_SYNC;
    return readings & (reading == ACL_SYNC && readings == ACL_AUTO ? (unsigned)ACL_AUTO : reading);
}

bool acl_line_has(const struct acl_rule *rule, unsigned role, enum acl_reading reading,
                  uint32_t version) {
    if ((rule->roles & ACL_OF_CLUSTER) > (role & ACL_OF_CLUSTER))
        return false;
    if (!(rule->roles & role & ACL_BOTH) || !belongs(rule->readings, reading))
        return false;
    if (version == 0)
        return rule->until == 0;
    return version >= rule->since && (rule->until == 0 || version < rule->until);
}

bool acl_line_format(const char *user, unsigned role, enum acl_reading reading, uint32_t version,
                     struct buf *out, struct err *err) {
    if (!buf_printf(out, err, "ACL SETUSER %s reset on >PASSWORD", user))
        return false;
    for (size_t i = 0; i < LENGTH_OF(acl_rules); i++) {
        if (acl_line_has(&acl_rules[i], role, reading, version) &&
            !buf_printf(out, err, " %s", acl_rules[i].rule))
            return false;
    }
    return true;
}
