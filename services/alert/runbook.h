/* runbook.h - a page for everything somebody can be woken with. Pure on jansson.
 *
 * Codes are "alert.<type>" and "attention.<code>"; the pages of the latter are made of what a
 * blocked job asks anyway (services/worker/attention.def).
 */
#pragma once

#include <jansson.h>

#include "services/alert/alert_rule.h"

#define RUNBOOK_PATH "/v1/runbooks/"

/* [{"code", "title", "meaning", "look", "do", "doc_url"}]. A new reference. */
json_t *runbook_list(void);

/* One of them, or NULL. A new reference. */
json_t *runbook_get(const char *code);
