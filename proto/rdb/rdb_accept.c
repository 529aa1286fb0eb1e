#include "proto/rdb/rdb_accept.h"

#include "proto/base/attrs.h"

#define NEVER UINT32_MAX
#define FROM(major, minor) ((major)*10000u + (minor)*100u)

enum { NUMBERED_ALIKE = -1, FORMS_MAX = 4 };

/* Versions from which a destination does so. */
#define REFUSES_UNKNOWN_MODULES FROM(7, 0)
#define VALKEY_COUNTS_ENTRIES FROM(9, 0)

/* Which loader knows a type, and which older types carry the same data, the nearest
 * first. A form with another meaning per vendor is the one of the column it stands in. */
static const struct type_row {
    uint8_t type;
    int vendor; /* enum rdb_vendor whose type it is, or NUMBERED_ALIKE */
    uint32_t redis, valkey;
    uint8_t redis_forms[FORMS_MAX], valkey_forms[FORMS_MAX]; /* 0 ends */
} types[] = {
    {0, NUMBERED_ALIKE, 0, 0, {0}, {0}},
    {1, NUMBERED_ALIKE, 0, 0, {0}, {0}},
    {2, NUMBERED_ALIKE, 0, 0, {0}, {0}},
    {3, NUMBERED_ALIKE, 0, 0, {0}, {0}},
    {4, NUMBERED_ALIKE, 0, 0, {0}, {0}},
    {5, NUMBERED_ALIKE, FROM(4, 0), 0, {3}, {0}},
    {7, NUMBERED_ALIKE, FROM(4, 0), 0, {0}, {0}},
    {9, NUMBERED_ALIKE, NEVER, NEVER, {4}, {4}}, /* known, but some refused from 7.0 on */
    {10, NUMBERED_ALIKE, 0, 0, {0}, {0}},
    {11, NUMBERED_ALIKE, 0, 0, {0}, {0}},
    {12, NUMBERED_ALIKE, 0, 0, {0}, {0}},
    {13, NUMBERED_ALIKE, 0, 0, {0}, {0}},
    {14, NUMBERED_ALIKE, FROM(3, 2), 0, {1}, {0}},
    {15, NUMBERED_ALIKE, FROM(5, 0), 0, {0}, {0}},
    {16, NUMBERED_ALIKE, FROM(7, 0), 0, {4}, {0}},
    {17, NUMBERED_ALIKE, FROM(7, 0), 0, {5, 3}, {0}},
    {18, NUMBERED_ALIKE, FROM(7, 0), 0, {1}, {0}},
    {19, NUMBERED_ALIKE, FROM(7, 0), 0, {15}, {0}},
    {20, NUMBERED_ALIKE, FROM(7, 2), 0, {2}, {0}},
    {21, NUMBERED_ALIKE, FROM(7, 2), 0, {19, 15}, {0}},
    {22, RDB_REDIS, FROM(7, 4), NEVER, {24, 4}, {22, 4}},
    {22, RDB_VALKEY, NEVER, FROM(9, 0), {24, 4}, {4}},
    {23, RDB_REDIS, FROM(7, 4), NEVER, {24, 4}, {22, 4}},
    {24, NUMBERED_ALIKE, FROM(7, 4), NEVER, {4}, {22, 4}},
    {25, NUMBERED_ALIKE, FROM(7, 4), NEVER, {4}, {22, 4}},
    {26, NUMBERED_ALIKE, FROM(8, 6), NEVER, {21, 19, 15}, {21}},
    {27, NUMBERED_ALIKE, FROM(8, 8), NEVER, {26, 21, 19, 15}, {21}},
    {28, NUMBERED_ALIKE, FROM(8, 8), NEVER, {0}, {0}},
    {29, NUMBERED_ALIKE, FROM(8, 10), NEVER, {4}, {4}},
    {30, RDB_REDIS, NEVER, NEVER, {29, 4}, {4}},
    {31, NUMBERED_ALIKE, FROM(8, 10), NEVER, {4}, {4}},
    {32, RDB_REDIS, NEVER, NEVER, {31, 4}, {4}},
};

/* What a kind of value needs of a destination at all. */
static const struct kind_row {
    enum rdb_kind kind;
    uint32_t redis, valkey;
    const char *why_not;
} kinds[] = {
    {RDB_KIND_STREAM, FROM(5, 0), 0, "Streams exist from Redis 5.0 on."},
    {RDB_KIND_MODULE, FROM(4, 0), 0, "Modules exist from Redis 4.0 on."},
    {RDB_KIND_ARRAY, FROM(8, 8), NEVER, "Arrays exist from Redis 8.8 on, and in no Valkey."},
};

static const struct type_row *row_of(enum rdb_vendor vendor, uint8_t type) {
    for (size_t i = 0; i < LENGTH_OF(types); i++) {
        if (types[i].type == type &&
            (types[i].vendor == NUMBERED_ALIKE || types[i].vendor == (int)vendor))
            return &types[i];
    }
    return NULL;
}

