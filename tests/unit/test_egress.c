#include <arpa/inet.h>
#include <netinet/in.h>

#include "services/net/egress.h"
#include "tests/support/cunit_run.h"

static bool permits(const char *allow, const char *deny, const char *address) {
    static struct egress policy;
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(egress_parse(str_from(allow), str_from(deny), &policy, &err));
    if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
        return egress_permits(&policy, (struct sockaddr *)&in);
    CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
    return egress_permits(&policy, (struct sockaddr *)&in6);
}

static void lists_say_who_may_be_dialled(void) {
    static const struct {
        const char *allow, *deny, *address;
        bool permitted;
    } rows[] = {
        {"", "", "127.0.0.1", false},
        {"", "", "127.255.0.9", false},
        {"", "", "::1", false},
        {"", "", "::ffff:127.0.0.1", false},
        {"", "", "::127.0.0.1", false},
        {"", "", "64:ff9b::127.0.0.1", false},
        {"", "", "2002:7f00:1::", false},
        {"loopback", "", "127.0.0.1", true},
        {"loopback", "", "::1", true},
        {"loopback", "127.0.0.0/8", "127.0.0.1", false},
        {"127.0.0.1", "", "127.0.0.1", true},
        {"127.0.0.1", "", "127.0.0.2", false},
        {"loopback 10.0.0.0/8", "", "127.0.0.1", true},
        {"loopback 10.0.0.0/8", "", "11.0.0.1", false},
        {"", "", "0.0.0.0", false},
        {"", "", "10.1.2.3", true},
        {"10.0.0.0/8", "", "10.255.255.255", true},
        {"10.0.0.0/8", "", "11.0.0.0", false},
        {"10.0.0.0/8", "", "::1", false},
        {"10.0.0.0/8", "", "::ffff:10.0.0.1", true},
        {"10.0.0.0/8,2001:db8::/33", "", "2001:db8:7fff::1", true},
        {"10.0.0.0/8 2001:db8::/33", "", "2001:db8:8000::1", false},
        {"10.0.0.0/8", "10.9.0.0/16", "10.9.0.1", false},
        {"", "10.9.0.0/17", "10.9.127.255", false},
        {"", "10.9.0.0/17", "10.9.128.0", true},
        {"", "0.0.0.0/0", "10.9.128.0", false},
        {"", "0.0.0.0/0", "2001:db8::1", true},
        {"", "10.1.1.1", "10.1.1.1", false},
        {"", "10.1.1.1", "10.1.1.2", true},
        {"", "10.0.0.0/8", "64:ff9b::10.0.0.1", false},
        {"", "10.0.0.0/8", "2002:a00:1::", false},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        CU_ASSERT_EQUAL(permits(rows[i].allow, rows[i].deny, rows[i].address), rows[i].permitted);
}

static void metadata_services_are_never_reached(void) {
    static const char *const addresses[] = {
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "224.0.0.1",
        "ff02::1",
        "fe80::1",
        "255.255.255.255",
        "::169.254.169.254",
    };

    for (size_t i = 0; i < LENGTH_OF(addresses); i++) {
        CU_ASSERT_FALSE(permits("", "", addresses[i]));
        CU_ASSERT_FALSE(permits("0.0.0.0/0,::/0", "", addresses[i]));
    }
}

static void sockets_are_for_those_who_are_told_so(void) {
    static const struct {
        const char *allow;
        bool permitted, loopback;
    } rows[] = {
        {"", false, false},
        {"unix", true, false},
        {"unix loopback", true, true},
        {"10.0.0.0/8", false, false},
        {"10.0.0.0/8, unix", true, false},
    };
    const struct sockaddr socket = {.sa_family = AF_UNIX};

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        static struct egress policy;
        struct err err = ERR_INIT;

        CU_ASSERT_TRUE(egress_parse(str_from(rows[i].allow), STR_EMPTY, &policy, &err));
        CU_ASSERT_EQUAL(egress_permits(&policy, &socket), rows[i].permitted);
        CU_ASSERT_EQUAL(permits(rows[i].allow, "", "127.0.0.1"), rows[i].loopback);
    }
}

static void a_wrong_block_is_quoted(void) {
    static const char *const lists[] = {
        "10.0.0.0/33", "10.0.0/8", "::/129", "x", "10.0.0.0/", "/8", "10.0.0.1/8/9", "1.2.3.4/-1",
    };

    for (size_t i = 0; i < LENGTH_OF(lists); i++) {
        static struct egress policy;
        struct err err = ERR_INIT;

        CU_ASSERT_FALSE(egress_parse(str_from(lists[i]), STR_EMPTY, &policy, &err));
        CU_ASSERT_EQUAL(err.code, ERR_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.frame[0], lists[i]));
    }
}

static bool permits_port(const struct egress *policy, const char *address, uint16_t port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

    CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET, address, &in.sin_addr), 1);
    return egress_permits(policy, (struct sockaddr *)&in);
}

static void the_control_database_is_never_dialled(void) {
    static struct egress policy;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(egress_parse(STR_LIT("loopback"), STR_EMPTY, &policy, &err));
    CU_ASSERT_FALSE(egress_own(&policy, "db.example", 5432));
    CU_ASSERT_TRUE(egress_own(&policy, "10.0.0.9", 5432));
    CU_ASSERT_FALSE(permits_port(&policy, "10.0.0.9", 5432));
    CU_ASSERT_TRUE(permits_port(&policy, "10.0.0.9", 6379));
    CU_ASSERT_TRUE(permits_port(&policy, "127.0.0.1", 5432));
    CU_ASSERT_TRUE(egress_own(&policy, "127.0.0.1", 5432));
    CU_ASSERT_FALSE(permits_port(&policy, "127.9.9.9", 5432));
    CU_ASSERT_TRUE(permits_port(&policy, "127.9.9.9", 5433));
    CU_ASSERT_TRUE(permits_port(&policy, "10.0.0.9", 5432));
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(the_control_database_is_never_dialled),
    CUNIT_TEST(lists_say_who_may_be_dialled),
    CUNIT_TEST(metadata_services_are_never_reached),
    CUNIT_TEST(sockets_are_for_those_who_are_told_so),
    CUNIT_TEST(a_wrong_block_is_quoted),
};
CUNIT_MAIN("egress", tests)
