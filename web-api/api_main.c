/* keyferry-api - the HTTP process.
 *
 *     keyferry-api [--config FILE]
 *
 * Settings: services/common/config_keys.def. Serves until SIGTERM or SIGINT, then
 * lets running requests end. When it listens it prints one line,
 * "keyferry-api listening on PORT", on standard output.
 * Exit: 0 asked to stop, 1 it cannot serve, 2 wrong usage or setting.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/common/config.h"
#include "services/common/log.h"
#include "services/common/process.h"
#include "web-api/app.h"
#include "web-api/keeper.h"
#include "web-api/metrics_page.h"
#include "web-api/server.h"

enum { LOOK_MS = 500, DRAIN_MS = 10000 };

struct api {
    struct config config;
    struct app *app;
    struct keeper *keeper;
    struct server *server, *metrics;
    int signals;
};

static bool start_servers(struct api *api, struct err *err) {
    struct server_config config = SERVER_CONFIG_DEFAULT;
    struct server_app app = app_server(api->app), metrics = metrics_page_server(api->app);

    config.listen = api->config.listen;
    config.connections_max = (unsigned)api->config.api_connections_max;
    if (config.per_address_max > config.connections_max)
        config.per_address_max = config.connections_max;
    if (!server_start(&config, &app, &api->server, err))
        return err_wrap(err, "KEYFERRY_LISTEN");
    if (strcmp(api->config.metrics_listen, "off") == 0)
        return true;
    config.listen = api->config.metrics_listen;
    config.connections_max = config.per_address_max = 16;
    config.body_max = 0;
    return server_start(&config, &metrics, &api->metrics, err) ||
           err_wrap(err, "KEYFERRY_METRICS_LISTEN");
}

static bool start(struct api *api, const char *file, char **environment, struct err *err) {
    if (!config_load(&api->config, file, environment, err))
        return false;
    log_init_text(api->config.log_format, api->config.log_level);
    if (!api->config.database_url[0])
        return err_set(err, ERR_CONFIG, "KEYFERRY_DATABASE_URL is not set");
    return process_signals_open(&api->signals, err) && app_new(&api->config, &api->app, err) &&
           start_servers(api, err) &&
           keeper_start(api->app, api->config.database_url, &api->keeper, err);
}

/* True when asked to stop, false when there is no use in going on. */
static bool serve(struct api *api, struct err *err) {
    for (;;) {
        struct pollfd waits = {.fd = api->signals, .events = POLLIN};
        enum process_signal got;

        poll(&waits, 1, LOOK_MS);
        while ((got = process_signal_take()) != PROCESS_NONE)
            if (got == PROCESS_STOP)
                return true;
        if (keeper_gave_up(api->keeper, err))
            return err_wrap(err, "the control database cannot be used");
    }
}

static void stop(struct api *api) {
    if (api->app)
        app_stop(api->app);
    server_stop(api->server, DRAIN_MS);
    server_stop(api->metrics, 0);
    keeper_stop(api->keeper);
    app_free(api->app);
    config_done(&api->config);
}

int main(int argc, char **argv, char **environment) {
    struct api api = {.signals = -1};
    struct err err = ERR_INIT;
    const char *file = NULL;
    int rc = 0;

    if (argc == 3 && strcmp(argv[1], "--config") == 0) {
        file = argv[2];
    } else if (argc != 1) {
        fprintf(stderr, "usage: keyferry-api [--config FILE]\n");
        return 2;
    }
    process_harden();
    json_object_seed(0); /* before threads: jansson would race to seed itself */
    config_init(&api.config);
    if (start(&api, file, environment, &err)) {
        printf("keyferry-api listening on %u\n", server_port(api.server));
        fflush(stdout);
        log_event(LOG_LEVEL_INFO, "api.listening", LOG_TEXT("address", api.config.listen),
                  LOG_INT("port", server_port(api.server)));
        if (!serve(&api, &err))
            rc = 1;
    } else {
        rc = err.code == ERR_CONFIG ? 2 : 1;
    }
    if (rc != 0) {
        char story[ERR_FRAMES * (ERR_FRAME_LEN + 2)];

        err_format(&err, story, sizeof(story));
        fprintf(stderr, "keyferry-api: %s\n", story);
    }
    stop(&api);
    return rc;
}
