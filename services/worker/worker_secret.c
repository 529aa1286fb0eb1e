#include "services/worker/worker_secret.h"

#include <string.h>

#include "services/common/log.h"
#include "services/job/job_control.h"
#include "services/secret/secret_file.h"

bool worker_secret_look(struct worker *worker) {
    struct err why = ERR_INIT;
    bool changed = false;

    if (!keyring_file_look(worker->keys, &changed, &why))
        log_event(LOG_LEVEL_ERROR, "worker.master-keys-unchanged", LOG_ERR(&why));
    if (changed)
        log_event(LOG_LEVEL_INFO, "worker.master-keys-read",
                  LOG_INT("keys", worker->keys->ring.count));
    return changed;
}

bool worker_secret_open(struct worker *worker, const char *row, const char *id, struct str blob,
                        struct secret *ret, struct err *err) {
    if (job_control_unseal(&worker->keys->ring, row, id, blob, ret, err))
        return true;
    if (err->code != ERR_SECRET_UNREADABLE || !worker_secret_look(worker))
        return false;
    err_clear(err);
    return job_control_unseal(&worker->keys->ring, row, id, blob, ret, err);
}

static const char *ref_of(const json_t *spec, const char *end) {
    const json_t *auth = json_object_get(json_object_get(spec, end), "auth");
    const char *ref = json_string_value(json_object_get(auth, "secret_ref"));

    return ref && strncmp(ref, "file:", 5) == 0 ? ref + 5 : NULL;
}

bool worker_secret_is_of_file(const json_t *spec, const char *end) {
    return ref_of(spec, end) != NULL;
}

bool worker_secret_read(const struct config *config, const json_t *spec, const char *end,
                        struct credentials *login, struct err *err) {
    const char *file = ref_of(spec, end);

    if (!file || secret_file_read(config->secrets_dir, file, &login->password, err))
        return true;
    if (err->code == ERR_CONFIG)
        return false;
    return err_recode(err, strcmp(end, "source") == 0 ? ERR_SOURCE_AUTH : ERR_DEST_AUTH,
                      "the login of the %s", end);
}
