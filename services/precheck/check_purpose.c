/* Which checks a run carries out that is no whole precheck. */
#include <string.h>

#include "services/precheck/check_run.h"

static const struct {
    const char *purpose, *ids;
    const char *of_clusters; /* also, of an end that is named as one; NULL = nothing */
} purposes[] = {
    {"connectivity",
     "src.file src.dns src.connect src.tls src.auth src.identity src.loading src.role "
     "src.psync_permission src.replconf_permission src.read_permission "
     "dst.dns dst.connect dst.tls dst.auth dst.identity dst.writable dst.permission net.latency",
     "src.topology dst.cluster_health"},
    /* What nobody can wait for: the job is paused when one of these fails. Servers that are away,
     * busy or loading are the business of its retries. */
    {"start",
     "src.psync_permission src.replconf_permission dst.permission dst.same_instance "
     "dst.loop",
     NULL},
    /* Source and destination are the same server here. */
    {"discover",
     "src.file src.dns src.connect src.tls src.auth src.loading src.version src.edition "
     "src.topology src.role src.psync_permission src.replconf_permission "
     "src.read_permission src.big_keys dst.permission net.latency",
     NULL},
};

static bool is_one_of(struct str ids, const char *id) {
    struct str one;

    while (str_cut(&ids, ' ', &one))
        if (str_equal(one, str_from(id)))
            return true;
    return false;
}

static bool is_in(const json_t *list, const char *id) {
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one) {
        const char *text = json_string_value(one);

        if (text && strcmp(text, id) == 0)
            return true;
    }
    return false;
}

/* Is the end that the check is named after a cluster? */
static bool is_of_cluster(const json_t *spec, const char *id) {
    const json_t *end =
        json_object_get(spec, strncmp(id, "src.", 4) == 0 ? "source" : "destination");
    const char *topology = json_string_value(json_object_get(end, "topology"));

    return topology && strcmp(topology, "cluster") == 0;
}

json_t *check_purpose(const char *purpose, const json_t *carried, const json_t *spec) {
    const char *ids = NULL, *of_clusters = NULL;
    json_t *list;

    for (size_t i = 0; i < LENGTH_OF(purposes); i++) {
        if (strcmp(purposes[i].purpose, purpose) != 0)
            continue;
        ids = purposes[i].ids;
        of_clusters = purposes[i].of_clusters;
    }
    if (!ids && json_array_size(carried) == 0)
        return NULL;
    list = json_array();
    for (size_t i = 0; i < check_row_count; i++) {
        const char *id = check_rows[i].info.id;

        if ((!ids || is_one_of(str_from(ids), id) ||
             (is_one_of(str_from(of_clusters), id) && is_of_cluster(spec, id))) &&
            !is_in(carried, id))
            json_array_append_new(list, json_string(id));
    }
    return list;
}
