#include "sql/store_job_edit.h"

#include "sql/embedded.h"
#include "sql/store_job.h"

bool store_job_edit(struct store *store, const struct store_job_edit *edit, bool *ret_written,
                    struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, edit->job);
    store_bind_i64(&p, edit->version);
    store_bind_text(&p, edit->name);
    store_bind_json(&p, edit->spec);
    store_bind_json(&p, edit->warnings);
    store_bind_bool(&p, edit->is_whole);
    store_bind_bytes(&p, edit->sealed);
    store_bind_text(&p, edit->spec_digest);
    store_bind_text(&p, edit->destination_key);
    store_job_bind_databases(&p, edit->destination_databases, edit->destination_database_count);
    store_bind_text(&p, "edited");
    store_bind_text(&p, "The specification was edited");
    store_bind_text(&p, edit->detail);
    store_bind_text(&p, edit->actor);
    return store_exec_found(store, &sql_query_job_edit, &p, ret_written, err);
}

bool store_job_edit_class(struct store *store, const char *job, int64_t version,
                          const char *instance_class, const char *actor, bool *ret_written,
                          struct err *err) {
    struct store_params p = STORE_PARAMS_INIT;

    store_bind_text(&p, job);
    store_bind_i64(&p, version);
    store_bind_text(&p, instance_class);
    store_bind_text(&p, "purchased");
    store_bind_text(&p, "The instance class was chosen");
    store_bind_text(&p, instance_class);
    store_bind_text(&p, actor);
    return store_exec_found(store, &sql_query_job_class, &p, ret_written, err);
}
