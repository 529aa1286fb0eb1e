/* Is the process alive, can it serve, what is its contract. No key is needed. */
#include "web-api/app.h"
#include "web-api/call.h"
#include "web-api/handlers/handlers.h"
#include "web-api/openapi.h"

enum { READY_TAKE_MS = 1000 };

bool health_alive(struct call *call, struct reply *reply, struct err *err) {
    (void)call;
    (void)err;
    reply_json(reply, 200, json_pack("{s:s}", "status", "ok"));
    return true;
}

/* Ready: the schema is right and the database answers now. */
bool health_ready(struct call *call, struct reply *reply, struct err *err) {
    struct store *store;
    bool ok;

    if (app_is_stopping(call->app))
        return err_set(err, ERR_STORE, "the process is stopping");
    if (!store_pool_take(app_pool(call->app), READY_TAKE_MS, &store, err))
        return false;
    ok = store_ping(store, err);
    store_pool_give(app_pool(call->app), store);
    if (ok)
        reply_json(reply, 200, json_pack("{s:s}", "status", "ready"));
    return ok;
}

bool health_openapi(struct call *call, struct reply *reply, struct err *err) {
    (void)call;
    (void)err;
    reply_constant(reply, 200, "application/json", str_of(openapi_json_bytes, openapi_json_len));
    return true;
}
