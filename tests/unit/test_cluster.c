/* What clusters say of themselves, in all the forms they have for it. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/buf.h"
#include "proto/cluster/cluster_info.h"
#include "proto/cluster/cluster_nodes.h"
#include "proto/cluster/cluster_shards.h"
#include "proto/cluster/cluster_slots.h"
#include "tests/support/cluster_answers.h"
#include "tests/support/cunit_run.h"

/* A reply read in pieces of so many bytes. */
static const struct resp_value *reply_of(struct str text, size_t step, struct arena *arena) {
    struct resp_reader *reader = resp_reader_new(RESP_READER_LIMITS);
    const struct resp_value *value = NULL;
    enum resp_status status = RESP_NEED_MORE;
    struct err err = ERR_INIT;

    for (size_t at = 0; at < text.len && status == RESP_NEED_MORE; at += step) {
        CU_ASSERT_TRUE_FATAL(resp_reader_feed(reader, str_first(str_skip(text, at), step), &err));
        status = resp_reader_next(reader, arena, &value, &err);
    }
    CU_ASSERT_EQUAL(status, RESP_GOT);
    resp_reader_free(reader);
    return value;
}

/* "0-5460=host:port/1 …" by slot, 1 being how many replicas there are. */
static void summarize(const struct cluster_view *view, bool with_replicas, char *dst, size_t size) {
    size_t used = 0;

    dst[0] = '\0';
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        size_t node = view->owner[slot] - 1u, well, replicas;
        struct slot_set slots;
        char text[64];

        if (view->owner[slot] == 0 || (slot > 0 && view->owner[slot] == view->owner[slot - 1]))
            continue;
        cluster_view_slots(view, node, &slots);
        slot_set_format(&slots, text, sizeof(text));
        replicas = cluster_view_replicas(view, node, &well);
        used += (size_t)snprintf(dst + used, size - used, "%s=%s:%u", text, view->nodes[node].host,
                                 view->nodes[node].port);
        if (with_replicas)
            used += (size_t)snprintf(dst + used, size - used, "/%zu ", replicas);
        else
            used += (size_t)snprintf(dst + used, size - used, " ");
    }
}

#define IDS "a000000000000000000000000000000000000000"

static void the_three_answers_of_a_server_tell_the_same_shards(void) {
    for (size_t i = 0; i < LENGTH_OF(cluster_answers); i++) {
        const struct cluster_answers *a = &cluster_answers[i];
        struct cluster_view nodes, slots, shards = CLUSTER_VIEW_INIT;
        struct arena arena = ARENA_INIT;
        struct err err = ERR_INIT;
        char by_nodes[400], by_slots[400], by_shards[400];
        size_t well;

        CU_ASSERT_TRUE_FATAL(cluster_nodes_parse(str_from(a->nodes), &nodes, &err));
        CU_ASSERT_TRUE_FATAL(
            cluster_slots_parse(reply_of(str_from(a->slots), 7, &arena), &slots, &err));
        CU_ASSERT_EQUAL(nodes.count, 6);
        CU_ASSERT_EQUAL(nodes.disputed + slots.disputed, 0);
        /* The addresses of the bus, until those for clients take their place. */
        summarize(&nodes, false, by_nodes, sizeof(by_nodes));
        CU_ASSERT_PTR_NOT_NULL(strstr(by_nodes, "0-5460=127.0.0.1:"));
        cluster_view_prefer(&nodes, &slots);
        summarize(&nodes, true, by_nodes, sizeof(by_nodes));
        summarize(&slots, false, by_slots, sizeof(by_slots));
        if (a->shards) {
            CU_ASSERT_TRUE_FATAL(cluster_shards_parse(reply_of(str_from(a->shards), 3, &arena),
                                                      false, &shards, &err));
            CU_ASSERT_EQUAL(shards.count, 6);
            cluster_view_prefer(&shards, &slots);
            summarize(&shards, true, by_shards, sizeof(by_shards));
            CU_ASSERT_STRING_EQUAL(by_shards, by_nodes);
        }
        CU_ASSERT_EQUAL(cluster_view_replicas(&nodes, nodes.owner[0] - 1u, &well), 1);
        CU_ASSERT_EQUAL(well, 1);
        /* The last one's replica was killed. */
        CU_ASSERT_EQUAL(cluster_view_replicas(&nodes, nodes.owner[SLOT_COUNT - 1] - 1u, &well), 1);
        CU_ASSERT_EQUAL(well, 0);
        summarize(&nodes, false, by_nodes, sizeof(by_nodes));
        CU_ASSERT_STRING_EQUAL(by_nodes, by_slots);
        cluster_view_done(&nodes);
        cluster_view_done(&slots);
        cluster_view_done(&shards);
        arena_done(&arena);
    }
}

