#include "services/worker/worker_secret.h"

#include <string.h>

#include "services/secret/secret_file.h"

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
