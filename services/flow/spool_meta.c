#include "services/flow/spool_meta.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/common/failpoint.h"
#include "services/flow/spool_log.h"

enum { FORMER_MAX = 181, TEXT_MAX = 512 };

bool spool_meta_is_history(const struct spool_meta *meta, const char *replid) {
    bool is = strcmp(meta->replid, replid) == 0;

    for (int i = 0; !is && i < SPOOL_META_FORMER && meta->former[i][0]; i++)
        is = strcmp(meta->former[i], replid) == 0;
    return is;
}

void spool_meta_rename(struct spool_meta *meta, const char *replid) {
    memmove(meta->former[1], meta->former[0], sizeof(meta->former) - sizeof(meta->former[0]));
    memcpy(meta->former[0], meta->replid, sizeof(meta->former[0]));
    snprintf(meta->replid, sizeof(meta->replid), "%s", replid);
}

/* "a,b" or "-". */
static void read_former(struct spool_meta *meta, const char *text) {
    struct str rest = str_from(text), name;

    for (int i = 0; i < SPOOL_META_FORMER && str_cut(&rest, ',', &name); i++) {
        if (name.len == 40)
            memcpy(meta->former[i], name.ptr, 40);
    }
}

static void put_former(const struct spool_meta *meta, char *dst, size_t size) {
    size_t len = 0;

    snprintf(dst, size, "-");
    for (int i = 0; i < SPOOL_META_FORMER && meta->former[i][0]; i++)
        len += (size_t)snprintf(dst + len, size - len, i ? ",%s" : "%s", meta->former[i]);
}

bool spool_meta_read(int base_fd, struct spool_meta *ret_meta, struct err *err) {
    char text[TEXT_MAX], former[FORMER_MAX];
    struct spool_meta meta = {0};
    unsigned format = 0;
    int complete = 0;
    ssize_t n;
    int fd = openat(base_fd, "meta", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    memset(ret_meta, 0, sizeof(*ret_meta));
    if (fd < 0)
        return errno == ENOENT ||
               err_set(err, ERR_IO, "opening the spool's meta file: %s", strerror(errno));
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n < 0)
        return err_set(err, ERR_IO, "reading the spool's meta file: %s", strerror(errno));
    text[n] = '\0';
    /* NOLINTNEXTLINE(cert-err34-c): our own file; a number out of range reads as another format */
    if (sscanf(text,
               "keyferry-spool %u generation %" SCNu64 " replid %40s snapshot_offset %" SCNu64
               " complete %d bytes %" SCNu64 " former %180s .",
               &format, &meta.generation, meta.replid, &meta.snapshot_offset, &complete,
               &meta.snapshot_bytes, former) == 7 &&
        format == SPOOL_FORMAT && strlen(meta.replid) == 40) {
        meta.snapshot_complete = complete == 1;
        read_former(&meta, former);
        *ret_meta = meta;
    }
    return true;
}

bool spool_meta_write(int base_fd, const struct spool_meta *meta, struct err *err) {
    char text[TEXT_MAX], former[FORMER_MAX];
    int len, fd;
    size_t size;
    bool ok;

    put_former(meta, former, sizeof(former));
    len = snprintf(text, sizeof(text),
                   "keyferry-spool %u generation %" PRIu64 " replid %s snapshot_offset %" PRIu64
                   " complete %d bytes %" PRIu64 " former %s .\n",
                   (unsigned)SPOOL_FORMAT, meta->generation, meta->replid, meta->snapshot_offset,
                   meta->snapshot_complete ? 1 : 0, meta->snapshot_bytes, former);
    fd = openat(base_fd, "meta.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    size = (size_t)len;
    if (fd < 0)
        return err_set(err, ERR_IO, "making the spool's meta file: %s", strerror(errno));
    ok = !failpoint_io(FAILPOINT_SPOOL_META_WRITE, &size) && write(fd, text, size) == len &&
         !failpoint_io(FAILPOINT_SPOOL_META_SYNC, &size) && fdatasync(fd) == 0 &&
         !failpoint_io(FAILPOINT_SPOOL_META_RENAME, &size);
    close(fd);
    if (!ok || renameat(base_fd, "meta.new", base_fd, "meta") != 0)
        return err_set(err, ERR_IO, "writing the spool's meta file: %s", strerror(errno));
    failpoint_pass(FAILPOINT_SPOOL_META_WRITTEN);
    return true;
}
