#include "services/ctl/ctl_master_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/common/clock.h"
#include "services/ctl/api_client.h"
#include "services/ctl/ctl_exit.h"
#include "services/ctl/ctl_json.h"
#include "services/ctl/files.h"
#include "services/secret/keyring.h"
#include "services/secret/keyring_edit.h"

enum { PATH_SIZE = 1024, LOOK_MS = 500, PATIENCE_MS = 30000 };

/* ---- the file ---- */

struct key_file {
    char path[PATH_SIZE];
    struct keyring ring;
    char text[KEYRING_TEXT_MAX];
    size_t len;
};

static void key_file_done(struct key_file *f) {
    keyring_done(&f->ring);
    explicit_bzero(f->text, sizeof(f->text));
}

static bool key_file_open(struct key_file *f, const struct ctl_args *args, struct err *err) {
    const char *named = getenv("KEYFERRY_MASTER_KEY_FILE");
    const char *dir = ctl_args_value(args, CTL_DATA_DIR);

    if (named && named[0] && !dir) {
        if (!files_path(f->path, sizeof(f->path), err, "%s", named))
            return false;
    } else if (!files_path(f->path, sizeof(f->path), err, "%s/master.key",
                           dir ? dir : "keyferry-data")) {
        return false;
    }
    return keyring_open(&f->ring, f->path, err) &&
           files_read(f->path, f->text, sizeof(f->text), &f->len, err);
}

/* Whoever could read it before still can, and nobody else. */
static bool key_file_write(const struct key_file *f, struct buf *text, struct err *err) {
    struct stat st;
    bool ok = stat(f->path, &st) == 0 ||
              err_set(err, ERR_IO, "looking at %s: %s", f->path, strerror(errno));

    ok = ok && files_write(f->path, buf_str(text), st.st_mode & 0700, err);
    if (ok && geteuid() == 0 && st.st_uid != 0 && chown(f->path, st.st_uid, st.st_gid) != 0)
        ok = err_set(err, ERR_IO, "giving %s to its owner: %s", f->path, strerror(errno));
    explicit_bzero(text->ptr, text->len);
    return ok;
}

/* ---- what the service says ---- */

static json_int_t number(const json_t *row, const char *name) {
    return json_integer_value(json_object_get(row, name));
}

static bool ask(struct api_client *api, json_t **ret_rows, struct err *err) {
    json_t *page = NULL;

    if (!api_client_call(api, "GET", "/v1/master-keys", NULL, &page, err))
        return false;
    *ret_rows = json_incref(json_object_get(page, "items"));
    json_decref(page);
    return *ret_rows || err_set(err, ERR_PROTOCOL, "the service answered something else");
}

static void print_row(const json_t *row) {
    bool in_file = json_is_true(json_object_get(row, "in_file"));
    const char *what = !in_file                                          ? "missing"
                       : json_is_true(json_object_get(row, "seals"))     ? "seals"
                       : json_is_true(json_object_get(row, "removable")) ? "removable"
                                                                         : "needed";

    printf("%10lld  %-9s  %9lld  %9lld  %7lld\n", (long long)number(row, "id"), what,
           (long long)number(row, "secrets"), (long long)number(row, "answers"),
           (long long)number(row, "workers"));
}

int ctl_master_key_list(const struct ctl_args *args) {
    struct api_client api = API_CLIENT_INIT;
    struct err err = ERR_INIT;
    json_t *rows = NULL, *row;
    bool ok = api_client_open(&api, args, &err) && ask(&api, &rows, &err);
    size_t i;

    if (ok && !ctl_args_flag(args, CTL_JSON))
        printf("       KEY  STATE        SECRETS    ANSWERS  WORKERS\n");
    json_array_foreach(rows, i, row) {
        if (!ctl_args_flag(args, CTL_JSON)) {
            print_row(row);
        } else {
            (void)json_dumpf(row, stdout, CTL_JSON_LINE);
            printf("\n");
        }
    }
    json_decref(rows);
    api_client_close(&api);
    return ok ? CTL_EXIT_REACHED : ctl_exit_with(&err);
}

/* ---- adding ---- */

