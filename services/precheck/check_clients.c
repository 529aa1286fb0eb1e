/* Who is connected to a server, from CLIENT LIST: groups of connections that look the same to a
 * person. The line names no key; of the command it names only the name. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "proto/command/command.h"
#include "services/common/clock.h"
#include "services/precheck/check_run.h"

enum {
    GROUPS_MAX = 100,
    LINES_MAX = 100000,
    TEXT_MAX = 64,
    COMMANDS_SHOWN = 6,
};

/* What the last command of a connection says of it; the highest counts. */
enum writes { WRITES_UNSEEN, WRITES_PERHAPS, WRITES_YES };

struct group {
    char host[TEXT_MAX], address_class[12], user[TEXT_MAX], name[TEXT_MAX], library[TEXT_MAX];
    const char *kind;
    enum writes writes;
    char commands[COMMANDS_SHOWN][TEXT_MAX]; /* as CLIENT LIST writes them */
    int command_count;
    /* Of the latest look. */
    int64_t connections, oldest_seconds, idle_seconds, commands_run;
    bool tells_commands;
    int64_t first_commands_run, first_connections; /* of the look in which it was first seen */
    int64_t first_at_ms, last_at_ms;
};

struct check_clients {
    struct group groups[GROUPS_MAX];
    size_t count;
    int64_t looks, connections, left_out;
};

struct check_clients *check_clients_new(void) {
    struct check_clients *clients = calloc(1, sizeof(*clients));

    if (!clients)
        abort();
    return clients;
}

void check_clients_free(struct check_clients *clients) {
    free(clients);
}

/* ---- one line ---- */

struct line {
    struct str host, user, name, library, command, flags;
    int64_t age, idle, commands_run;
};

/* "10.0.3.4:5101", "[::1]:5101", "/run/redis.sock:0" */
static struct str host_of(struct str addr) {
    size_t at = addr.len;

    while (at > 0 && addr.ptr[at - 1] != ':')
        at--;
    if (at == 0)
        return addr;
    addr = str_first(addr, at - 1);
    if (addr.len >= 2 && addr.ptr[0] == '[' && addr.ptr[addr.len - 1] == ']')
        addr = str_of(addr.ptr + 1, addr.len - 2);
    return addr;
}

static void take_field(struct str name, struct str value, struct line *l) {
    if (str_equal(name, STR_LIT("addr")))
        l->host = host_of(value);
    else if (str_equal(name, STR_LIT("user")))
        l->user = value;
    else if (str_equal(name, STR_LIT("name")))
        l->name = value;
    else if (str_equal(name, STR_LIT("lib-name")))
        l->library = value;
    else if (str_equal(name, STR_LIT("cmd")))
        l->command = value;
    else if (str_equal(name, STR_LIT("flags")))
        l->flags = value;
    else if (str_equal(name, STR_LIT("age")))
        (void)!str_parse_i64(value, &l->age);
    else if (str_equal(name, STR_LIT("idle")))
        (void)!str_parse_i64(value, &l->idle);
    else if (str_equal(name, STR_LIT("tot-cmds")))
        (void)!str_parse_i64(value, &l->commands_run);
}

static struct line line_read(struct str text) {
    struct line l = {.commands_run = -1};
    struct str pair, name;

    while (str_cut(&text, ' ', &pair))
        if (str_cut(&pair, '=', &name))
            take_field(name, pair, &l);
    return l;
}

static const char *class_of_4(uint32_t address) {
    if (address >> 24 == 127)
        return "loopback";
    return address >> 24 == 10 || address >> 20 == 0xac1 || address >> 16 == 0xc0a8 ||
                   address >> 22 == 0x191 /* 100.64.0.0/10 */ || address >> 16 == 0xa9fe
               ? "private"
               : "public";
}

