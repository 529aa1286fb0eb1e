#include "services/ctl/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES_MAX = 1024 };

bool files_path(char *dst, size_t dst_size, struct err *err, const char *fmt, ...) {
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(dst, dst_size, fmt, args);
    va_end(args);
    if (len < 0 || (size_t)len >= dst_size)
        return err_set(err, ERR_TOO_BIG, "the path %.60s... is longer than %zu bytes", dst,
                       dst_size - 1);
    return true;
}

bool files_make_dir(const char *path, mode_t mode, bool *ret_made, struct err *err) {
    bool made = mkdir(path, 0700) == 0;
    struct stat st;

    if (!made && errno != EEXIST)
        return err_set(err, ERR_IO, "making the directory %s: %s", path, strerror(errno));
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_set(err, ERR_IO, "%s is no directory", path);
    /* mkdir's mode is cut by the umask; what we make has exactly this one. */
    if (made && chmod(path, mode) != 0)
        return err_set(err, ERR_IO, "chmod of %s: %s", path, strerror(errno));
    if (ret_made)
        *ret_made = made;
    return true;
}

static bool write_all(int fd, struct str content) {
    while (content.len > 0) {
        ssize_t wrote = write(fd, content.ptr, content.len);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return false;
        content = str_skip(content, (size_t)wrote);
    }
    return true;
}

bool files_write(const char *path, struct str content, mode_t mode, struct err *err) {
    char temporary[PATH_BYTES_MAX];
    bool ok;
    int fd;

    if (!files_path(temporary, sizeof(temporary), err, "%s.new", path))
        return false;
    (void)unlink(temporary); /* of a process that was killed here */
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set(err, ERR_IO, "writing %s: %s", path, strerror(errno));
    ok = write_all(fd, content) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    ok = ok && rename(temporary, path) == 0;
    if (!ok) {
        (void)err_set(err, ERR_IO, "writing %s: %s", path, strerror(errno));
        (void)unlink(temporary);
    }
    return ok;
}

bool files_read(const char *path, char *dst, size_t dst_size, size_t *ret_len, struct err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;

    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "reading %s: %s", path,
                       strerror(errno));
    for (;;) {
        ssize_t got = read(fd, dst + len, dst_size - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            (void)err_set(err, ERR_IO, "reading %s: %s", path, strerror(errno));
            close(fd);
            return false;
        }
        if (got == 0)
            break;
        len += (size_t)got;
        if (len == dst_size) {
            close(fd);
            return err_set(err, ERR_TOO_BIG, "%s is over %zu bytes", path, dst_size - 1);
        }
    }
    close(fd);
    dst[len] = '\0';
    *ret_len = len;
    return true;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

bool files_remove_tree(const char *path, struct err *err) {
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && errno != ENOENT)
        return err_set(err, ERR_IO, "removing %s: %s", path, strerror(errno));
    return true;
}

bool files_reachable(const char *path, uid_t uid, gid_t gid, char *ret_where, size_t where_size) {
    char part[PATH_BYTES_MAX];
    size_t len = strlen(path);

    for (size_t end = 1; end <= len && end < sizeof(part); end++) {
        struct stat st;
        mode_t need = S_IXOTH;

        if (end != 1 && end != len && path[end] != '/')
            continue;
        memcpy(part, path, end);
        part[end] = '\0';
        if (stat(part, &st) != 0)
            continue; /* not made yet */
        if (st.st_uid == uid)
            need = S_IXUSR;
        else if (st.st_gid == gid)
            need = S_IXGRP;
        if (!(st.st_mode & need)) {
            snprintf(ret_where, where_size, "%s", part);
            return false;
        }
    }
    return true;
}
