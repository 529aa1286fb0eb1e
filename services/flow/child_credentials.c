#include "services/flow/child.h"

/* process_harden() has jansson wipe what it frees, so the answer leaves no copy. */
bool child_ask_credentials(int fd, const char *end, struct credentials *ret, struct err *err) {
    json_t *request = json_pack("{s:s, s:s}", "type", "credentials", "end", end);
    json_t *answer = NULL, *inner;
    const char *error, *slug;
    bool ok;

    if (!request)
        return err_set(err, ERR_MEMORY, "no memory for a message");
    ok = child_ask(fd, request, "credentials", &answer, err);
    json_decref(request);
    if (!ok)
        return false;
    inner = json_object_get(answer, "credentials");
    error = json_string_value(json_object_get(answer, "error"));
    slug = json_string_value(json_object_get(answer, "code"));
    if (error) {
        enum err_code code = slug ? err_from_slug(slug) : ERR_NONE;

        ok = err_set(err, code ? code : ERR_INTERNAL, "credentials of the %s: %s", end, error);
    } else {
        ok = credentials_from_json(inner, ret, err);
    }
    json_decref(answer);
    return ok;
}
