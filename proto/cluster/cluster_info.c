#include "proto/cluster/cluster_info.h"

void cluster_info_parse(struct str text, struct cluster_info *ret) {
    struct {
        const char *name;
        int32_t *into;
    } rows[] = {
        {"cluster_slots_assigned", &ret->assigned}, {"cluster_slots_ok", &ret->ok},
        {"cluster_slots_pfail", &ret->pfail},       {"cluster_slots_fail", &ret->fail},
        {"cluster_known_nodes", &ret->known_nodes}, {"cluster_size", &ret->size},
    };
    struct str line, name;
    uint64_t number;

    *ret = (struct cluster_info){
        .assigned = -1, .ok = -1, .pfail = -1, .fail = -1, .known_nodes = -1, .size = -1};
    while (str_cut(&text, '\n', &line)) {
        line = str_trim(line);
        if (!str_cut(&line, ':', &name))
            continue;
        if (str_equal(name, STR_LIT("cluster_state"))) {
            ret->is_told = true;
            ret->is_ok = str_equal(line, STR_LIT("ok"));
        }
        for (size_t i = 0; i < LENGTH_OF(rows); i++)
            if (str_equal(name, str_from(rows[i].name)) && str_parse_u64(line, &number) &&
                number <= INT32_MAX)
                *rows[i].into = (int32_t)number;
    }
}
