/* job_spec_ends.c - the part of job_spec.h that reads the ends of what is stored. */
#include "services/job/job_spec.h"

#include <stdio.h>
#include <string.h>

static bool is_cluster(const json_t *spec, const char *end) {
    const json_t *topology = json_object_get(json_object_get(spec, end), "topology");

    return json_is_string(topology) && strcmp(json_string_value(topology), "cluster") == 0;
}

const char *job_spec_unbuilt(const json_t *spec) {
    return job_spec_unbuilt_of(is_cluster(spec, "source"), is_cluster(spec, "destination"));
}

const char *job_spec_unbuilt_of(bool source, bool destination) {
    if (source && destination)
        return "Both ends are clusters: that is checked, and moving data between them is not built "
               "yet";
    if (source)
        return "The source is a cluster: that is checked, and copying from one is not built yet";
    return destination ? "The destination is a cluster: that is checked, and writing to one is not "
                         "built yet"
                       : NULL;
}

bool job_spec_end_parse(const json_t *given, struct endpoint *ret, struct credentials *ret_cred,
                        char *ret_pointer, struct err *err) {
    if (!endpoint_parse_reference(given, ret, ret_cred, ret_pointer, err))
        return false;
    if (!ret->secret_ref[0] || secret_str(&ret_cred->password).len == 0)
        return true;
    endpoint_done(ret);
    credentials_done(ret_cred);
    snprintf(ret_pointer, ENDPOINT_POINTER_SIZE, "/auth/secret_ref");
    return err_set(err, ERR_VALIDATION, "stands instead of a password, and the URL has one");
}

const char *job_spec_end_code(const struct err *why) {
    static const char unknown[] = "is not a known member";
    size_t len = strlen(why->frame[0]);

    if (len >= strlen(unknown) && strcmp(why->frame[0] + len - strlen(unknown), unknown) == 0)
        return "unknown_field";
    switch (why->code) {
    case ERR_NOT_SUPPORTED_YET:
        return "not_supported_yet";
    case ERR_AMBIGUOUS_USERINFO:
        return "ambiguous_userinfo";
    default:
        return "invalid";
    }
}

const char *job_spec_end_detail(const struct err *why, const char *pointer) {
    const char *detail = why->frame[0], *end = strstr(detail, ": ");
    struct str said = str_of(detail, end ? (size_t)(end - detail) : 0), at = str_from(pointer);

    /* Within "inline" the story names the member from there. */
    if (said.len > 0 && (str_equal(said, STR_LIT("endpoint")) ||
                         (said.ptr[0] == '/' && said.len <= at.len &&
                          str_equal(str_skip(at, at.len - said.len), said))))
        return end + 2;
    return detail;
}

bool job_spec_endpoint(const json_t *spec, const char *end, struct endpoint *ret, struct err *err) {
    json_t *at = json_copy(json_object_get(spec, end)); /* without what it was named by */
    bool ok;

    if (!json_is_object(at))
        return err_set(err, ERR_VALIDATION, "the specification has no %s", end);
    json_object_del(at, "reference");
    ok = endpoint_from_json(at, ret, NULL, NULL, err);
    json_decref(at);
    return ok || err_wrap(err, "the %s", end);
}

bool job_spec_credentials(const struct secret *sealed, const char *end, struct credentials *ret,
                          struct err *err) {
    json_t *all, *one;
    bool ok;

    *ret = CREDENTIALS_INIT;
    if (secret_str(sealed).len == 0)
        return true;
    all = json_loadb(sealed->ptr, sealed->len, 0, NULL);
    if (!all)
        return err_set(err, ERR_INTERNAL, "the sealed credentials are not JSON");
    one = json_object_get(all, end);
    ok = !one || credentials_from_json(one, ret, err);
    json_decref(all);
    return ok || err_recode(err, ERR_INTERNAL, "the sealed credentials of the %s", end);
}
