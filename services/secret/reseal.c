#include "services/secret/reseal.h"

#include <stdlib.h>

#include "services/common/clock.h"
#include "services/common/log.h"
#include "services/secret/seal.h"

enum { AT_ONCE = 500 };

static bool reseal_one(struct reseal *pass, struct store *store, const struct keyring *ring,
                       const struct store_secret *secret, struct err *err) {
    struct buf sealed = BUF_INIT(STORE_SECRET_MAX + SEAL_OVERHEAD);
    struct secret opened = SECRET_INIT;
    struct err why = ERR_INIT;
    bool written = false, ok;

    ok = seal_open(ring, str_from(secret->identity), buf_str(&secret->sealed), &opened, &why);
    if (!ok) {
        log_event(LOG_LEVEL_WARN, "secret.unreadable", LOG_TEXT("of", secret->identity),
                  LOG_ERR(&why));
        pass->unreadable++;
        return true;
    }
    ok = seal_close(ring, str_from(secret->identity), secret_str(&opened), &sealed, err) &&
         store_secret_replace(store, secret, buf_str(&sealed), &written, err);
    pass->done += written;
    secret_done(&opened);
    buf_done(&sealed);
    return ok;
}

static bool reseal_batch(struct reseal *pass, struct store *store, const struct keyring *ring,
                         struct store_secret *batch, size_t count, int64_t end_ms,
                         struct err *err) {
    for (size_t i = 0; i < count && clock_mono_ms() < end_ms; i++) {
        if (!reseal_one(pass, store, ring, &batch[i], err))
            return err_wrap(err, "sealing %s again", batch[i].identity);
        pass->at = batch[i].place;
    }
    return true;
}

bool reseal_some(struct reseal *pass, struct store *store, const struct keyring *ring,
                 int budget_ms, bool *ret_over, struct err *err) {
    int64_t end_ms = clock_mono_ms() + budget_ms;
    uint32_t old[KEYRING_KEYS_MAX];
    struct store_secret *batch;
    size_t old_count = 0, count = 0;
    bool ok = true;

    *ret_over = false;
    for (int i = 0; i + 1 < ring->count; i++)
        old[old_count++] = ring->keys[i].id;
    if (old_count == 0) {
        *ret_over = true;
        return true;
    }
    batch = calloc(AT_ONCE, sizeof(*batch));
    if (!batch)
        abort();
    do {
        count = 0;
        ok = store_secret_under(store, old, old_count, &pass->at, AT_ONCE, batch, &count, err);
        *ret_over = ok && count == 0;
        ok = ok && reseal_batch(pass, store, ring, batch, count, end_ms, err);
        for (size_t i = 0; i < count; i++)
            buf_done(&batch[i].sealed);
    } while (ok && count > 0 && clock_mono_ms() < end_ms);
    free(batch);
    return ok;
}
