/* store_audit.h - who changed what. Rows are added in the transaction of the change and never
 * changed; they hold no secrets. */
#pragma once

#include <jansson.h>

#include "sql/store.h"

struct store_audit {
    const char *account; /* who may read it */
    const char *actor;   /* "key:<prefix>", "worker:<id>", "system" */
    const char *action, *kind, *object;
    const json_t *before, *after;  /* NULL = nothing */
    const char *request_id, *peer; /* NULL = by no request */
};

MUST_CHECK bool store_audit_add(struct store *store, const struct store_audit *row,
                                struct err *err);

struct store_audit_filter {
    int64_t before_number; /* 0 = from the newest */
    int limit;
    const char *object, *action, *actor; /* NULL = any */
    int64_t since_ms, until_ms;          /* 0 = any */
};

/* Newest first, as the API shows them. A new reference. */
MUST_CHECK bool store_audit_list(struct store *store, const char *account,
                                 const struct store_audit_filter *filter, json_t **ret_list,
                                 struct err *err);