/* Secrets under other keys of the file; *ret_seals: the service has read the new one. */
static json_int_t left(const json_t *rows, uint32_t id, bool *ret_seals) {
    json_int_t secrets = 0;
    const json_t *row;
    size_t i;

    *ret_seals = false;
    json_array_foreach((json_t *)(uintptr_t)rows, i, row) {
        if (number(row, "id") != (json_int_t)id && json_is_true(json_object_get(row, "in_file")))
            secrets += number(row, "secrets");
        else if (number(row, "id") == (json_int_t)id)
            *ret_seals = json_is_true(json_object_get(row, "seals"));
    }
    return secrets;
}

/* As long as it goes on; a service that does not read the file is no use waiting for. */
static bool wait_for_all(struct api_client *api, uint32_t id, struct err *err) {
    int64_t moved_ms = clock_mono_ms();
    json_int_t before = -1, now;

    for (;; usleep(LOOK_MS * 1000)) {
        json_t *rows = NULL;
        bool seals;

        if (!ask(api, &rows, err))
            return false;
        now = left(rows, id, &seals);
        json_decref(rows);
        if (seals && now == 0)
            return true;
        if (now != before) {
            printf("%lld secrets to go\n", (long long)now);
            fflush(stdout);
            moved_ms = clock_mono_ms();
            before = now;
        }
        if (clock_mono_ms() - moved_ms > PATIENCE_MS)
            return err_set(err, ERR_TIMEOUT,
                           seals ? "it does not go on: the API's log says why"
                                 : "the service has not read the key file: is it another one?");
    }
}

int ctl_master_key_add(const struct ctl_args *args) {
    struct key_file file = {.ring = KEYRING_INIT};
    struct buf text = BUF_INIT(KEYRING_TEXT_MAX);
    struct api_client api = API_CLIENT_INIT;
    struct err err = ERR_INIT;
    json_t *rows = NULL;
    uint32_t id = 0;
    /* Asked once before the file is touched: a service that is not there reads nothing. */
    bool ok = api_client_open(&api, args, &err) && ask(&api, &rows, &err) &&
              key_file_open(&file, args, &err) &&
              keyring_edit_add(&file.ring, str_of(file.text, file.len), &text, &id, &err) &&
              key_file_write(&file, &text, &err);

    if (ok) {
        printf("%s has the key %u\n", file.path, id);
        ok = wait_for_all(&api, id, &err);
    }
    if (ok)
        printf("all that is stored is sealed with it; `keyferry master-key prune` takes the old "
               "ones out "
               "when nothing needs them\n");
    json_decref(rows);
    buf_done(&text);
    key_file_done(&file);
    api_client_close(&api);
    return ok ? CTL_EXIT_REACHED : ctl_exit_with(&err);
}

/* ---- taking out ---- */

/* Why a key stays: who prunes wants to know what to wait for. */
static void say_needed(const json_t *row) {
    if (!json_is_true(json_object_get(row, "in_file")) ||
        json_is_true(json_object_get(row, "seals")) ||
        json_is_true(json_object_get(row, "removable")))
        return;
    printf("key %lld stays: %lld secrets are sealed with it, %lld workers seal with it, and %lld "
           "answers of the last 24 hours are known by it\n",
           (long long)number(row, "id"), (long long)number(row, "secrets"),
           (long long)number(row, "workers"), (long long)number(row, "answers"));
}

int ctl_master_key_prune(const struct ctl_args *args) {
    struct key_file file = {.ring = KEYRING_INIT};
    struct buf text = BUF_INIT(KEYRING_TEXT_MAX);
    struct api_client api = API_CLIENT_INIT;
    uint32_t ids[KEYRING_KEYS_MAX];
    struct err err = ERR_INIT;
    json_t *rows = NULL, *row;
    size_t count = 0, i;
    bool ok = api_client_open(&api, args, &err) && ask(&api, &rows, &err) &&
              key_file_open(&file, args, &err);

    json_array_foreach(rows, i, row) {
        if (json_is_true(json_object_get(row, "removable")) && count < KEYRING_KEYS_MAX)
            ids[count++] = (uint32_t)number(row, "id");
    }
    if (ok && count > 0)
        ok = keyring_edit_remove(str_of(file.text, file.len), ids, count, &text, &err) &&
             key_file_write(&file, &text, &err);
    if (ok) {
        printf("%zu key%s taken out of %s\n", count, count == 1 ? "" : "s", file.path);
        json_array_foreach(rows, i, row) say_needed(row);
    }
    json_decref(rows);
    buf_done(&text);
    key_file_done(&file);
    api_client_close(&api);
    return ok ? CTL_EXIT_REACHED : ctl_exit_with(&err);
}
