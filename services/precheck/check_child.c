#include "services/flow/child.h"
#include "services/precheck/check.h"

enum { SPEC_TIMEOUT_MS = 30000 };

static bool ask_credentials(void *context, const char *end, struct credentials *ret,
                            struct err *err) {
    const int *fd = context;

    return child_ask_credentials(*fd, end, ret, err);
}

static bool send_item(void *context, const json_t *item, struct err *err) {
    const int *fd = context;
    json_t *message = json_pack("{s:s, s:O}", "type", "check", "item", item);
    bool ok = message ? child_send(*fd, message, err)
                      : err_set(err, ERR_INTERNAL, "an item could not be packed");

    json_decref(message);
    return ok;
}

static bool run(int fd, struct err *err) {
    const struct check_hooks hooks = {
        .context = &fd, .credentials = ask_credentials, .item = send_item};
    json_t *spec = NULL, *facts = NULL, *plan = NULL, *done;
    bool ok;

    if (!child_receive(fd, SPEC_TIMEOUT_MS, &spec, err))
        return false;
    if (!spec)
        return err_set(err, ERR_TIMEOUT, "the supervisor sent no specification");
    ok = check_run(spec, &hooks, &facts, &plan, err);
    json_decref(spec);
    if (!ok)
        return false;
    done = json_pack("{s:s, s:o, s:o}", "type", "check_done", "facts", facts, "plan", plan);
    ok = done ? child_send(fd, done, err)
              : err_set(err, ERR_INTERNAL, "the facts could not be packed");
    json_decref(done);
    return ok;
}

int check_child_main(int socket_fd) {
    struct err err = ERR_INIT;

    if (run(socket_fd, &err))
        return 0;
    child_send_error(socket_fd, &err);
    return 1;
}
