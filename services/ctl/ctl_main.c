/* keyferry - the command line. A table of words; each word is a function. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/common/process.h"
#include "services/ctl/ctl_args.h"
#include "services/ctl/ctl_exit.h"
#include "services/ctl/ctl_job.h"
#include "services/ctl/ctl_master_key.h"
#include "services/ctl/ctl_migrate.h"
#include "services/ctl/ctl_precheck.h"
#include "services/ctl/ctl_rdb.h"
#include "services/ctl/ctl_report.h"
#include "services/ctl/ctl_secrets.h"
#include "services/ctl/ctl_settle.h"
#include "services/ctl/ctl_top.h"
#include "services/ctl/up.h"

#define CLIENT (CTL_TAKES(URL) | CTL_TAKES(API_KEY_FILE) | CTL_TAKES(DATA_DIR) | CTL_TAKES(JSON))
#define ENDS                                                                                       \
    (CTL_TAKES(SOURCE_PASSWORD_FILE) | CTL_TAKES(SOURCE_CA) | CTL_TAKES(SOURCE_CERT) |             \
     CTL_TAKES(SOURCE_KEY) | CTL_TAKES(SOURCE_SERVER_NAME) | CTL_TAKES(DEST_PASSWORD_FILE) |       \
     CTL_TAKES(DEST_CA) | CTL_TAKES(DEST_CERT) | CTL_TAKES(DEST_KEY) |                             \
     CTL_TAKES(DEST_SERVER_NAME) | CTL_TAKES(DATABASE) | CTL_TAKES(PREFIX) |                       \
     CTL_TAKES(CONFLICT_MODE) | CTL_TAKES(CONFIRM_FLUSH) | CTL_TAKES(FULL_ONLY))

static int show_version(const struct ctl_args *args) {
    (void)args;
    printf("keyferry " KF_VERSION "\n");
    return CTL_EXIT_REACHED;
}

static int inspect(const struct ctl_args *args) {
    char json[] = "--json";
    char *argv[] = {args->argument[0], ctl_args_flag(args, CTL_JSON) ? json : NULL, NULL};

    return ctl_rdb_inspect(argv[1] ? 2 : 1, argv);
}

static const struct ctl_word words[] = {
    {.name = "up",
     .arguments = "",
     .options = CTL_TAKES(DATA_DIR) | CTL_TAKES(LISTEN) | CTL_TAKES(WORKERS) | CTL_TAKES(CONFIG),
     .summary = "Run the whole service in the foreground: private PostgreSQL, API, workers.",
     .examples = "  keyferry up\n"
                 "  keyferry up --data-dir /var/lib/keyferry --listen 127.0.0.1:8090 --workers 4\n"
                 "  KEYFERRY_DATABASE_URL=postgresql://keyferry@db/keyferry keyferry up\n",
     .run = up_run},
    {.name = "migrate",
     .arguments = "SOURCE_URL DESTINATION_URL",
     .arguments_min = 2,
     .arguments_max = 2,
     .options = CLIENT | ENDS | CTL_TAKES(IGNORE_WARNINGS) | CTL_TAKES(ACKNOWLEDGE_LIMITS) |
                CTL_TAKES(UNTIL) | CTL_TAKES(NAME) | CTL_TAKES(PLAN),
     .summary = "Check both ends, copy everything, follow every change. Ctrl-C leaves the job "
                "running.",
     .examples = "  keyferry migrate redis://10.0.1.5 redis://10.0.2.9\n"
                 "  keyferry migrate --plan redis://10.0.1.5 rediss://10.0.2.9:6380\n"
                 "  keyferry migrate --database 3:0 --source-password-file pw redis://user@a "
                 "redis://b --until caught-up\n",
     .run = ctl_migrate_run},
    {.name = "precheck",
     .arguments = "SOURCE_URL DESTINATION_URL",
     .arguments_min = 2,
     .arguments_max = 2,
     .options = CLIENT | ENDS,
     .summary = "Check both ends and say what to fix. Changes nothing.",
     .examples = "  keyferry precheck redis://10.0.1.5 redis://10.0.2.9\n"
                 "  keyferry precheck --source-password-file pw redis://user@10.0.1.5 "
                 "rediss://10.0.2.9:6380 --json\n",
     .run = ctl_precheck_run},
    {.name = "top",
     .arguments = "",
     .options = CLIENT | CTL_TAKES(ONCE) | CTL_TAKES(INTERVAL),
     .summary = "All jobs, those that need somebody first. q or Ctrl-C ends it.",
     .examples = "  keyferry top\n"
                 "  keyferry top --once\n"
                 "  keyferry top --json --interval 60 >> jobs.ndjson\n",
     .run = ctl_top_run},
    {.name = "report",
     .arguments = "JOB",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = CLIENT | CTL_TAKES(MARKDOWN),
     .summary = "The record of a migration: who, what, when, how it went, what holds.",
     .examples = "  keyferry report job_01J...\n"
                 "  keyferry report --markdown job_01J... > migration.md\n",
     .run = ctl_report_run},
    {.name = "job list",
     .arguments = "",
     .options = CLIENT | CTL_TAKES(STATE),
     .summary = "List jobs, newest first.",
     .examples = "  keyferry job list\n"
                 "  keyferry job list --state blocked\n"
                 "  keyferry job list --json | jq -r .id\n",
     .run = ctl_job_list},
    {.name = "job show",
     .arguments = "JOB",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = CLIENT,
     .summary = "One job: where it stands.",
     .examples = "  keyferry job show job_01J...\n"
                 "  keyferry job show job_01J... --json | jq .latency\n",
     .run = ctl_job_show},
    {.name = "job watch",
     .arguments = "JOB",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = CLIENT | CTL_TAKES(UNTIL),
     .summary = "Follow a job. Ctrl-C leaves it running.",
     .examples = "  keyferry job watch job_01J...\n"
                 "  keyferry job watch job_01J... --until caught-up\n",
     .run = ctl_job_watch},
    {.name = "job pause",
     .arguments = "JOB",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = CLIENT | CTL_TAKES(NO_WAIT),
     .summary = "Let a job rest where it is.",
     .examples = "  keyferry job pause job_01J...\n",
     .run = ctl_job_pause},
    {.name = "job resume",
     .arguments = "JOB",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = CLIENT | CTL_TAKES(NO_WAIT) | CTL_TAKES(ON_FULL_RESYNC),
     .summary = "Go on with a paused, blocked or failed job.",
     .examples = "  keyferry job resume job_01J...\n"
                 "  keyferry job resume job_01J... --on-full-resync-needed overwrite\n",
     .run = ctl_job_resume},
    {.name = "job stop",
     .arguments = "JOB",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = CLIENT | CTL_TAKES(NO_WAIT) | CTL_TAKES(NO_DRAIN),
     .summary = "Apply what the source holds now, settle expiries, end the job.",
     .examples = "  keyferry job stop job_01J...\n"
                 "  keyferry job stop job_01J... --no-drain\n",
     .run = ctl_job_stop},
    {.name = "job cutover",
     .arguments = "JOB",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = CLIENT | CTL_TAKES(NO_WAIT) | CTL_TAKES(PAUSE_SOURCE) | CTL_TAKES(PAUSE_TIMEOUT_MS),
     .summary = "Switch over: drain, seal the destination, settle expiries, complete the job.",
     .examples = "  keyferry job cutover job_01J...                              the writers are "
                 "stopped\n"
                 "  keyferry job cutover job_01J... --pause-source client_pause  stop them for "
                 "it\n",
     .run = ctl_job_cutover},
    {.name = "job forget",
     .arguments = "JOB",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = CLIENT | CTL_TAKES(NO_WAIT),
     .summary = "Remove the seal of a job that has ended from its destination.",
     .examples = "  keyferry job forget job_01J...\n",
     .run = ctl_job_forget},
    {.name = "job throttle",
     .arguments = "JOB",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = CLIENT | CTL_TAKES(BYTES_PER_SECOND) | CTL_TAKES(COMMANDS_PER_SECOND) |
                CTL_TAKES(KEYS_PER_SECOND),
     .summary = "Limit a job, or show its limits. Takes effect within two seconds.",
     .examples = "  keyferry job throttle job_01J...\n"
                 "  keyferry job throttle job_01J... --bytes-per-second 10000000 "
                 "--commands-per-second 5000\n"
                 "  keyferry job throttle job_01J... --keys-per-second 0\n",
     .run = ctl_job_throttle},
    {.name = "job logs",
     .arguments = "JOB",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = CLIENT,
     .summary = "What happened to a job.",
     .examples = "  keyferry job logs job_01J...\n"
                 "  keyferry job logs job_01J... --json\n",
     .run = ctl_job_logs},
    {.name = "master-key list",
     .arguments = "",
     .options = CLIENT,
     .summary = "Which master keys there are, and what still needs each.",
     .examples = "  keyferry master-key list\n",
     .run = ctl_master_key_list},
    {.name = "master-key add",
     .arguments = "",
     .options = CLIENT,
     .summary = "Add a master key and seal all that is stored with it, while everything runs.",
     .examples = "  keyferry master-key add\n"
                 "  KEYFERRY_MASTER_KEY_FILE=/etc/keyferry/master.key keyferry master-key add\n",
     .run = ctl_master_key_add},
    {.name = "master-key prune",
     .arguments = "",
     .options = CLIENT,
     .summary = "Take master keys that nothing needs any more out of the file.",
     .examples = "  keyferry master-key prune\n",
     .run = ctl_master_key_prune},
    {.name = "job report",
     .arguments = "JOB",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = CLIENT | CTL_TAKES(MARKDOWN),
     .summary = "The same as `keyferry report JOB`.",
     .examples = "  keyferry job report job_01J...\n",
     .run = ctl_report_run},
    {.name = "settle",
     .arguments = "DESTINATION_URL",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = CTL_TAKES(ABANDONED) | CTL_TAKES(DEST_PASSWORD_FILE) | CTL_TAKES(DEST_CA) |
                CTL_TAKES(DEST_CERT) | CTL_TAKES(DEST_KEY) | CTL_TAKES(DEST_SERVER_NAME),
     .summary = "Put the expiries of a destination right whose job is gone. Needs no service.",
     .examples = "  keyferry settle --abandoned redis://10.0.2.9\n",
     .run = ctl_settle_run},
    {.name = "rdb inspect",
     .arguments = "FILE",
     .arguments_min = 1,
     .arguments_max = 1,
     .options = CTL_TAKES(JSON),
     .summary = "What a snapshot file holds. Needs no service.",
     .examples = "  keyferry rdb inspect /var/lib/redis/dump.rdb\n",
     .run = inspect},
    {.name = "version",
     .arguments = "",
     .summary = "Say which version this is.",
     .examples = "  keyferry version\n",
     .run = show_version},
};

static void show_words(FILE *out) {
    fprintf(out, "keyferry moves a Redis or Valkey server to another, live.\n\n");
    for (size_t i = 0; i < LENGTH_OF(words); i++)
        fprintf(out, "  %-17s %s\n", words[i].name, words[i].summary);
    fprintf(out,
            "\nIt ends with 0 when what was asked for is reached, 1 when it failed, 2 usage or no "
            "service, 3 the precheck\ndid not pass, 4 the job needs a decision, 130 detached.\n"
            "`keyferry WORD --help` says more.\n");
}

static bool is_help(const char *text) {
    return strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0 || strcmp(text, "help") == 0;
}

/* `job`, of `job list` and others. */
static bool begins_words(const char *group, size_t i) {
    size_t len = strlen(group);

    return strncmp(words[i].name, group, len) == 0 && words[i].name[len] == ' ';
}

