#include "services/flow/reading_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/bytes.h"
#include "proto/crc/crc32c.h"

/* Eight 8-byte numbers and a checksum, overwritten in place: a torn write does not match
 * its checksum and reads as no mark. */
enum { FIELDS = 8, FILE_BYTES = FIELDS * 8 + 4 };

static const char file_name[] = "reading.mark";

bool reading_mark_read(int spool_fd, struct reading_mark *ret_mark, struct err *err) {
    unsigned char bytes[FILE_BYTES];
    ssize_t n;
    int fd = openat(spool_fd, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    *ret_mark = (struct reading_mark){.generation = 0};
    if (fd < 0)
        return errno == ENOENT ||
               err_set(err, ERR_IO, "opening %s: %s", file_name, strerror(errno));
    n = read(fd, bytes, sizeof(bytes));
    close(fd);
    if (n != FILE_BYTES || load_le32(bytes + FIELDS * 8) != crc32c_update(0, bytes, FIELDS * 8))
        return true;
    *ret_mark = (struct reading_mark){
        .generation = load_le64(bytes),
        .end = load_le64(bytes + 8),
        .db = load_le64(bytes + 16),
        .cursor = load_le64(bytes + 24),
        .version = load_le64(bytes + 32),
        .changes = (int64_t)load_le64(bytes + 40),
        .last_save_sec = (int64_t)load_le64(bytes + 48),
        .is_composed = load_le64(bytes + 56) != 0,
    };
    return true;
}

bool reading_mark_write(int spool_fd, const struct reading_mark *mark, struct err *err) {
    unsigned char bytes[FILE_BYTES];
    ssize_t n;
    int fd = openat(spool_fd, file_name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return err_set(err, ERR_IO, "opening %s: %s", file_name, strerror(errno));
    store_le64(bytes, mark->generation);
    store_le64(bytes + 8, mark->end);
    store_le64(bytes + 16, mark->db);
    store_le64(bytes + 24, mark->cursor);
    store_le64(bytes + 32, mark->version);
    store_le64(bytes + 40, (uint64_t)mark->changes);
    store_le64(bytes + 48, (uint64_t)mark->last_save_sec);
    store_le64(bytes + 56, mark->is_composed);
    store_le32(bytes + FIELDS * 8, crc32c_update(0, bytes, FIELDS * 8));
    n = pwrite(fd, bytes, sizeof(bytes), 0);
    close(fd);
    return n == FILE_BYTES || err_set(err, ERR_IO, "writing %s: %s", file_name, strerror(errno));
}