static void a_slot_on_its_way_is_told_by_the_node_that_has_it(void) {
    for (size_t i = 0; i < LENGTH_OF(cluster_answers); i++) {
        struct cluster_view view;
        struct err err = ERR_INIT;

        CU_ASSERT_TRUE_FATAL(cluster_nodes_parse(str_from(cluster_answers[i].nodes), &view, &err));
        CU_ASSERT_EQUAL(view.move_count, 1);
        CU_ASSERT_TRUE(view.moves[0].leaves);
        CU_ASSERT_EQUAL(view.moves[0].slot, 7);
        CU_ASSERT_NOT_EQUAL(cluster_view_find(&view, view.moves[0].peer), view.count);
        CU_ASSERT_EQUAL(view.owner[7], cluster_view_myself(&view) + 1);
        cluster_view_done(&view);
    }
}

static void a_node_without_a_name_keeps_its_address(void) {
    const struct cluster_answers *a = &cluster_answers[3]; /* hostname is preferred */
    struct cluster_view nodes, slots;
    struct arena arena = ARENA_INIT;
    struct err err = ERR_INIT;
    size_t named, unnamed;

    CU_ASSERT_TRUE_FATAL(cluster_nodes_parse(str_from(a->nodes), &nodes, &err));
    CU_ASSERT_TRUE_FATAL(
        cluster_slots_parse(reply_of(str_from(a->slots), 1, &arena), &slots, &err));
    cluster_view_prefer(&nodes, &slots);
    unnamed = nodes.owner[0] - 1u;
    named = nodes.owner[6000] - 1u;
    CU_ASSERT_STRING_EQUAL(nodes.nodes[named].host, "shard-1.example");
    CU_ASSERT_STRING_EQUAL(nodes.nodes[unnamed].host, "127.0.0.1");
    CU_ASSERT_EQUAL(nodes.nodes[unnamed].flags & CLUSTER_NOADDR, 0);
    cluster_view_done(&slots);
    /* Nor any address. */
    CU_ASSERT_TRUE_FATAL(cluster_slots_parse(
        reply_of(STR_LIT("*1\r\n*3\r\n:0\r\n:9\r\n*3\r\n$1\r\n?\r\n:1\r\n$1\r\na\r\n"), 1, &arena),
        &slots, &err));
    CU_ASSERT_EQUAL(slots.nodes[0].flags, CLUSTER_PRIMARY | CLUSTER_NOADDR);
    cluster_view_done(&nodes);
    cluster_view_done(&slots);
    arena_done(&arena);
}

static void old_and_odd_lines_are_read(void) {
    static const char text[] =
        IDS " ::1:7000 myself,master - 0 0 1 connected 0-10 12 [93-<-x] [11->-y]\n\r\n"
            "b :7001@17001,,shard-id=z,nobody=1 master,fail,nofailover - 0 0 1 disconnected 13-14\n"
            "c :0@0 noaddr,slave,fail? " IDS " 0 0 1 connected\n";
    struct cluster_view view;
    struct slot_set slots;
    struct err err = ERR_INIT;
    char shown[64];
    size_t well;

    CU_ASSERT_TRUE_FATAL(cluster_nodes_parse(STR_LIT(text), &view, &err));
    CU_ASSERT_EQUAL_FATAL(view.count, 3);
    CU_ASSERT_STRING_EQUAL(view.nodes[0].host, "::1");
    CU_ASSERT_EQUAL(view.nodes[0].port, 7000);
    CU_ASSERT_STRING_EQUAL(view.nodes[1].host, "");
    CU_ASSERT_EQUAL(view.nodes[1].flags, CLUSTER_PRIMARY | CLUSTER_FAIL | CLUSTER_LINK_DOWN);
    CU_ASSERT_EQUAL(view.move_count, 2);
    CU_ASSERT_FALSE(view.moves[0].leaves);
    CU_ASSERT_EQUAL(cluster_view_replicas(&view, 0, &well), 1);
    CU_ASSERT_EQUAL(well, 0);
    cluster_view_slots(&view, 0, &slots);
    slot_set_format(&slots, shown, sizeof(shown));
    CU_ASSERT_STRING_EQUAL(shown, "0-10,12");
    cluster_view_uncovered(&view, &slots);
    CU_ASSERT_EQUAL(slot_set_size(&slots), SLOT_COUNT - 14);
    slot_set_format(&slots, shown, sizeof(shown));
    CU_ASSERT_STRING_EQUAL(shown, "11,15-16383");
    cluster_view_done(&view);
}

