#include "proto/cluster/cluster_nodes.h"

static bool wrong(struct err *err, struct str line) {
    char shown[80];

    str_escape(line, shown, sizeof(shown));
    return err_set(err, ERR_PROTOCOL, "CLUSTER NODES: \"%s\" is no node", shown);
}

/* "ip:port@bus,hostname": the address may be IPv6 without brackets, and empty. */
static bool read_address(struct str text, struct str *ret_host, uint16_t *ret_port) {
    struct str address = text, port, bus;
    size_t colon = 0;
    uint64_t number;

    if (!str_cut(&text, ',', &address))
        return false;
    for (size_t i = 0; i < address.len; i++)
        if (address.ptr[i] == ':')
            colon = i + 1;
    if (colon == 0)
        return false;
    bus = str_skip(address, colon);
    if (!str_cut(&bus, '@', &port) || !str_parse_u64(port, &number) || number > UINT16_MAX)
        return false;
    *ret_host = str_first(address, colon - 1);
    *ret_port = (uint16_t)number; /* 0: it listens for TLS alone, and we did not ask so */
    return true;
}

static unsigned read_flags(struct str text) {
    static const struct {
        const char *word;
        unsigned flag;
    } rows[] = {
        {"myself", CLUSTER_MYSELF},       {"master", CLUSTER_PRIMARY},
        {"slave", CLUSTER_REPLICA},       {"replica", CLUSTER_REPLICA},
        {"primary", CLUSTER_PRIMARY},     {"fail?", CLUSTER_PFAIL},
        {"fail", CLUSTER_FAIL},           {"noaddr", CLUSTER_NOADDR},
        {"handshake", CLUSTER_HANDSHAKE},
    };
    unsigned flags = 0;
    struct str word;

    while (str_cut(&text, ',', &word))
        for (size_t i = 0; i < LENGTH_OF(rows); i++)
            if (str_equal(word, str_from(rows[i].word)))
                flags |= rows[i].flag;
    return flags;
}

/* "[93->-id]" or "[93-<-id]", without the brackets. */
static bool read_move(struct cluster_view *view, struct str text) {
    struct cluster_move move = {.leaves = false};
    struct str rest = text, slot;
    uint64_t number;

    if (!str_cut(&rest, '-', &slot) || !str_parse_u64(slot, &number) || number >= SLOT_COUNT ||
        rest.len < 3 || rest.ptr[1] != '-' || (rest.ptr[0] != '>' && rest.ptr[0] != '<') ||
        rest.len - 2 > CLUSTER_ID_MAX)
        return false;
    move.slot = (uint16_t)number;
    move.leaves = rest.ptr[0] == '>';
    memcpy(move.peer, rest.ptr + 2, rest.len - 2);
    if (view->move_count < CLUSTER_MOVES_MAX)
        view->moves[view->move_count] = move;
    view->move_count++;
    return true;
}

static bool read_slots(struct cluster_view *view, struct str text, struct err *err) {
    struct str word;

    while (str_cut(&text, ' ', &word)) {
        struct str last = word, first;
        uint64_t from, to;

        if (word.len > 2 && word.ptr[0] == '[' && word.ptr[word.len - 1] == ']') {
            if (!read_move(view, str_of(word.ptr + 1, word.len - 2)))
                return wrong(err, word);
            continue;
        }
        if (!str_cut(&last, '-', &first) || !str_parse_u64(first, &from))
            return wrong(err, word);
        to = from;
        if (first.len < word.len && !str_parse_u64(last, &to))
            return wrong(err, word);
        if (!cluster_view_own(view, view->count - 1, from, to, err))
            return err_wrap(err, "CLUSTER NODES");
    }
    return true;
}

static bool read_line(struct cluster_view *view, struct str line, struct err *err) {
    enum { ID, ADDRESS, FLAGS, PRIMARY, PING, PONG, EPOCH, LINK, FIELDS };
    struct str fields[FIELDS], rest = line, host;
    struct cluster_node *node;
    uint16_t port;

    for (int i = 0; i < FIELDS; i++)
        if (!str_cut(&rest, ' ', &fields[i]) || fields[i].len == 0)
            return wrong(err, line);
    if (!read_address(fields[ADDRESS], &host, &port) || fields[PRIMARY].len > CLUSTER_ID_MAX)
        return wrong(err, line);
    if (!cluster_view_add(view, fields[ID], host, &node, err))
        return err_wrap(err, "CLUSTER NODES");
    node->port = port;
    node->flags = read_flags(fields[FLAGS]);
    if (str_equal(fields[LINK], STR_LIT("disconnected")))
        node->flags |= CLUSTER_LINK_DOWN;
    if (!str_equal(fields[PRIMARY], STR_LIT("-")))
        memcpy(node->primary, fields[PRIMARY].ptr, fields[PRIMARY].len);
    return read_slots(view, rest, err);
}

bool cluster_nodes_parse(struct str text, struct cluster_view *ret, struct err *err) {
    struct str line;

    *ret = CLUSTER_VIEW_INIT;
    while (str_cut(&text, '\n', &line)) {
        line = str_trim(line);
        /* "txt:" and the file's last line never come over a connection; blank ones do. */
        if (line.len > 0 && !read_line(ret, line, err))
            return false;
    }
    return ret->count > 0 || err_set(err, ERR_PROTOCOL, "CLUSTER NODES names no node");
}
