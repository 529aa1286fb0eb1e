#include "services/ctl/ctl_rdb.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/rdb/rdb_parser.h"
#include "proto/rdb/rdb_string.h"
#include "proto/rdb/rdb_summary.h"
#include "services/ctl/ctl_exit.h"
#include "services/ctl/ctl_text.h"

enum {
    NAME_SHOWN_MAX = 200,     /* bytes of an escaped key name */
    SOURCE_MAX = 64 << 20,    /* of a function library, unpacked */
    TEMPLATES_MAX = 64 << 20, /* of the field names hashes share */
    KEY_NAME_MAX = 16 << 20,  /* of a compressed key name; longer ones are not shown */
};

struct file {
    const char *path;
    char *bytes; /* NULL: empty, or not mapped */
    size_t size;
    uint64_t read; /* bytes up to and with EOF's checksum */
};

static bool file_open(struct file *file, struct err *err) {
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0)
        return err_set(err, ERR_IO, "%s: %s", file->path, strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(err, ERR_IO, "%s: not a regular file", file->path);
    }
    file->size = (size_t)st.st_size;
    if (file->size) {
        void *bytes = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);

        if (bytes == MAP_FAILED) {
            (void)err_set(err, ERR_IO, "%s: %s", file->path, strerror(errno));
            close(fd);
            return false;
        }
        file->bytes = bytes;
        (void)madvise(bytes, file->size, MADV_SEQUENTIAL);
    }
    close(fd);
    return true;
}

static void file_close(struct file *file) {
    if (file->bytes)
        munmap(file->bytes, file->size);
    file->bytes = NULL;
}

static bool read_events(struct rdb_parser *p, struct file *file, struct rdb_templates *templates,
                        struct rdb_summary *summary, struct err *err) {
    while (!summary->ended) {
        struct str view = str_skip(str_of(file->bytes, file->size), p->offset);
        struct rdb_event ev;

        switch (rdb_parser_next(p, view, &ev, err)) {
        case RDB_WRONG:
            return false;
        case RDB_NEED_MORE:
            return rdb_parser_cut_short(p, view.len, err);
        case RDB_EVENT:
            if (!rdb_summary_add(summary, &ev, err))
                return false;
            if (ev.kind == RDB_EV_HASH_TEMPLATE &&
                !rdb_templates_add(templates, ev.hash_template.id, ev.hash_template.count,
                                   ev.hash_template.fields, err))
                return false;
            break;
        }
    }
    return true;
}

static bool read_file(struct file *file, struct rdb_summary *summary, struct err *err) {
    struct rdb_templates templates;
    struct rdb_parser p;
    bool ok;

    rdb_templates_init(&templates, TEMPLATES_MAX);
    rdb_parser_init(&p);
    rdb_parser_set_size(&p, file->size);
    rdb_parser_use_templates(&p, &templates);
    ok = read_events(&p, file, &templates, summary, err);
    rdb_templates_done(&templates);
    if (!ok)
        return false;
    file->read = p.offset;
    if (summary->checksum == RDB_CHECKSUM_WRONG)
        return err_set(err, ERR_RDB_CORRUPT,
                       "the checksum of the snapshot is wrong: something in it was changed");
    return true;
}

/* A raw string as a person may read it. `dst` holds NAME_SHOWN_MAX bytes. */
static const char *shown(struct str raw, char *dst) {
    struct buf scratch = BUF_INIT(KEY_NAME_MAX);
    struct err err = ERR_INIT;
    struct str plain;

    if (rdb_string_decode(raw, &scratch, &plain, &err))
        str_escape(plain, dst, NAME_SHOWN_MAX);
    else
        snprintf(dst, NAME_SHOWN_MAX, "(not readable, or too long)");
    buf_done(&scratch);
    return dst;
}

static const char *library_shown(const struct rdb_summary *s, size_t at, char *dst) {
    struct buf scratch = BUF_INIT(SOURCE_MAX);
    struct err err = ERR_INIT;
    struct str source, name = STR_EMPTY;

    if (s->function[at].name.len)
        return shown(s->function[at].name, dst);
    if (rdb_string_decode(s->function[at].source, &scratch, &source, &err))
        name = rdb_summary_library_name(source);
    str_escape(name.len ? name : STR_LIT("(unnamed)"), dst, NAME_SHOWN_MAX);
    buf_done(&scratch);
    return dst;
}

static size_t functions_known(const struct rdb_summary *s) {
    return s->functions < RDB_SUMMARY_FUNCTIONS_MAX ? (size_t)s->functions
                                                    : RDB_SUMMARY_FUNCTIONS_MAX;
}