static const char *address_class(struct str host) {
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[TEXT_MAX];
    struct in6_addr six;
    struct in_addr four;

    if (host.len == 0 || host.ptr[0] == '/')
        return "unix";
    if (host.len >= sizeof(text))
        return "unknown";
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    if (inet_pton(AF_INET, text, &four) == 1)
        return class_of_4(ntohl(four.s_addr));
    if (inet_pton(AF_INET6, text, &six) != 1)
        return "unknown";
    if (memcmp(six.s6_addr, mapped, sizeof(mapped)) == 0)
        return class_of_4((uint32_t)six.s6_addr[12] << 24 | (uint32_t)six.s6_addr[13] << 16 |
                          (uint32_t)six.s6_addr[14] << 8 | six.s6_addr[15]);
    if (IN6_IS_ADDR_LOOPBACK(&six))
        return "loopback";
    return (six.s6_addr[0] & 0xfe) == 0xfc || IN6_IS_ADDR_LINKLOCAL(&six) ? "private" : "public";
}

static const char *kind_of(struct str flags) {
    static const struct {
        char flag;
        const char *kind;
    } kinds[] = {{'S', "replica"}, {'M', "primary"}, {'O', "monitor"}, {'P', "pubsub"}};

    for (size_t i = 0; i < LENGTH_OF(kinds); i++)
        if (flags.len && memchr(flags.ptr, kinds[i].flag, flags.len))
            return kinds[i].kind;
    return "client";
}

/* The row of "set" or "xgroup|create". */
static const struct command_row *row_of(struct str command) {
    char name[TEXT_MAX];
    char *bar;

    if (command.len == 0 || command.len >= sizeof(name))
        return NULL;
    if (!memchr(command.ptr, '|', command.len))
        return command_find(command);
    memcpy(name, command.ptr, command.len);
    name[command.len] = '\0';
    bar = strchr(name, '|');
    *bar = ' ';
    for (int id = COMMAND_NONE + 1; id < COMMAND_COUNT; id++)
        if (strcmp(command_row((enum command_id)id)->name, name) == 0)
            return command_row((enum command_id)id);
    return NULL;
}

static enum writes writes_of(struct str command) {
    const struct command_row *row = row_of(command);

    if (!row)
        return WRITES_UNSEEN;
    switch (row->fate) {
    case COMMAND_FATE_SCRIPT:
    case COMMAND_FATE_EXEC:
        return WRITES_PERHAPS;
    case COMMAND_FATE_SELECT:
    case COMMAND_FATE_MULTI:
    case COMMAND_FATE_PUBLISH:
    case COMMAND_FATE_REPLCONF:
    case COMMAND_FATE_DROP:
    case COMMAND_FATE_CONTAINER:
        return WRITES_UNSEEN;
    case COMMAND_FATE_REFUSE: /* a stream has another form of it, or it is no data */
        return row->class == COMMAND_CLASS_N ? WRITES_UNSEEN : WRITES_YES;
    default:
        return WRITES_YES;
    }
}

/* ---- groups ---- */

static void text_of(struct str value, char dst[TEXT_MAX]) {
    str_escape(str_first(value, TEXT_MAX - 1), dst, TEXT_MAX);
}

static struct group *group_of(struct check_clients *clients, const struct line *l, int64_t now) {
    struct group wanted = {.kind = kind_of(l->flags)};

    text_of(l->host, wanted.host);
    text_of(l->user, wanted.user);
    text_of(l->name, wanted.name);
    text_of(l->library, wanted.library);
    memcpy(wanted.address_class, address_class(l->host), strlen(address_class(l->host)) + 1);
    for (size_t i = 0; i < clients->count; i++) {
        struct group *g = &clients->groups[i];

        if (strcmp(g->kind, wanted.kind) == 0 && strcmp(g->host, wanted.host) == 0 &&
            strcmp(g->user, wanted.user) == 0 && strcmp(g->name, wanted.name) == 0 &&
            strcmp(g->library, wanted.library) == 0)
            return g;
    }
    if (clients->count == GROUPS_MAX)
        return NULL;
    wanted.first_at_ms = now;
    clients->groups[clients->count] = wanted;
    return &clients->groups[clients->count++];
}

static void note_command(struct group *g, struct str command) {
    char name[TEXT_MAX];

    text_of(command, name);
    for (int i = 0; i < g->command_count; i++)
        if (strcmp(g->commands[i], name) == 0)
            return;
    if (g->command_count < COMMANDS_SHOWN && name[0] && strcmp(name, "NULL") != 0)
        memcpy(g->commands[g->command_count++], name, sizeof(name));
}

