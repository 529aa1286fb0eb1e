/* ctl_watch.h - follow a job on a screen, in a pipe, or as JSON, until something.
 *
 * The job does not need us: Ctrl-C detaches. A service that goes away for a moment
 * (its processes may be killed and started again) is asked again for a minute.
 */
#pragma once

#include "services/ctl/api_client.h"

enum ctl_until {
    CTL_UNTIL_OVER,      /* stopped, completed, failed, blocked */
    CTL_UNTIL_CAUGHT_UP, /* or completed, where nothing is followed */
    CTL_UNTIL_STOPPED,   /* or completed */
    CTL_UNTIL_PAUSED,
    CTL_UNTIL_RUNNING,   /* after a resume */
    CTL_UNTIL_CUT_OVER,  /* failed when it goes on as before */
    CTL_UNTIL_FORGOTTEN, /* failed when the key could not be removed */
};

/* How to write; the same for all of a command. */
struct ctl_output {
    bool json;
    bool live; /* a terminal: the last line is written over */
};

struct ctl_output ctl_output_of(const struct ctl_args *args);

/* SIGINT and SIGTERM are noted from here on; ctl_watch_interrupted() tells. */
void ctl_watch_signals(void);
bool ctl_watch_interrupted(void);

/* Sleep; false when interrupted. */
bool ctl_watch_sleep(int ms);

/* As api_client_call, again and again while the failure may pass (at most a minute)
 * and nobody interrupts. */
MUST_CHECK bool ctl_watch_get(struct api_client *api, const char *path, json_t **ret,
                              struct err *err);

/* Follow. Answers an exit code; says on standard error what failed. */
int ctl_watch_job(struct api_client *api, const char *job, enum ctl_until until,
                  struct ctl_output output);