/* ---- text ---- */

static void print_types(const struct rdb_summary *s, const struct rdb_summary_db *row) {
    char number[CTL_TEXT_SIZE];

    for (int type = 0; type < RDB_SUMMARY_TYPES; type++) {
        if (row->by_type[type])
            printf("    %-20s %15s\n", rdb_type_name(s->vendor, (uint8_t)type),
                   ctl_text_count(row->by_type[type], number));
    }
}

static void print_beside_keys(const struct rdb_summary *s) {
    char name[NAME_SHOWN_MAX];

    printf("functions  %" PRIu64, s->functions);
    for (size_t i = 0; i < functions_known(s); i++)
        printf("%s%s", i ? ", " : ": ", library_shown(s, i, name));
    printf("\nmodules    %zu%s", s->module_count, s->more_modules ? " or more" : "");
    for (size_t i = 0; i < s->module_count; i++) {
        rdb_module_name(s->modules[i].module_id, name);
        printf("%s%s (%" PRIu64 " keys, %" PRIu64 " records beside the keys)", i ? ", " : ": ",
               name, s->modules[i].keys, s->modules[i].aux_records);
    }
    printf("\n");
    if (s->lua_scripts)
        printf("scripts    %" PRIu64 " cached by the server\n", s->lua_scripts);
}

static void print_text(const struct file *file, const struct rdb_summary *s) {
    char a[CTL_TEXT_SIZE], b[CTL_TEXT_SIZE], name[NAME_SHOWN_MAX];

    printf("%s: %s\n", file->path, ctl_text_bytes((double)file->size, a));
    if (!s->version)
        return;
    printf("version    %s %d%s", rdb_vendor_name(s->vendor), s->version,
           s->beyond_known ? " (newer than this program knows)" : "");
    if (s->server_version.len)
        printf(", written by %s", shown(s->server_version, name));
    printf("\nkeys       %s, %s of them with an expiry, in %zu database%s\n",
           ctl_text_count(s->keys, a), ctl_text_count(s->expires, b), s->database_count,
           s->database_count == 1 ? "" : "s");
    print_beside_keys(s);
    printf("checksum   %s\n", s->ended ? rdb_checksum_name(s->checksum) : "not reached");
    if (s->ended && file->read < file->size)
        printf("behind it  %s that are not part of the snapshot\n",
               ctl_text_bytes((double)(file->size - file->read), a));
    for (size_t i = 0; i < s->database_count; i++) {
        printf("\ndatabase %" PRIu32 ": %s keys, %s with an expiry\n", s->databases[i].db,
               ctl_text_count(s->databases[i].keys, a), ctl_text_count(s->databases[i].expires, b));
        print_types(s, &s->databases[i]);
    }
    if (s->largest_count)
        printf("\nlargest values, as encoded:\n");
    for (size_t i = 0; i < s->largest_count; i++)
        printf("    %10s  db %-3" PRIu32 " %-16s %s\n",
               ctl_text_bytes((double)s->largest[i].value_size, a), s->largest[i].db,
               rdb_type_name(s->vendor, s->largest[i].type), shown(s->largest[i].key, name));
}

/* ---- JSON ---- */

static json_t *json_count(uint64_t n) {
    return json_integer(n <= INT64_MAX ? (json_int_t)n : INT64_MAX);
}

static json_t *json_types(enum rdb_vendor vendor, const uint64_t *by_type) {
    json_t *types = json_object();

    for (int type = 0; type < RDB_SUMMARY_TYPES; type++) {
        if (by_type[type])
            json_object_set_new(types, rdb_type_name(vendor, (uint8_t)type),
                                json_count(by_type[type]));
    }
    return types;
}

static json_t *json_databases(const struct rdb_summary *s) {
    json_t *all = json_array();

    for (size_t i = 0; i < s->database_count; i++) {
        const struct rdb_summary_db *row = &s->databases[i];

        json_array_append_new(all,
                              json_pack("{s:I, s:o, s:o, s:o}", "db", (json_int_t)row->db, "keys",
                                        json_count(row->keys), "expires", json_count(row->expires),
                                        "types", json_types(s->vendor, row->by_type)));
    }
    return all;
}

static json_t *json_modules(const struct rdb_summary *s) {
    json_t *all = json_array();

    for (size_t i = 0; i < s->module_count; i++) {
        const struct rdb_summary_module *module = &s->modules[i];
        char name[RDB_MODULE_NAME_LEN + 1];

        rdb_module_name(module->module_id, name);
        json_array_append_new(
            all, json_pack("{s:s, s:i, s:o, s:o}", "name", name, "encoding_version",
                           rdb_module_encver(module->module_id), "keys", json_count(module->keys),
                           "aux_records", json_count(module->aux_records)));
    }
    return all;
}