static void take_line(struct check_clients *clients, struct str text, int64_t now) {
    struct line l = line_read(text);
    struct group *g = group_of(clients, &l, now);
    enum writes writes = writes_of(l.command);

    clients->connections++;
    if (!g) {
        clients->left_out++;
        return;
    }
    if (g->connections == 0 || l.idle < g->idle_seconds)
        g->idle_seconds = l.idle;
    if (l.age > g->oldest_seconds)
        g->oldest_seconds = l.age;
    g->connections++;
    g->tells_commands = l.commands_run >= 0;
    if (g->tells_commands)
        g->commands_run += l.commands_run;
    g->last_at_ms = now;
    if (writes > g->writes)
        g->writes = writes;
    note_command(g, l.command);
}

void check_clients_look(struct check_clients *clients, struct str text) {
    int64_t now = clock_mono_ms();
    struct str line;

    clients->looks++;
    clients->connections = clients->left_out = 0;
    for (size_t i = 0; i < clients->count; i++) {
        struct group *g = &clients->groups[i];

        g->connections = g->oldest_seconds = g->idle_seconds = g->commands_run = 0;
    }
    for (int i = 0; i < LINES_MAX && str_cut(&text, '\n', &line); i++)
        if (line.len > 0)
            take_line(clients, str_trim(line), now);
    for (size_t i = 0; i < clients->count; i++) {
        struct group *g = &clients->groups[i];

        if (g->first_at_ms == now) {
            g->first_commands_run = g->commands_run;
            g->first_connections = g->connections;
        }
    }
}

/* ---- what is told ---- */

static json_t *text_or_null(const char *text) {
    return text[0] ? json_string(text) : json_null();
}

/* Known when the server counts and no connection came or went meanwhile. */
static json_t *rate_of(const struct group *g) {
    int64_t ms = g->last_at_ms - g->first_at_ms, more = g->commands_run - g->first_commands_run;

    if (!g->tells_commands || ms < 200 || more < 0 || g->connections != g->first_connections)
        return json_null();
    return json_integer(more * 1000 / ms);
}

static json_t *group_json(const struct group *g, bool is_foreign) {
    static const char *const writes[] = {"not_seen", "perhaps", "yes"};
    json_t *commands = json_array();

    for (int i = 0; i < g->command_count; i++)
        json_array_append_new(commands, json_string(g->commands[i]));
    return json_pack(
        "{s:o, s:s, s:o, s:o, s:o, s:s, s:b, s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "address",
        is_foreign ? json_null() : text_or_null(g->host), "address_class", g->address_class, "user",
        is_foreign ? json_null() : text_or_null(g->user), "name", text_or_null(g->name), "library",
        text_or_null(g->library), "kind", g->kind, "is_keyferry", strcmp(g->name, "keyferry") == 0,
        "writes", writes[g->writes], "connections", (json_int_t)g->connections, "oldest_seconds",
        (json_int_t)g->oldest_seconds, "idle_seconds", (json_int_t)g->idle_seconds, "commands_run",
        g->tells_commands ? json_integer(g->commands_run) : json_null(), "commands_per_second",
        rate_of(g), "last_commands", commands);
}

/* Who writes first, then who has most connections. */
static int compare(const void *a, const void *b) {
    const struct group *const *x = a, *const *y = b;

    if ((*x)->writes != (*y)->writes)
        return (*x)->writes > (*y)->writes ? -1 : 1;
    if ((*x)->connections != (*y)->connections)
        return (*x)->connections > (*y)->connections ? -1 : 1;
    return strcmp((*x)->host, (*y)->host);
}

json_t *check_clients_json(const struct check_clients *clients, bool is_foreign) {
    const struct group *order[GROUPS_MAX];
    json_t *groups = json_array();

    for (size_t i = 0; i < clients->count; i++)
        order[i] = &clients->groups[i];
    qsort(order, clients->count, sizeof(*order), compare);
    for (size_t i = 0; i < clients->count; i++)
        json_array_append_new(groups, group_json(order[i], is_foreign));
    return json_pack("{s:I, s:I, s:o, s:I}", "looks", (json_int_t)clients->looks, "connections",
                     (json_int_t)clients->connections, "groups", groups, "connections_left_out",
                     (json_int_t)clients->left_out);
}
