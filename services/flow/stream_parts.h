/* stream_parts.h - the parts of stream_units.c and what they share. Private to stream_*.c.
 */
#pragma once

#include "services/flow/stream_units.h"

/* What stands as a run becomes a piece of the unit. */
MUST_CHECK bool stream_end_run(struct stream_units *s, struct stream_unit *out, struct err *err);

/* Bytes of the view, as they are: one command. */
MUST_CHECK bool stream_forward(struct stream_units *s, struct str raw, struct stream_unit *out,
                               struct err *err);

/* As command_rewrite() has it. */
MUST_CHECK bool stream_rewrite(struct stream_units *s, const struct resp_command *command,
                               const struct command_decision *decision, struct stream_unit *out,
                               struct err *err);
MUST_CHECK bool stream_select(struct stream_units *s, int database, struct stream_unit *out,
                              struct err *err);

/* Count a command once. */
void stream_count(struct stream_unit *out, enum command_id id, enum stream_counter counter);

/* ---- stream_databases.c ---- */

/* FLUSHALL, FLUSHDB, SWAPDB, by the job's policy. */
MUST_CHECK bool stream_flush(struct stream_units *s, const struct resp_command *command,
                             const struct command_decision *d, struct stream_unit *out,
                             struct err *err);

/* Look up what is selected of the second database, before the keys are. */
void stream_look_across(struct stream_units *s, const struct command_decision *d);

/* MOVE and COPY … DB, both of whose databases are selected. */
MUST_CHECK bool stream_cross_databases(struct stream_units *s, const struct resp_command *command,
                                       const struct command_decision *d, struct stream_unit *out,
                                       struct err *err);

/* Functions and scripts: data of no database. */
bool stream_is_server_wide(const struct command_row *row);
MUST_CHECK bool stream_server_wide(struct stream_units *s, const struct resp_command *command,
                                   const struct command_decision *d, struct stream_unit *out,
                                   struct err *err);

/* ---- stream_rejects.c ---- */

/* Put it on the unit's record instead of applying it. */
MUST_CHECK bool stream_reject(struct stream_units *s, const struct resp_command *command,
                              const struct command_decision *d, enum stream_reason reason,
                              struct stream_unit *out, struct err *err);

/* A script that the job does not simply apply. Errors: COMMAND_REFUSED. */
MUST_CHECK bool stream_script_policy(struct stream_units *s, const struct resp_command *command,
                                     const struct command_decision *d, struct stream_unit *out,
                                     struct err *err);

/* A message to subscribers. */
MUST_CHECK bool stream_publish(struct stream_units *s, const struct resp_command *command,
                               const struct command_decision *d, struct stream_unit *out,
                               struct err *err);
