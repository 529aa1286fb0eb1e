#include "proto/command/command.h"

#include "proto/base/bytes.h"
#include "proto/command/command_hash.inc"

static const struct command_row rows[COMMAND_COUNT] = {
#define COMMAND(symbol, name, first, last, step, numkeys, fate, fails, class, border, redis,       \
                valkey, stream)                                                                    \
    [COMMAND_##symbol] = {COMMAND_##symbol,                                                        \
                          name,                                                                    \
                          first,                                                                   \
                          last,                                                                    \
                          step,                                                                    \
                          numkeys,                                                                 \
                          COMMAND_FATE_##fate,                                                     \
                          fails,                                                                   \
                          COMMAND_CLASS_##class,                                                   \
                          COMMAND_BORDER_##border,                                                 \
                          redis,                                                                   \
                          valkey,                                                                  \
                          stream},
#include "proto/command/command_table.def"
#undef COMMAND
};

/* A name as two words: its first eight bytes and, of a longer one, its last eight.
 * With the length that is all of a name of up to 16 bytes. */
struct slot {
    uint64_t low, high;
    uint16_t id;
    uint16_t len;
};

enum { NAME_MAX = 24 };

static const struct slot slots[1 << HASH_BITS] = {
#define SLOT(at, symbol, len, low, high) [at] = {low, high, COMMAND_##symbol, len},
    HASH_SLOTS(SLOT)
#undef SLOT
};

/* ASCII capitals of eight bytes become small letters, other bytes stay. */
static inline uint64_t fold(uint64_t word) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low7 = word & (ones * 0x7f);
    uint64_t above_z = low7 + ones * (0x7f - 'Z');
    uint64_t from_a = low7 + ones * (0x80 - 'A');
    uint64_t capital = (from_a ^ above_z) & ~word & (ones * 0x80);

    return word | (capital >> 2);
}

/* The first eight bytes, zeroes behind a shorter name; reads nothing beyond it. */
static inline uint64_t first_word(struct str name) {
    const unsigned char *p = (const unsigned char *)name.ptr;
    size_t len = name.len;

    if (len >= 8)
        return load_le64(p);
    if (len >= 4)
        return load_le32(p) | (uint64_t)load_le32(p + len - 4) << (8 * (len - 4));
    return (uint64_t)p[0] | (uint64_t)p[len / 2] << (8 * (len / 2)) |
           (uint64_t)p[len - 1] << (8 * (len - 1));
}

const struct command_row *command_find(struct str name) {
    uint64_t low, high;
    size_t at;

    if (name.len == 0 || name.len > NAME_MAX)
        return NULL;
    low = fold(first_word(name));
    high = name.len > 8 ? fold(load_le64(name.ptr + name.len - 8)) : 0;
    at = (low * HASH_FIRST + high * HASH_SECOND) >> (64 - HASH_BITS);
    for (size_t probe = 0; probe < HASH_PROBES; probe++) {
        const struct slot *slot = &slots[(at + probe) % LENGTH_OF(slots)];

        if (slot->low == low && slot->high == high && slot->len == name.len) {
            const struct command_row *row = &rows[slot->id];

            return name.len <= 16 || str_equal_nocase(name, str_from(row->name)) ? row : NULL;
        }
    }
    return NULL;
}

/* "xgroup" and "create" are the row "xgroup create". */
static const struct command_row *find_second(struct str container, struct str word) {
    char name[NAME_MAX];

    if (container.len + 1 + word.len > sizeof(name))
        return NULL;
    memcpy(name, container.ptr, container.len);
    name[container.len] = ' ';
    memcpy(name + container.len + 1, word.ptr, word.len);
    return command_find(str_of(name, container.len + 1 + word.len));
}

const struct command_row *command_of(const struct resp_command *command) {
    const struct command_row *row, *second;

    if (command->argc == 0)
        return NULL;
    if (memchr(command->argv[0].ptr, ' ', command->argv[0].len))
        return NULL; /* one word that spells two is no command */
    row = command_find(command->argv[0]);
    if (!row || row->fate != COMMAND_FATE_CONTAINER || command->argc < 2)
        return row;
    second = find_second(command->argv[0], command->argv[1]);
    return second ? second : row;
}

bool command_row_is_applied(const struct command_row *row) {
    switch (row->fate) {
    case COMMAND_FATE_SELECT:
    case COMMAND_FATE_MULTI:
    case COMMAND_FATE_EXEC:
    case COMMAND_FATE_REPLCONF:
    case COMMAND_FATE_DROP:
    case COMMAND_FATE_REFUSE:
    case COMMAND_FATE_CONTAINER:
        return false;
    default:
        return true;
    }
}

const struct command_row *command_row(enum command_id id) {
    return &rows[id];
}

/* A range of keys: every step from argv[first] to argv[last]. */
static void set_range(uint32_t first, int64_t last, uint32_t step, uint32_t argc,
                      uint32_t *ret_next, uint32_t *ret_left) {
    if (last >= argc)
        last = (int64_t)argc - 1;
    *ret_next = first;
    *ret_left = last >= first ? (uint32_t)(last - first) / step + 1 : 0;
}

struct command_keys command_keys(const struct resp_command *command,
                                 const struct command_row *row) {
    struct command_keys keys = {.args = resp_command_args(command),
                                .step = (uint32_t)(row->step ? row->step : 1)};
    uint32_t argc = command->argc, counted = (uint32_t)row->numkeys;
    uint64_t count;

    if (row->first > 0)
        set_range((uint32_t)row->first, row->last < 0 ? (int64_t)argc + row->last : row->last,
                  keys.step, argc, &keys.next, &keys.left);
    if (counted > 0 && counted < command->argv_count &&
        str_parse_u64(command->argv[counted], &count) && count <= argc)
        set_range(counted + 1, counted + (int64_t)count * keys.step, keys.step, argc,
                  &keys.more_next, &keys.more_left);
    keys.store = row->id == COMMAND_SORT || row->id == COMMAND_GEORADIUS ||
                 row->id == COMMAND_GEORADIUSBYMEMBER;
    return keys;
}

static bool advance_to(struct command_keys *keys, uint32_t at, struct str *ret_arg) {
    while (keys->at <= at) {
        if (!resp_command_args_next(&keys->args, ret_arg))
            return false;
        keys->at++;
    }
    return true;
}

/* What follows the next STORE or STOREDIST. */
static bool next_stored(struct command_keys *keys, struct str *ret_key) {
    struct str word;

    while (advance_to(keys, keys->at, &word)) {
        if (str_equal_nocase(word, STR_LIT("store")) ||
            str_equal_nocase(word, STR_LIT("storedist")))
            return advance_to(keys, keys->at, ret_key);
    }
    return false;
}

bool command_keys_next(struct command_keys *keys, struct str *ret_key) {
    if (keys->left == 0) {
        keys->next = keys->more_next;
        keys->left = keys->more_left;
        keys->more_left = 0;
    }
    if (keys->left == 0)
        return keys->store && next_stored(keys, ret_key);
    keys->left--;
    if (!advance_to(keys, keys->next, ret_key))
        return false;
    keys->next += keys->step;
    return true;
}

bool command_first_key(const struct resp_command *command, const struct command_row *row,
                       struct str *ret_key) {
    struct command_keys keys;

    if (row->first > 0 && (uint32_t)row->first < command->argv_count) {
        *ret_key = command->argv[row->first];
        return true;
    }
    keys = command_keys(command, row);
    return command_keys_next(&keys, ret_key);
}
