#include "services/flow/import_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/rdb/rdb_parser.h"
#include "proto/rdb/rdb_string.h"
#include "proto/rdb/rdb_summary.h"

enum {
    TEMPLATES_MAX = 64 * 1024 * 1024,
    ASK_BYTES = 16 * 1024 * 1024, /* go_on is asked this often */
    VERSION_MAX = 64,
};

void import_file_close(struct import_file *file) {
    if (file->fd >= 0)
        close(file->fd);
    *file = IMPORT_FILE_INIT;
}

static bool cannot_open(const char *name, int cause, struct err *err) {
    return err_set(err, ERR_SOURCE_FILE, "file:%s %s", name,
                   cause == ENOENT ? "is not in the import directory"
                   : cause == ELOOP || cause == ENOTDIR
                       ? "leads over a symbolic link or no directory"
                       : strerror(cause));
}

/* Each part by itself: openat() would follow a link in any but the last. */
static bool walk(const char *dir, const char *name, int *ret_fd, struct err *err) {
    struct str rest = str_from(name), part;
    int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (at < 0)
        return err_set(err, ERR_CONFIG, "KEYFERRY_IMPORT_DIR %s: %s", dir, strerror(errno));
    while (str_cut(&rest, '/', &part)) {
        char one[256];
        bool last = rest.len == 0;
        int next, cause;

        if (part.len == 0 || part.len >= sizeof(one) || str_equal(part, STR_LIT("..")) ||
            str_equal(part, STR_LIT("."))) {
            close(at);
            return err_set(err, ERR_SOURCE_FILE, "file:%s is no name below the import directory",
                           name);
        }
        memcpy(one, part.ptr, part.len);
        one[part.len] = '\0';
        /* Without O_NONBLOCK a FIFO of that name would hold us until somebody writes. */
        next = openat(at, one,
                      last ? O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
                           : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        cause = errno;
        close(at);
        if (next < 0)
            return cannot_open(name, cause, err);
        at = next;
    }
    *ret_fd = at;
    return true;
}

static void identify(const struct stat *st, char ret[41]) {
    snprintf(ret, 41, "%016" PRIx64 "%016" PRIx64 "%08" PRIx32, (uint64_t)st->st_ino,
             (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec,
             (uint32_t)st->st_size);
}

bool import_file_open(const char *dir, const char *name, struct import_file *ret, struct err *err) {
    struct import_file file = IMPORT_FILE_INIT;
    struct stat st;

    if (!dir || !dir[0])
        return err_set(err, ERR_CONFIG,
                       "this worker has no import directory: KEYFERRY_IMPORT_DIR names it");
    if (!walk(dir, name, &file.fd, err))
        return false;
    if (fstat(file.fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        import_file_close(&file);
        return err_set(err, ERR_SOURCE_FILE, "file:%s is no regular file", name);
    }
    if (st.st_size == 0) {
        import_file_close(&file);
        return err_set(err, ERR_SOURCE_FILE, "file:%s is empty", name);
    }
    file.size = (uint64_t)st.st_size;
    identify(&st, file.identity);
    *ret = file;
    return true;
}

bool import_file_unchanged(const struct import_file *file, struct err *err) {
    char identity[sizeof(file->identity)] = "";
    struct stat st;

    if (fstat(file->fd, &st) == 0)
        identify(&st, identity);
    return strcmp(identity, file->identity) == 0 ||
           err_set(err, ERR_SOURCE_FILE, "the file was written while it was read");
}

bool import_file_read(const struct import_file *file, uint64_t offset, void *dst, size_t size,
                      size_t *ret_n, struct err *err) {
    ssize_t n;

    do {
        n = pread(file->fd, dst, size, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_set(err, ERR_IO, "reading the source's file: %s", strerror(errno));
    *ret_n = (size_t)n;
    return true;
}

static void tell(const struct rdb_summary *s, uint64_t bytes, struct import_facts *ret) {
    struct buf scratch = BUF_INIT(VERSION_MAX);
    struct err ignored = ERR_INIT;
    struct str version;

    *ret = (struct import_facts){
        .vendor = s->vendor, .rdb_version = s->version, .keys = s->keys, .bytes = bytes};
    if (s->server_version.len > 0 &&
        rdb_string_decode(s->server_version, &scratch, &version, &ignored))
        str_escape(str_first(version, sizeof(ret->server_version) - 1), ret->server_version,
                   sizeof(ret->server_version));
    buf_done(&scratch);
    for (size_t i = 0; i < s->database_count; i++)
        if (s->databases[i].db < IMPORT_FILE_DATABASES)
            ret->keys_of[s->databases[i].db] = s->databases[i].keys;
    ret->is_whole = s->ended;
}

static bool read_all(struct str bytes, struct rdb_parser *p, struct rdb_templates *templates,
                     struct rdb_summary *summary, bool (*go_on)(void *arg), void *arg,
                     struct err *err) {
    uint64_t asked_at = 0;

    rdb_parser_init(p);
    rdb_parser_set_size(p, bytes.len);
    rdb_parser_use_templates(p, templates);
    while (!summary->ended) {
        struct str view = str_skip(bytes, (size_t)p->offset);
        struct rdb_event ev;

        if (p->offset - asked_at >= ASK_BYTES) {
            asked_at = p->offset;
            if (!go_on(arg))
                return true;
        }
        switch (rdb_parser_next(p, view, &ev, err)) {
        case RDB_WRONG:
            return false;
        case RDB_NEED_MORE:
            return rdb_parser_cut_short(p, view.len, err);
        case RDB_EVENT:
            if (!rdb_summary_add(summary, &ev, err) ||
                (ev.kind == RDB_EV_HASH_TEMPLATE &&
                 !rdb_templates_add(templates, ev.hash_template.id, ev.hash_template.count,
                                    ev.hash_template.fields, err)))
                return false;
            break;
        }
    }
    return summary->checksum != RDB_CHECKSUM_WRONG ||
           err_set(err, ERR_RDB_CORRUPT, "its checksum is wrong: something in it was changed");
}

bool import_file_check(const struct import_file *file, bool (*go_on)(void *arg), void *arg,
                       struct import_facts *ret, struct err *err) {
    struct rdb_summary summary = RDB_SUMMARY_INIT;
    struct rdb_templates templates;
    struct rdb_parser parser;
    void *bytes = mmap(NULL, (size_t)file->size, PROT_READ, MAP_PRIVATE, file->fd, 0);
    bool ok;

    if (bytes == MAP_FAILED)
        return err_set(err, ERR_IO, "mapping the source's file: %s", strerror(errno));
    (void)madvise(bytes, (size_t)file->size, MADV_SEQUENTIAL);
    rdb_templates_init(&templates, TEMPLATES_MAX);
    ok =
        read_all(str_of(bytes, (size_t)file->size), &parser, &templates, &summary, go_on, arg, err);
    if (ok)
        tell(&summary, parser.offset, ret);
    else if (err->code == ERR_RDB_CORRUPT)
        err_recode(err, ERR_SOURCE_FILE, "the snapshot file is not usable");
    rdb_templates_done(&templates);
    rdb_summary_done(&summary);
    munmap(bytes, (size_t)file->size);
    return ok;
}