uint32_t rdb_type_known_from(enum rdb_vendor vendor, uint8_t type) {
    const struct type_row *row = row_of(vendor, type);

    if (!row)
        return NEVER;
    return vendor == RDB_VALKEY ? row->valkey : row->redis;
}

bool rdb_type_has_field_expiry(enum rdb_vendor vendor, uint8_t type) {
    return type == RDB_TYPE_VALKEY_HASH_2 || type == RDB_TYPE_HASH_METADATA ||
           type == RDB_TYPE_HASH_LISTPACK_EX || (vendor == RDB_REDIS && type == 23);
}

static struct rdb_accept impossible(const char *why) {
    return (struct rdb_accept){.way = RDB_WAY_IMPOSSIBLE, .why = why};
}

/* The type a destination reads the value in; false: there is none. */
static bool form_for(const struct rdb_destination *dest, const struct type_row *row,
                     enum rdb_vendor source, uint8_t *ret_type) {
    const uint8_t *forms = dest->vendor == RDB_VALKEY ? row->valkey_forms : row->redis_forms;
    bool same_number = row->vendor == NUMBERED_ALIKE || dest->vendor == source;

    if (same_number && dest->version >= rdb_type_known_from(dest->vendor, row->type)) {
        *ret_type = row->type;
        return true;
    }
    for (size_t i = 0; i < FORMS_MAX && forms[i]; i++) {
        if (dest->version >= rdb_type_known_from(dest->vendor, forms[i])) {
            *ret_type = forms[i];
            return true;
        }
    }
    return false;
}

struct rdb_accept rdb_accept(const struct rdb_destination *dest, enum rdb_vendor source,
                             uint8_t type) {
    const struct type_row *row = row_of(source, type);
    enum rdb_kind kind = rdb_type_kind(source, type);
    bool expires = rdb_type_has_field_expiry(source, type);
    struct rdb_accept accept = {.way = RDB_WAY_AS_IS};
    bool renumbered;

    if (!row)
        return impossible("Values of this type are not known.");
    for (size_t i = 0; i < LENGTH_OF(kinds) && dest->version != 0; i++) {
        uint32_t from = dest->vendor == RDB_VALKEY ? kinds[i].valkey : kinds[i].redis;

        if (kinds[i].kind == kind && (from == NEVER || dest->version < from))
            return impossible(kinds[i].why_not);
    }
    if (kind == RDB_KIND_MODULE && !dest->has_modules && dest->vendor == RDB_REDIS &&
        dest->version < REFUSES_UNKNOWN_MODULES)
        return impossible("A Redis before 7.0 would end itself on the value of a module it does "
                          "not have.");
    if (dest->version == 0 && (kind == RDB_KIND_MODULE || kind == RDB_KIND_ARRAY))
        return (struct rdb_accept){.way = RDB_WAY_AS_IS, .type = type}; /* there is no other */
    if (dest->version == 0)
        return (struct rdb_accept){
            .way = RDB_WAY_COMMANDS,
            .why = "The destination's version is not known, so what it can restore is not either."};
    if (!form_for(dest, row, source, &accept.type))
        return impossible("The destination's version has no type for this value.");
    renumbered = row->vendor != NUMBERED_ALIKE && dest->vendor != source;
    if (accept.type != type || renumbered || (expires && (dest->held || dest->extends)))
        accept.way = RDB_WAY_TRANSCODE;
    accept.counts_entries = kind == RDB_KIND_STREAM && dest->vendor == RDB_VALKEY &&
                            dest->version >= VALKEY_COUNTS_ENTRIES;
    accept.drops_field_expiry = expires && !rdb_type_has_field_expiry(dest->vendor, accept.type);
    return accept;
}

bool rdb_destination_of_footer(uint16_t rdb_version, struct rdb_destination *ret) {
    static const struct {
        uint16_t rdb_version;
        enum rdb_vendor vendor;
        uint32_t version; /* the first that writes it */
    } footers[] = {
        {6, RDB_REDIS, FROM(2, 6)},   {7, RDB_REDIS, FROM(3, 2)},   {8, RDB_REDIS, FROM(4, 0)},
        {9, RDB_REDIS, FROM(5, 0)},   {10, RDB_REDIS, FROM(7, 0)},  {11, RDB_REDIS, FROM(7, 2)},
        {12, RDB_REDIS, FROM(7, 4)},  {13, RDB_REDIS, FROM(8, 6)},  {14, RDB_REDIS, FROM(8, 8)},
        {15, RDB_REDIS, FROM(8, 10)}, {80, RDB_VALKEY, FROM(9, 0)}, {81, RDB_VALKEY, FROM(9, 2)},
    };

    for (size_t i = 0; i < LENGTH_OF(footers); i++) {
        if (footers[i].rdb_version == rdb_version) {
            *ret = (struct rdb_destination){.vendor = footers[i].vendor,
                                            .version = footers[i].version};
            return true;
        }
    }
    return false;
}
