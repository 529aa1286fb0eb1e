#include "services/ctl/output_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/str.h"
#include "services/ctl/files.h"

bool output_log_open(struct output_log *log, const char *dir, const char *name, struct err *err) {
    *log = OUTPUT_LOG_INIT;
    if (!files_path(log->path, sizeof(log->path), err, "%s/log/%s.log", dir, name))
        return false;
    log->fd = open(log->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return log->fd >= 0 || err_set(err, ERR_IO, "opening %s: %s", log->path, strerror(errno));
}

void output_log_close(struct output_log *log) {
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}

void output_log_trim(struct output_log *log) {
    char old[sizeof(log->path) + 2];
    off_t at = 0;
    struct stat st;
    int fd;

    if (log->fd < 0 || fstat(log->fd, &st) != 0 || st.st_size < OUTPUT_LOG_BYTES_MAX)
        return;
    snprintf(old, sizeof(old), "%s.1", log->path);
    fd = open(old, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        while (at < st.st_size && sendfile(fd, log->fd, &at, (size_t)(st.st_size - at)) > 0)
            ;
        close(fd);
    }
    /* What was written between the two calls is lost; so is the copy on a full
     * disk, and then emptying is all the more needed. */
    if (ftruncate(log->fd, 0) != 0)
        return;
}

void output_log_last(const struct output_log *log, off_t from, const char *word, char *dst,
                     size_t dst_size) {
    char tail[4096];
    off_t end = log->fd < 0 ? 0 : lseek(log->fd, 0, SEEK_END);
    char *line = tail;
    ssize_t len;

    dst[0] = '\0';
    if (end - from > (off_t)sizeof(tail) - 1)
        from = end - (off_t)sizeof(tail) + 1;
    if (end <= from)
        return;
    len = pread(log->fd, tail, sizeof(tail) - 1, from);
    if (len <= 0)
        return;
    tail[len] = '\0';
    while (*line) {
        size_t size = strcspn(line, "\n");
        bool more = line[size] == '\n';

        line[size] = '\0';
        if (size > 0 && (!word || strstr(line, word)))
            str_escape(str_from(word ? strstr(line, word) : line), dst, dst_size);
        line += size + (more ? 1 : 0);
    }
}