static json_t *json_libraries(const struct rdb_summary *s) {
    json_t *all = json_array();
    char name[NAME_SHOWN_MAX];

    for (size_t i = 0; i < functions_known(s); i++)
        json_array_append_new(all, json_string(library_shown(s, i, name)));
    return all;
}

static json_t *json_largest(const struct rdb_summary *s) {
    json_t *all = json_array();
    char name[NAME_SHOWN_MAX];

    for (size_t i = 0; i < s->largest_count; i++) {
        const struct rdb_summary_key *key = &s->largest[i];

        json_array_append_new(all, json_pack("{s:I, s:s, s:s, s:o}", "db", (json_int_t)key->db,
                                             "key", shown(key->key, name), "type",
                                             rdb_type_name(s->vendor, key->type), "encoded_bytes",
                                             json_count(key->value_size)));
    }
    return all;
}

static json_t *json_error(const struct err *err) {
    char detail[ERR_FRAMES * ERR_FRAME_LEN], escaped[ERR_FRAMES * ERR_FRAME_LEN];

    if (err->code == ERR_NONE)
        return json_null();
    err_format(err, detail, sizeof(detail));
    str_escape(str_from(detail), escaped, sizeof(escaped));
    return json_pack("{s:s, s:s}", "code", err_slug(err->code), "detail", escaped);
}

static void print_json(const struct file *file, const struct rdb_summary *s,
                       const struct err *err) {
    char name[NAME_SHOWN_MAX], path[4096];
    json_t *root = json_object();

    str_escape(str_from(file->path), path, sizeof(path));
    json_object_set_new(root, "file", json_string(path));
    json_object_set_new(root, "bytes", json_count(file->size));
    json_object_set_new(root, "vendor",
                        s->version ? json_string(rdb_vendor_name(s->vendor)) : json_null());
    json_object_set_new(root, "version", s->version ? json_integer(s->version) : json_null());
    json_object_set_new(root, "server_version",
                        s->server_version.len ? json_string(shown(s->server_version, name))
                                              : json_null());
    json_object_set_new(root, "keys_total", json_count(s->keys));
    json_object_set_new(root, "expires_total", json_count(s->expires));
    json_object_set_new(root, "types", json_types(s->vendor, s->by_type));
    json_object_set_new(root, "databases", json_databases(s));
    json_object_set_new(root, "functions", json_count(s->functions));
    json_object_set_new(root, "libraries", json_libraries(s));
    json_object_set_new(root, "modules", json_modules(s));
    json_object_set_new(root, "lua_scripts", json_count(s->lua_scripts));
    json_object_set_new(root, "largest_keys", json_largest(s));
    json_object_set_new(root, "checksum",
                        s->ended ? json_string(rdb_checksum_name(s->checksum)) : json_null());
    json_object_set_new(root, "trailing_bytes",
                        s->ended ? json_count(file->size - file->read) : json_null());
    json_object_set_new(root, "error", json_error(err));
    json_dumpf(root, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(root);
}

/* One file, and --json before or behind it. */
static bool read_arguments(int argc, char **argv, const char **ret_path, bool *ret_json,
                           struct err *err) {
    const char *path = NULL;
    bool json = false, good = true;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (argv[i][0] != '-' && !path)
            path = argv[i];
        else
            good = false;
    }
    if (!good || !path)
        return err_set(err, ERR_USAGE, "usage: keyferry rdb inspect FILE [--json]");
    *ret_path = path;
    *ret_json = json;
    return true;
}

int ctl_rdb_inspect(int argc, char **argv) {
    struct rdb_summary summary = RDB_SUMMARY_INIT;
    struct file file = {.path = NULL};
    struct err err = ERR_INIT;
    bool json = false, is_open, ok;

    if (!read_arguments(argc, argv, &file.path, &json, &err))
        return ctl_exit_with(&err);
    is_open = file_open(&file, &err);
    ok = is_open && read_file(&file, &summary, &err);
    if (json)
        print_json(&file, &summary, &err);
    else if (is_open)
        print_text(&file, &summary);
    fflush(stdout);
    if (!ok)
        (void)ctl_exit_with(&err);
    rdb_summary_done(&summary);
    file_close(&file);
    return ok ? CTL_EXIT_REACHED : CTL_EXIT_FAILED;
}
