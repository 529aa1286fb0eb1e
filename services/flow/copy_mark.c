#include "services/flow/copy_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/bytes.h"
#include "proto/crc/crc32c.h"

/* Ten 8-byte numbers and a checksum, overwritten in place: a torn write does not
 * match its checksum and reads as no mark. */
enum { FIELDS = 10, FILE_BYTES = FIELDS * 8 + 4 };

static void store(const struct copy_mark *mark, unsigned char *dst) {
    uint64_t fields[FIELDS] = {
        mark->generation,
        mark->at.offset,
        mark->at.crc,
        mark->at.db,
        (uint64_t)mark->at.version,
        (uint64_t)mark->at.vendor,
        mark->at.crc_enabled,
        mark->keys_done,
        mark->keys_expired,
        (uint64_t)(int64_t)mark->stream_db,
    };

    for (int i = 0; i < FIELDS; i++)
        store_le64(dst + i * 8, fields[i]);
    store_le32(dst + FIELDS * 8, crc32c_update(0, dst, FIELDS * 8));
}

bool copy_mark_read(int spool_fd, struct copy_mark *ret_mark, struct err *err) {
    unsigned char bytes[FILE_BYTES];
    uint64_t fields[FIELDS];
    ssize_t n;
    int fd = openat(spool_fd, "copy.mark", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    memset(ret_mark, 0, sizeof(*ret_mark));
    ret_mark->stream_db = -1;
    if (fd < 0)
        return errno == ENOENT || err_set(err, ERR_IO, "opening copy.mark: %s", strerror(errno));
    n = read(fd, bytes, sizeof(bytes));
    close(fd);
    if (n != FILE_BYTES || load_le32(bytes + FIELDS * 8) != crc32c_update(0, bytes, FIELDS * 8))
        return true;
    for (int i = 0; i < FIELDS; i++)
        fields[i] = load_le64(bytes + i * 8);
    *ret_mark = (struct copy_mark){
        .generation = fields[0],
        .at = {.offset = fields[1],
               .crc = fields[2],
               .db = (uint32_t)fields[3],
               .version = (int)fields[4],
               .vendor = (enum rdb_vendor)fields[5],
               .crc_enabled = fields[6] != 0},
        .keys_done = fields[7],
        .keys_expired = fields[8],
        .stream_db = (int)(int64_t)fields[9],
    };
    return true;
}

bool copy_mark_write(int spool_fd, const struct copy_mark *mark, struct err *err) {
    unsigned char bytes[FILE_BYTES];
    ssize_t n;
    int fd = openat(spool_fd, "copy.mark", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return err_set(err, ERR_IO, "opening copy.mark: %s", strerror(errno));
    store(mark, bytes);
    n = pwrite(fd, bytes, sizeof(bytes), 0);
    close(fd);
    return n == FILE_BYTES || err_set(err, ERR_IO, "writing copy.mark: %s", strerror(errno));
}