static void what_makes_no_sense_is_refused(void) {
    static const char *const texts[] = {
        "",
        "\n\n",
        "a",
        "a h:1 master - 0 0 1",
        "a h master - 0 0 1 connected",
        "a h:70000 master - 0 0 1 connected",
        "a h:x@1 master - 0 0 1 connected",
        "a h:1 master - 0 0 1 connected 16384",
        "a h:1 master - 0 0 1 connected 5-4",
        "a h:1 master - 0 0 1 connected 1-",
        "a h:1 master - 0 0 1 connected -1",
        "a h:1 master - 0 0 1 connected [1-x-b]",
        "a h:1 master - 0 0 1 connected [99999->-b]",
        "a h:1 master - 0 0 1 connected [1->-" IDS "0]",
        "a h:1 slave " IDS "0 0 0 1 connected",
        IDS "0 h:1 master - 0 0 1 connected",
        "a\x01 h:1 master - 0 0 1 connected",
        "a h\x7f:1 master - 0 0 1 connected",
    };
    static const char *const replies[] = {
        "+OK\r\n",
        "*1\r\n*2\r\n:0\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\nh\r\n:1\r\n",
        "*1\r\n*3\r\n:-1\r\n:1\r\n*2\r\n$1\r\nh\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n$1\r\nh\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n:7\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\nh\r\n:65536\r\n",
        "*1\r\n*4\r\n$5\r\nslots\r\n*1\r\n:0\r\n$5\r\nnodes\r\n*0\r\n",
        "*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n:0\r\n:1\r\n$5\r\nnodes\r\n*0\r\n",
    };
    struct arena arena = ARENA_INIT;

    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        struct cluster_view view;
        struct err err = ERR_INIT;

        CU_ASSERT_FALSE(cluster_nodes_parse(str_from(texts[i]), &view, &err));
        CU_ASSERT_EQUAL(err.code, ERR_PROTOCOL);
        cluster_view_done(&view);
    }
    for (size_t i = 0; i < LENGTH_OF(replies); i++) {
        const struct resp_value *reply = reply_of(str_from(replies[i]), 100, &arena);
        struct cluster_view view;
        struct err err = ERR_INIT;

        CU_ASSERT_FALSE(cluster_slots_parse(reply, &view, &err));
        cluster_view_done(&view);
        CU_ASSERT_FALSE(cluster_shards_parse(reply, true, &view, &err));
        CU_ASSERT_EQUAL(err.code, ERR_PROTOCOL);
        cluster_view_done(&view);
    }
    arena_done(&arena);
}

static void a_text_that_is_cut_is_refused_or_tells_less(void) {
    for (size_t i = 0; i < LENGTH_OF(cluster_answers); i++) {
        struct str whole = str_from(cluster_answers[i].nodes);
        struct cluster_info info;

        for (size_t len = 0; len < whole.len; len++) {
            char *exact = malloc(len + 1);
            struct cluster_view view;
            struct err err = ERR_INIT;

            memcpy(exact, whole.ptr, len); /* so that reading past it is seen */
            if (cluster_nodes_parse(str_of(exact, len), &view, &err))
                CU_ASSERT(view.count <= 6 && view.count > 0);
            cluster_view_done(&view);
            free(exact);
        }
        cluster_info_parse(str_from(cluster_answers[i].info), &info);
        CU_ASSERT_TRUE(info.is_told && info.is_ok);
        CU_ASSERT_EQUAL(info.assigned, SLOT_COUNT);
        CU_ASSERT_EQUAL(info.known_nodes, 6);
        CU_ASSERT_EQUAL(info.size, 3);
        cluster_info_parse(STR_LIT("cluster_state:fail\r\ncluster_slots_ok:x\nnonsense"), &info);
        CU_ASSERT_TRUE(info.is_told && !info.is_ok);
        CU_ASSERT_EQUAL(info.ok, -1);
    }
}

