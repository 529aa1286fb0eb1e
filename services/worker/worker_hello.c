#include "services/worker/worker_hello.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "services/net/source_address.h"

bool worker_hello_open(struct worker_hello *hello, const struct config *config, struct err *err) {
    if (gethostname(hello->host, sizeof(hello->host) - 1) != 0)
        snprintf(hello->host, sizeof(hello->host), "unknown");
    return source_address_parse(str_from(config->egress_addresses), &hello->configured, err);
}

void worker_hello_done(struct worker_hello *hello) {
    json_decref(hello->configured);
    hello->configured = NULL;
}

/* What waits for a processor in the last minute, of what there are. */
static json_t *load_percent(void) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    double load;

    if (getloadavg(&load, 1) != 1 || processors < 1)
        return json_null();
    return json_integer((json_int_t)(load * 100 / (double)processors));
}

static json_t *free_bytes(const char *dir) {
    struct statvfs disk;

    if (statvfs(dir, &disk) != 0)
        return json_null();
    return json_integer((json_int_t)disk.f_bavail * (json_int_t)disk.f_frsize);
}

/* An address may come and go with the network: it is looked up each time. */
static bool look_up_egress(const struct worker_hello *hello, struct worker *worker) {
    bool configured = json_array_size(hello->configured) > 0;

    json_decref(worker->egress);
    worker->egress = configured ? json_incref(hello->configured) : source_address_list();
    return configured;
}

bool worker_hello_say(const struct worker_hello *hello, struct worker *worker, size_t tasks_held,
                      const json_t *staying, struct store_worker_wish *ret_wish, struct err *err) {
    bool configured = look_up_egress(hello, worker);
    const struct keyring *ring = &worker->keys->ring;
    json_t *reported = json_pack(
        "{s:I, s:o, s:o, s:o, s:O, s:s, s:O?}", "tasks_max",
        (json_int_t)worker->config->worker_tasks_max, "load_percent", load_percent(),
        "spool_free_bytes", free_bytes(worker->identity->spool_dir), "sealing_key",
        ring->count > 0 ? json_integer(ring->keys[ring->count - 1].id) : json_null(), "egress",
        worker->egress, "egress_source", configured ? "configured" : "kernel", "staying", staying);
    const struct store_worker me = {.id = worker->identity->id,
                                    .host = hello->host,
                                    .pool = worker->config->worker_pool,
                                    .version = KF_VERSION,
                                    .pid = (int)getpid(),
                                    .tasks_held = (int)tasks_held,
                                    .reported = reported};
    bool ok = store_worker_seen(worker->store, &me, ret_wish, err);

    json_decref(reported);
    return ok;
}
