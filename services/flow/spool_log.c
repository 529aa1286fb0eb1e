#include "services/flow/spool_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/base/bytes.h"
#include "proto/crc/crc32c.h"
#include "services/common/failpoint.h"

enum { NAME_DIGITS = 20, NAME_BYTES = NAME_DIGITS + 5 };

static void file_name(char *dst, uint64_t segment, enum spool_file kind) {
    snprintf(dst, NAME_BYTES, "%020" PRIu64 ".%s", segment, kind == SPOOL_DATA ? "seg" : "idx");
}

bool spool_log_open_file(int dir_fd, uint64_t segment, enum spool_file kind, bool create,
                         int *ret_fd, struct err *err) {
    char name[NAME_BYTES];
    int fd;

    file_name(name, segment, kind);
    fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_SPOOL_CORRUPT : ERR_IO,
                       "opening spool file %s: %s", name, strerror(errno));
    *ret_fd = fd;
    return true;
}

void spool_log_unlink(int dir_fd, uint64_t segment) {
    char name[NAME_BYTES];

    file_name(name, segment, SPOOL_DATA);
    unlinkat(dir_fd, name, 0);
    failpoint_pass(FAILPOINT_SPOOL_DATA_UNLINKED);
    file_name(name, segment, SPOOL_INDEX);
    unlinkat(dir_fd, name, 0);
}

static int compare_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

bool spool_log_list(int dir_fd, uint64_t *ret_segments, size_t max, size_t *ret_count,
                    struct err *err) {
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    size_t count = 0;
    bool ok = true;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return err_set(err, ERR_IO, "listing the spool: %s", strerror(errno));
    }
    while (ok && (entry = readdir(dir))) {
        struct str name = str_from(entry->d_name);
        uint64_t segment;

        if (name.len != NAME_BYTES - 1 || strcmp(entry->d_name + NAME_DIGITS, ".seg") != 0 ||
            !str_parse_u64(str_first(name, NAME_DIGITS), &segment) ||
            segment % SPOOL_SEGMENT_BYTES != 0)
            continue;
        if (count == max)
            ok = err_set(err, ERR_TOO_BIG, "more than %zu spool segments", max);
        else
            ret_segments[count++] = segment;
    }
    closedir(dir);
    if (!ok)
        return false;
    if (count > 1)
        qsort(ret_segments, count, sizeof(*ret_segments), compare_u64);
    *ret_count = count;
    return true;
}

void spool_record_store(const struct spool_record *record, unsigned char *dst) {
    store_le64(dst, record->start);
    store_le32(dst + 8, record->len);
    store_le32(dst + 12, record->crc);
    store_le64(dst + 16, record->received_ms);
    store_le64(dst + 24, 0);
}

void spool_record_load(const unsigned char *src, struct spool_record *ret_record) {
    ret_record->start = load_le64(src);
    ret_record->len = load_le32(src + 8);
    ret_record->crc = load_le32(src + 12);
    ret_record->received_ms = load_le64(src + 16);
}

uint32_t spool_record_crc(const struct spool_record *record, const void *data) {
    unsigned char fields[20];

    store_le64(fields, record->start);
    store_le32(fields + 8, record->len);
    store_le64(fields + 12, record->received_ms);
    return crc32c_update(crc32c_update(0, data, record->len), fields, sizeof(fields));
}
