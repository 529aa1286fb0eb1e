#include "web-api/app_keys.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "services/common/clock.h"
#include "services/secret/keyring_file.h"

enum { KEPT_MS = 600000 };

struct shared_ring {
    struct keyring ring;
    struct shared_ring *older;
    int64_t replaced_ms; /* monotonic */
};

struct app_keys {
    struct keyring_file file;
    _Atomic(struct shared_ring *) current;
};

static bool publish(struct app_keys *keys, struct err *err) {
    struct shared_ring *fresh = calloc(1, sizeof(*fresh)), *old = atomic_load(&keys->current);

    if (!fresh)
        return err_set(err, ERR_MEMORY, "the master keys");
    fresh->ring = keys->file.ring;
    fresh->older = old;
    if (old)
        old->replaced_ms = clock_mono_ms();
    atomic_store(&keys->current, fresh);
    return true;
}

static void forget(struct shared_ring *ring) {
    while (ring) {
        struct shared_ring *older = ring->older;

        keyring_done(&ring->ring);
        free(ring);
        ring = older;
    }
}

/* Each ring is older than the one before it. */
static void forget_replaced(struct app_keys *keys) {
    struct shared_ring *ring = atomic_load(&keys->current);
    int64_t until_ms = clock_mono_ms() - KEPT_MS;

    while (ring->older && ring->older->replaced_ms > until_ms)
        ring = ring->older;
    forget(ring->older);
    ring->older = NULL;
}

bool app_keys_new(const char *path, struct app_keys **ret, struct err *err) {
    struct app_keys *keys = calloc(1, sizeof(*keys));

    if (!keys)
        return err_set(err, ERR_MEMORY, "the master keys");
    atomic_init(&keys->current, NULL);
    if (!keyring_file_open(&keys->file, path, err) || !publish(keys, err)) {
        app_keys_free(keys);
        return false;
    }
    *ret = keys;
    return true;
}

void app_keys_free(struct app_keys *keys) {
    if (!keys)
        return;
    forget(atomic_load(&keys->current));
    keyring_file_done(&keys->file);
    free(keys);
}

const struct keyring *app_keys_ring(struct app_keys *keys) {
    return &atomic_load(&keys->current)->ring;
}

bool app_keys_look(struct app_keys *keys, bool *ret_changed, struct err *err) {
    *ret_changed = false;
    forget_replaced(keys);
    return keyring_file_look(&keys->file, ret_changed, err) &&
           (!*ret_changed || publish(keys, err));
}
