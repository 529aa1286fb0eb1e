#include "services/ctl/ctl_exit.h"

#include <stdio.h>

int ctl_exit_with(const struct err *err) {
    char text[ERR_FRAMES * ERR_FRAME_LEN];

    err_format(err, text, sizeof(text));
    fprintf(stderr, "keyferry: %s\n", text);
    switch (err->code) {
    case ERR_USAGE:
    case ERR_CONFIG:
    case ERR_CONNECT:
    case ERR_RESOLVE:
    case ERR_UNAUTHORIZED:
    case ERR_FORBIDDEN:
    case ERR_NOT_FOUND: /* no job of that name: nothing failed but the naming */
    case ERR_VALIDATION:
    case ERR_AMBIGUOUS_USERINFO:
    case ERR_NOT_SUPPORTED_YET:
        return CTL_EXIT_USAGE;
    case ERR_PRECHECK_REQUIRED:
        return CTL_EXIT_PRECHECK;
    default:
        return CTL_EXIT_FAILED;
    }
}
