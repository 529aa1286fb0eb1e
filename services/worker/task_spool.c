#include "services/worker/task_spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/str.h"
#include "services/common/ulid.h"

enum { NAME_MAX_LEN = 64, DEPTH_MAX = 3 };

static bool name_of(const char *job, uint32_t task, char dst[NAME_MAX_LEN], struct err *err) {
    /* The name becomes a path: only what we make ourselves may stand in it. */
    if (!ulid_is(str_from(job), "job"))
        return err_set(err, ERR_INTERNAL, "\"%.40s\" is no id of a job", job);
    snprintf(dst, NAME_MAX_LEN, "%s-%u", job, (unsigned)task);
    return true;
}

bool task_spool_make(const char *base, const char *job, uint32_t task, char *dst, size_t dst_size,
                     struct err *err) {
    char name[NAME_MAX_LEN];

    if (!name_of(job, task, name, err))
        return false;
    if ((size_t)snprintf(dst, dst_size, "%s/%s", base, name) >= dst_size)
        return err_set(err, ERR_CONFIG, "KEYFERRY_SPOOL_DIR is too long");
    if (mkdir(dst, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "making %s: %s", dst, strerror(errno));
    return true;
}

static bool is_dot(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Empties and removes `name` below dir_fd; never follows a link. */
static bool remove_tree(int dir_fd, const char *name, int depth, struct err *err) {
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct dirent *entry;
    bool ok = true;
    DIR *dir;

    if (fd < 0 && errno == ENOENT)
        return true;
    if (fd < 0 || depth > DEPTH_MAX) {
        if (fd >= 0)
            close(fd);
        return err_set(err, ERR_IO, "removing %s: %s", name, fd < 0 ? strerror(errno) : "too deep");
    }
    dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return err_set(err, ERR_IO, "removing %s: %s", name, strerror(errno));
    }
    while (ok && (entry = readdir(dir))) {
        if (is_dot(entry->d_name) || unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
            continue;
        ok = errno == EISDIR || errno == EPERM
                 ? remove_tree(fd, entry->d_name, depth + 1, err)
                 : err_set(err, ERR_IO, "removing %s: %s", entry->d_name, strerror(errno));
    }
    closedir(dir);
    if (ok && unlinkat(dir_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        ok = err_set(err, ERR_IO, "removing %s: %s", name, strerror(errno));
    return ok;
}

bool task_spool_remove(const char *base, const char *job, uint32_t task, struct err *err) {
    char name[NAME_MAX_LEN];
    bool ok;
    int fd;

    if (!name_of(job, task, name, err))
        return false;
    fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_IO, "opening %s: %s", base, strerror(errno));
    ok = remove_tree(fd, name, 0, err);
    close(fd);
    return ok;
}

void task_spool_list(const char *base, bool (*each)(void *arg, const char *job, uint32_t task),
                     void *arg) {
    DIR *dir = opendir(base);
    struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        char job[NAME_MAX_LEN];
        struct str rest = str_from(entry->d_name), head;
        uint64_t task;

        if (!str_cut(&rest, '-', &head) || head.len >= sizeof(job) || !ulid_is(head, "job") ||
            !str_parse_u64(rest, &task) || task > UINT32_MAX)
            continue;
        memcpy(job, head.ptr, head.len);
        job[head.len] = '\0';
        if (!each(arg, job, (uint32_t)task))
            break;
    }
    closedir(dir);
}