static bool is_group(const char *text) {
    for (size_t i = 0; i < LENGTH_OF(words); i++) {
        if (begins_words(text, i))
            return true;
    }
    return false;
}

/* No word: help on all of them or on a group, or what was meant is not known. */
static int no_word(int argc, char **argv) {
    const char *group = argc >= 2 && is_group(argv[1]) ? argv[1] : NULL;
    bool asked = argc >= 2 && is_help(argv[argc - 1]) && (argc == 2 || (argc == 3 && group));
    FILE *out = asked ? stdout : stderr;

    if (!asked && argc > (group ? 2 : 1))
        fprintf(stderr, "keyferry: there is no command %s%s%.60s\n\n", group ? group : "",
                group ? " " : "", argv[group ? 2 : 1]);
    if (!group) {
        show_words(out);
        return asked ? CTL_EXIT_REACHED : CTL_EXIT_USAGE;
    }
    for (size_t i = 0; i < LENGTH_OF(words); i++) {
        if (begins_words(group, i))
            fprintf(out, "  %-17s %s\n", words[i].name, words[i].summary);
    }
    fprintf(out, "\n`keyferry %s WORD --help` says more.\n", group);
    return asked ? CTL_EXIT_REACHED : CTL_EXIT_USAGE;
}

static int show_help(const struct ctl_word *word) {
    struct buf text = BUF_INIT(64 * 1024);
    struct err err = ERR_INIT;
    int code = CTL_EXIT_REACHED;

    if (ctl_args_help(word, &text, &err))
        printf("%s", text.ptr);
    else
        code = ctl_exit_with(&err);
    buf_done(&text);
    return code;
}

/* Advice, once, where somebody will read it. */
static void advise(int passwords) {
    if (passwords > 0)
        fprintf(stderr, "keyferry: a password in a URL stays in the shell's history; "
                        "--source-password-file and --destination-password-file avoid that\n");
}

int main(int argc, char **argv) {
    int passwords = ctl_secrets_take_arguments(argc, argv);
    const struct ctl_word *word;
    struct err err = ERR_INIT;
    struct ctl_args args;
    int used = 0;

    process_harden();
    word = ctl_args_word(words, LENGTH_OF(words), argc, argv, &used);
    if (!word)
        return argc == 2 && strcmp(argv[1], "--version") == 0 ? show_version(NULL)
                                                              : no_word(argc, argv);
    if (!ctl_args_parse(&args, word, argc - used - 1, argv + used + 1, &err)) {
        (void)ctl_exit_with(&err);
        fprintf(stderr, "usage: keyferry %s %s%s\n", word->name, word->arguments,
                word->options ? " [options]; --help shows them" : "");
        return CTL_EXIT_USAGE;
    }
    if (ctl_args_flag(&args, CTL_HELP))
        return show_help(word);
    advise(passwords);
    return word->run(&args);
}
