/* endpoint_read.h - reading an endpoint's JSON, member by member.
 *
 * Pure. What the readers of endpoint_json.c and endpoint_read_login.c share; not for use
 * outside of endpoint*.c. The readers of one member leave *ret alone when it is missing or
 * null. All fail with VALIDATION or NOT_SUPPORTED_YET, and leave in the reading's pointer
 * where it was; no text of theirs quotes a value.
 */
#pragma once

#include "services/net/endpoint.h"

/* One reading of a document: where to leave the pointer and the story. */
struct endpoint_reading {
    char *pointer; /* ENDPOINT_POINTER_SIZE bytes, or NULL */
    struct err *err;
};

/* Fail. Returns false. */
bool endpoint_read_wrong(struct endpoint_reading *r, const char *pointer, enum err_code code,
                         const char *why);

/* Keep the story that a field's rule told and add where it was. Returns false. */
bool endpoint_read_wrong_at(struct endpoint_reading *r, const char *pointer);

/* An object's members are among `known`; those in `later` are named by the contract and not
 * built. NULL closes both lists. */
MUST_CHECK bool endpoint_read_members(struct endpoint_reading *r, const char *at,
                                      const json_t *object, const char *const *known,
                                      const char *const *later);

/* *ret is borrowed, and empty when the member is missing or null. */
MUST_CHECK bool endpoint_read_text(struct endpoint_reading *r, const json_t *object,
                                   const char *name, const char *pointer, struct str *ret,
                                   bool *ret_given);
MUST_CHECK bool endpoint_read_bool(struct endpoint_reading *r, const json_t *object,
                                   const char *name, const char *pointer, bool *ret);
MUST_CHECK bool endpoint_read_number(struct endpoint_reading *r, const json_t *object,
                                     const char *name, const char *pointer, json_int_t lowest,
                                     json_int_t highest, json_int_t *ret);

/* The members `auth` and `tls`, NULL or null = missing. `cred` NULL: what is stored holds no
 * secret. `scheme_tls`: what a URL beside it said; NULL when there is none. */
MUST_CHECK bool endpoint_read_auth(struct endpoint_reading *r, const json_t *auth,
                                   struct endpoint *ep, struct credentials *cred);
/* `username`, `password` and `configured` of the member `sentinel`, which is an object. */
MUST_CHECK bool endpoint_read_sentinel_login(struct endpoint_reading *r, const json_t *sentinel,
                                             struct endpoint *ep, struct credentials *cred);
MUST_CHECK bool endpoint_read_tls(struct endpoint_reading *r, const json_t *tls,
                                  const bool *scheme_tls, struct endpoint *ep,
                                  struct credentials *cred);

/* The member `address_map` of an end whose addresses were read already. */
MUST_CHECK bool endpoint_read_map(struct endpoint_reading *r, const json_t *list,
                                  struct endpoint *ep);
json_t *endpoint_map_json(const struct endpoint *ep);
