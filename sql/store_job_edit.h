/* store_job_edit.h - changes of a job's specification and class, by version; for
 * services/job/job_edit.c and nobody else. They move nothing. */
#pragma once

#include "sql/store.h"

struct store_job_edit {
    const char *job, *name, *detail, *actor;
    int64_t version; /* the row must be at this one */
    const json_t *spec, *warnings;
    bool is_whole; /* what follows is written too */
    struct str sealed;
    const char *spec_digest;
    const char *destination_key; /* NULL in a draft */
    const int *destination_databases;
    int destination_database_count; /* 0 = all */
};

/* *ret_written is false when the version is another by now. */
MUST_CHECK bool store_job_edit(struct store *store, const struct store_job_edit *edit,
                               bool *ret_written, struct err *err);

MUST_CHECK bool store_job_edit_class(struct store *store, const char *job, int64_t version,
                                     const char *instance_class, const char *actor,
                                     bool *ret_written, struct err *err);
