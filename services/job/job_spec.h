/* job_spec.h - what a user wants migrated: read once, checked once, stored whole.
 *
 * Pure on jansson. The body of POST /v1/jobs, /v1/jobs/preview and the stand-alone
 * POST /v1/prechecks becomes a canonical specification: every default filled in,
 * both ends in the form of endpoint_to_json(), secrets split off. What is not
 * built yet is refused by its pointer unless it says its default; unknown members
 * are refused; nothing is accepted and ignored.
 *
 * Source: web-api/openapi.yaml; ranges and defaults follow Alibaba Cloud DTS where it has them.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/err.h"
#include "services/net/endpoint.h"
#include "services/secret/secret.h"

enum { JOB_SPEC_NAME_MAX = 128, JOB_SPEC_ERRORS_MAX = 64 };

struct job_spec {
    json_t *spec;         /* canonical, no secret in it */
    json_t *errors;       /* [{"pointer", "code", "detail"}]; empty = usable */
    json_t *warnings;     /* [{"code", "detail", "pointer"}] */
    json_t *missing;      /* ["/source", "/destination"]: why it is only a draft */
    struct secret sealed; /* JSON text {"source":{…},"destination":{…}} of credentials_to_json();
                             none when there are no secrets */
    char digest[65];      /* SHA-256, hex, of what a precheck depends on, credentials included */
    char destination_key[300];      /* endpoint_server(): what selections are compared within */
    int destination_databases[256]; /* of the selection, ascending */
    int destination_database_count; /* 0 = all */
};

/* Read a request. Always leaves a job_spec to job_spec_done(), also on false.
 * False only when there is no usable specification:
 *   VALIDATION           errors[] says which members
 *   NOT_SUPPORTED_YET    every error is of that kind
 *   AMBIGUOUS_USERINFO   the only errors are of that kind */
MUST_CHECK bool job_spec_read(const json_t *body, struct job_spec *ret, struct err *err);

void job_spec_done(struct job_spec *spec);

static inline bool job_spec_is_complete(const struct job_spec *spec) {
    return json_array_size(spec->missing) == 0;
}

/* One end of a canonical specification: "source" or "destination".
 * Errors: VALIDATION (it has none). */
MUST_CHECK bool job_spec_endpoint(const json_t *spec, const char *end, struct endpoint *ret,
                                  struct err *err);

/* The credentials of one end out of the opened `sealed` text; none when it holds
 * none for that end. Errors: INTERNAL (not what job_spec_read made). */
MUST_CHECK bool job_spec_credentials(const struct secret *sealed, const char *end,
                                     struct credentials *ret, struct err *err);

/* endpoint_parse_reference(), for what somebody asks for: a URL with a password and a file of one
 * beside it are two logins, of which one would be ignored. Errors: the same; VALIDATION. */
MUST_CHECK bool job_spec_end_parse(const json_t *given, struct endpoint *ret,
                                   struct credentials *ret_cred, char *ret_pointer,
                                   struct err *err);

/* What endpoint_from_json() and job_spec_end_parse() refused, as an entry of `errors` has it:
 * its code, and the root of the story without the pointer the entry has beside it. */
const char *job_spec_end_code(const struct err *why);
const char *job_spec_end_detail(const struct err *why, const char *pointer);

/* Why a job of that specification can be checked and not be carried out; NULL: it can. */
const char *job_spec_unbuilt(const json_t *spec);

/* The same where it is known which of its ends are clusters. */
const char *job_spec_unbuilt_of(bool source_is_cluster, bool destination_is_cluster);
