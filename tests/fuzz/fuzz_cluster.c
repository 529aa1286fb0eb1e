/* What a member of a cluster may send: the first byte says to which question it is the answer. */
#include <stdlib.h>

#include "proto/cluster/cluster_info.h"
#include "proto/cluster/cluster_nodes.h"
#include "proto/cluster/cluster_shards.h"
#include "proto/cluster/cluster_slots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever was read is within its bounds and can be asked. */
static void look_at(const struct cluster_view *view) {
    struct slot_set slots;
    char text[64], tag[SLOT_TAG_SIZE];
    size_t well;

    if (view->count > CLUSTER_NODES_MAX)
        abort();
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (view->owner[slot] > view->count)
            abort();
    for (size_t i = 0; i < view->count && i < 4; i++) {
        cluster_view_slots(view, i, &slots);
        slot_set_format(&slots, text, sizeof(text));
        if (cluster_view_replicas(view, i, &well) < well)
            abort();
        /* Of many slots one is found soon. */
        if (slot_set_size(&slots) > 256 && !slot_set_tag(&slots, tag))
            abort();
    }
    cluster_view_uncovered(view, &slots);
    (void)cluster_view_myself(view);
}

static void as_reply(struct str in, uint8_t kind) {
    struct resp_reader *reader =
        resp_reader_new((struct resp_reader_limits){.array_max = 1000, .bytes_max = 64 * 1024});
    struct cluster_view view = CLUSTER_VIEW_INIT;
    struct arena arena = ARENA_INIT;
    const struct resp_value *value;
    struct err err = ERR_INIT;

    if (!reader)
        abort();
    if (resp_reader_feed(reader, in, &err) &&
        resp_reader_next(reader, &arena, &value, &err) == RESP_GOT) {
        bool ok = kind == 'S' ? cluster_slots_parse(value, &view, &err)
                              : cluster_shards_parse(value, kind == 'T', &view, &err);

        if (ok == (err.code != ERR_NONE))
            abort();
        look_at(&view);
    }
    cluster_view_done(&view);
    resp_reader_free(reader);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cluster_view view = CLUSTER_VIEW_INIT;
    struct cluster_info info;
    struct err err = ERR_INIT;
    struct str in;

    if (size == 0)
        return 0;
    in = str_of(data + 1, size - 1);
    switch (data[0]) {
    case 'N':
        if (cluster_nodes_parse(in, &view, &err) == (err.code != ERR_NONE))
            abort();
        look_at(&view);
        cluster_view_done(&view);
        break;
    case 'I':
        cluster_info_parse(in, &info);
        break;
    default:
        as_reply(in, data[0]);
    }
    return 0;
}
