/* ctl_secrets.h - passwords on their way from the command line to the API.
 *
 * The list of processes shows everybody's arguments, so a password in a URL is
 * taken out of them before anything else happens.
 */
#pragma once

#include <jansson.h>

#include "services/ctl/ctl_args.h"

/* Move every argument that holds a URL with a password to the heap and overwrite
 * where it stood; argv[i] then points to the copy, which lives as long as the
 * process. Answers how many there were. Call it first in main. */
int ctl_secrets_take_arguments(int argc, char **argv);

enum ctl_end { CTL_SOURCE, CTL_DESTINATION };

/* The endpoint reference for the API: the URL with the password of the file or the
 * environment put in, and the TLS options. *ret is a new reference.
 * Errors: USAGE, IO, NOT_FOUND, TOO_BIG. */
MUST_CHECK bool ctl_secrets_endpoint(const struct ctl_args *args, enum ctl_end end, const char *url,
                                     json_t **ret, struct err *err);

/* `url` with `password` as its password: percent-encoded, user kept. Pure.
 * Errors: USAGE (no redis URL, or it holds a password already), TOO_BIG. */
MUST_CHECK bool ctl_secrets_url(struct str url, struct str password, struct buf *out,
                                struct err *err);

/* Where in `url` the password of the user info stands. Pure; false when there is none. */
bool ctl_secrets_find(const char *url, size_t *ret_at, size_t *ret_len);