static void more_nodes_than_there_can_be_are_refused(void) {
    struct buf text = BUF_INIT(1 << 20);
    struct cluster_view view;
    struct err err = ERR_INIT;

    for (int i = 0; i <= CLUSTER_NODES_MAX; i++)
        CU_ASSERT_TRUE_FATAL(buf_printf(&text, &err, "n%d h:1 master - 0 0 1 connected\n", i));
    CU_ASSERT_FALSE(cluster_nodes_parse(buf_str(&text), &view, &err));
    CU_ASSERT_EQUAL(err.code, ERR_TOO_BIG);
    cluster_view_done(&view);
    buf_done(&text);
}

static void a_slot_that_two_nodes_claim_is_counted(void) {
    struct cluster_view view;
    struct err err = ERR_INIT;

    CU_ASSERT_TRUE_FATAL(cluster_nodes_parse(STR_LIT("a h:1 master - 0 0 1 connected 0-9\n"
                                                     "b h:2 master - 0 0 1 connected 8-20\n"),
                                             &view, &err));
    CU_ASSERT_EQUAL(view.disputed, 2);
    cluster_view_done(&view);
}

static void a_key_lives_in_the_slot_that_servers_say(void) {
    static const struct {
        const char *key;
        uint16_t slot;
    } rows[] = {
        {"123456789", 0x31c3},   {"{foo}bar", 12182},     {"foo{}{bar}", 8363},
        {"foo{{bar}}zap", 4015}, {"foo{bar}{zap}", 5061}, {"{}x", 10595},
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        CU_ASSERT_EQUAL(slot_set_slot(str_from(rows[i].key)), rows[i].slot);
    CU_ASSERT_EQUAL(slot_set_slot(STR_LIT("{user1000}.following")),
                    slot_set_slot(STR_LIT("user1000")));
    CU_ASSERT(slot_set_slot(STR_LIT("user{1000")) < SLOT_COUNT);
    CU_ASSERT_EQUAL(slot_set_slot(STR_EMPTY), 0);
}

static void every_slot_has_a_tag_of_four_letters_at_most(void) {
    for (unsigned slot = 0; slot < SLOT_COUNT; slot += 251) {
        struct slot_set set = {{0}};
        char tag[SLOT_TAG_SIZE], key[32];

        slot_set_add(&set, (uint16_t)slot, (uint16_t)slot);
        CU_ASSERT_TRUE_FATAL(slot_set_tag(&set, tag));
        CU_ASSERT(strlen(tag) <= 4);
        snprintf(key, sizeof(key), "a{%s}b", tag);
        CU_ASSERT_EQUAL(slot_set_slot(str_from(key)), slot);
    }
}

static void a_set_of_slots_is_shown_and_cut(void) {
    struct slot_set set = {{0}};
    char text[16], tag[SLOT_TAG_SIZE];

    slot_set_format(&set, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "");
    CU_ASSERT_FALSE(slot_set_tag(&set, tag));
    slot_set_add(&set, 0, 3);
    slot_set_add(&set, 16383, 16383);
    slot_set_format(&set, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "0-3,16383");
    slot_set_add(&set, 100, 200);
    slot_set_format(&set, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "0-3,100-200,...");
    CU_ASSERT_EQUAL(slot_set_size(&set), 106);
    CU_ASSERT_TRUE(slot_set_has(&set, 150) && !slot_set_has(&set, 201));
}

static const struct cunit_test tests[] = {
    CUNIT_TEST(the_three_answers_of_a_server_tell_the_same_shards),
    CUNIT_TEST(a_slot_on_its_way_is_told_by_the_node_that_has_it),
    CUNIT_TEST(a_node_without_a_name_keeps_its_address),
    CUNIT_TEST(old_and_odd_lines_are_read),
    CUNIT_TEST(what_makes_no_sense_is_refused),
    CUNIT_TEST(a_text_that_is_cut_is_refused_or_tells_less),
    CUNIT_TEST(more_nodes_than_there_can_be_are_refused),
    CUNIT_TEST(a_slot_that_two_nodes_claim_is_counted),
    CUNIT_TEST(a_key_lives_in_the_slot_that_servers_say),
    CUNIT_TEST(every_slot_has_a_tag_of_four_letters_at_most),
    CUNIT_TEST(a_set_of_slots_is_shown_and_cut),
};

CUNIT_MAIN("cluster", tests)
