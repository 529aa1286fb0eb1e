/* handlers.h - every function the table of routes names. One file per resource;
 * none of them knows HTTP's library or SQL. What each call does is in
 * openapi.yaml. */
#pragma once

#include "web-api/route.h"

#define HANDLER(name) bool name(struct call *call, struct reply *reply, struct err *err)

/* health.c */
HANDLER(health_alive);
HANDLER(health_ready);
HANDLER(health_openapi);

/* platform.c */
HANDLER(platform_version);
HANDLER(platform_me);
HANDLER(platform_classes);
HANDLER(platform_capabilities);
HANDLER(platform_checks);
HANDLER(platform_runbooks);
HANDLER(platform_runbook);
HANDLER(platform_commands);

/* master_keys.c */
HANDLER(master_keys_list);

/* workers.c */
HANDLER(workers_list);
HANDLER(workers_get);
HANDLER(workers_pools);
HANDLER(workers_egress);
HANDLER(workers_drain);
HANDLER(workers_undrain);

/* probes.c */
HANDLER(probes_connectivity);
HANDLER(probes_connectivity_get);
HANDLER(probes_discover);
HANDLER(probes_discover_get);

/* reference.c */
HANDLER(reference_check);
HANDLER(reference_problem);
HANDLER(reference_acl);

/* jobs.c */
HANDLER(jobs_create);
HANDLER(jobs_preview);
HANDLER(jobs_list);
HANDLER(jobs_summary);
HANDLER(jobs_get);
HANDLER(jobs_release);

/* job_edits.c */
HANDLER(job_edits_patch);
bool job_edits_prepare(struct call *call, struct err *err);
HANDLER(job_edits_throttle_get);
HANDLER(job_edits_throttle_put);

/* job_moves.c */
HANDLER(job_moves_start);
/* `acknowledge_limits` of a start: that the limits (GET /v1/capabilities) were seen. *ret_detail is
 * what the history says of it; NULL = nothing. False: call->fields says what is wrong. */
bool job_moves_acknowledged(struct call *call, const char **ret_detail);
HANDLER(job_moves_purchase);
HANDLER(job_moves_resize);
HANDLER(job_moves_pause);
HANDLER(job_moves_resume);
HANDLER(job_moves_stop);

/* job_cutover.c */
HANDLER(job_cutover_begin);
HANDLER(job_cutover_abort);
HANDLER(job_cutover_forget);

/* job_views.c */
HANDLER(job_views_steps);
HANDLER(job_views_shards);
HANDLER(job_rejected_list);
HANDLER(job_rejected_replay);
HANDLER(job_views_logs);

/* job_readings.c */
HANDLER(job_readings_counts);
HANDLER(job_readings_clients);

/* job_objects.c, job_report.c */
HANDLER(job_objects_list);
HANDLER(job_report_get);

/* job_charts.c */
HANDLER(job_charts_metrics);

/* events.c */
HANDLER(events_job);
HANDLER(events_account);

/* prechecks.c */
HANDLER(prechecks_run);
HANDLER(prechecks_list);
HANDLER(prechecks_latest);
HANDLER(prechecks_get);
HANDLER(prechecks_item);
HANDLER(prechecks_ignore);
HANDLER(prechecks_cancel);
HANDLER(prechecks_run_alone);
HANDLER(prechecks_get_alone);
HANDLER(prechecks_cancel_alone);

/* accounts.c */
HANDLER(accounts_create);
HANDLER(accounts_list);
HANDLER(accounts_get);
HANDLER(accounts_patch);
HANDLER(accounts_delete);

/* api_keys.c */
HANDLER(api_keys_create);
HANDLER(api_keys_list);
HANDLER(api_keys_get);
HANDLER(api_keys_patch);
HANDLER(api_keys_revoke);
HANDLER(api_keys_rotate);

/* alert_rules.c */
HANDLER(alert_rules_create);
HANDLER(alert_rules_list);
HANDLER(alert_rules_types);
HANDLER(alert_rules_get);
HANDLER(alert_rules_patch);
HANDLER(alert_rules_delete);

/* alerts.c */
HANDLER(alerts_list);
HANDLER(alerts_get);
HANDLER(alerts_acknowledge);
HANDLER(alerts_silence);

/* webhook_endpoints.c */
HANDLER(webhook_endpoints_create);
HANDLER(webhook_endpoints_list);
HANDLER(webhook_endpoints_get);
HANDLER(webhook_endpoints_patch);
HANDLER(webhook_endpoints_delete);
HANDLER(webhook_endpoints_rotate);
HANDLER(webhook_endpoints_test);
HANDLER(webhook_endpoints_deliveries);
HANDLER(webhook_endpoints_redeliver);

/* audits.c */
HANDLER(audits_list);

/* instances.c */
HANDLER(instances_create);
HANDLER(instances_list);
HANDLER(instances_get);
HANDLER(instances_patch);
HANDLER(instances_delete);
HANDLER(instances_rotate);
HANDLER(instances_discover);
HANDLER(instances_set_live);
HANDLER(instances_clear_live);

/* For wait.c: the instance as it is now, and whether what was asked of it is over. */
bool instances_look(struct call *call, struct reply *fresh, bool *ret_ended, struct err *err);

/* roles.c */
HANDLER(roles_create);
HANDLER(roles_list);
HANDLER(roles_get);
HANDLER(roles_patch);
HANDLER(roles_delete);
HANDLER(roles_check);
HANDLER(roles_sessions);
HANDLER(roles_revoke_sessions);
HANDLER(roles_shared);

/* job_repeats.c */
HANDLER(job_repeats_restart);
HANDLER(job_repeats_undelete);
HANDLER(job_repeats_clone);
HANDLER(job_repeats_batch);
