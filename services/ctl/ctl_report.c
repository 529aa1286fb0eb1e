#include "services/ctl/ctl_report.h"

#include <stdio.h>

#include "services/ctl/api_client.h"
#include "services/ctl/ctl_exit.h"
#include "services/ctl/ctl_job.h"
#include "services/ctl/ctl_json.h"
#include "services/job/job_report.h"

static bool print(const json_t *report, const struct ctl_args *args, struct err *err) {
    struct buf text = BUF_INIT(JOB_REPORT_TEXT_MAX);
    bool ok = true;

    if (ctl_args_flag(args, CTL_JSON))
        ok = json_dumpf(report, stdout, CTL_JSON_LINE) == 0 && printf("\n") > 0;
    else if (job_report_text(report, ctl_args_flag(args, CTL_MARKDOWN), &text, err))
        ok = fwrite(text.ptr, 1, text.len, stdout) == text.len;
    else
        ok = false;
    buf_done(&text);
    if ((!ok || fflush(stdout) != 0) && err->code == ERR_NONE)
        ok = err_set(err, ERR_IO, "the report could not be written");
    return ok;
}

int ctl_report_run(const struct ctl_args *args) {
    struct api_client api = API_CLIENT_INIT;
    struct err err = ERR_INIT;
    json_t *report = NULL;
    char path[160];
    bool ok = ctl_job_path(args, "/report", path, sizeof(path), &err) &&
              api_client_open(&api, args, &err) &&
              api_client_call(&api, "GET", path, NULL, &report, &err) && print(report, args, &err);

    json_decref(report);
    api_client_close(&api);
    return ok ? CTL_EXIT_REACHED : ctl_exit_with(&err);
}
