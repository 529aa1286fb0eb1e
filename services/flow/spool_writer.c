#include "services/flow/spool_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/common/failpoint.h"

enum { SEGMENTS_MAX = 1 << 16 }; /* 2 TiB of spool */

static void close_segment(struct spool_writer *w) {
    if (w->data_fd >= 0)
        close(w->data_fd);
    if (w->index_fd >= 0)
        close(w->index_fd);
    w->data_fd = w->index_fd = -1;
}

void spool_writer_close(struct spool_writer *w) {
    close_segment(w);
    if (w->dir_fd >= 0)
        close(w->dir_fd);
    w->dir_fd = -1;
}

static bool open_segment(struct spool_writer *w, uint64_t segment, struct err *err) {
    close_segment(w);
    if (!spool_log_open_file(w->dir_fd, segment, SPOOL_DATA, true, &w->data_fd, err) ||
        !spool_log_open_file(w->dir_fd, segment, SPOOL_INDEX, true, &w->index_fd, err)) {
        close_segment(w);
        return false;
    }
    /* Full length at once: a reader that maps the segment never meets its end. */
    if (ftruncate(w->data_fd, SPOOL_SEGMENT_BYTES) != 0) {
        int cause = errno;

        close_segment(w);
        return err_set(err, ERR_IO, "sizing a spool segment: %s", strerror(cause));
    }
    w->open_segment = segment;
    w->index_bytes = 0;
    failpoint_pass(FAILPOINT_SPOOL_SEGMENT_OPENED);
    return true;
}

bool spool_writer_reset(struct spool_writer *w, uint64_t start, struct err *err) {
    uint64_t *segments = malloc(sizeof(*segments) * SEGMENTS_MAX);
    size_t count = 0;
    bool ok;

    if (!segments)
        abort();
    close_segment(w);
    ok = spool_log_list(w->dir_fd, segments, SEGMENTS_MAX, &count, err);
    for (size_t i = 0; i < count; i++)
        spool_log_unlink(w->dir_fd, segments[i]);
    failpoint_pass(FAILPOINT_SPOOL_EMPTIED);
    free(segments);
    w->start = w->end = start;
    w->first_segment = spool_segment_of(start);
    return ok;
}

/* Walk the records of one segment. Stops at the first that does not follow or,
 * with check_data, whose bytes do not match; *ret_end is the end of what is good,
 * *ret_index_bytes the good part of the index. */
static bool walk_segment(struct spool_writer *w, uint64_t segment, bool check_data,
                         uint64_t *ret_start, uint64_t *ret_end, uint64_t *ret_index_bytes,
                         struct err *err) {
    const unsigned char *index = NULL, *data = NULL;
    int data_fd = -1, index_fd = -1;
    uint64_t end = 0, start = 0, good = 0;
    struct stat st;
    bool ok = spool_log_open_file(w->dir_fd, segment, SPOOL_DATA, true, &data_fd, err) &&
              spool_log_open_file(w->dir_fd, segment, SPOOL_INDEX, true, &index_fd, err);

    if (ok && (fstat(index_fd, &st) != 0 || ftruncate(data_fd, SPOOL_SEGMENT_BYTES) != 0))
        ok = err_set(err, ERR_IO, "reading a spool index: %s", strerror(errno));
    if (ok && st.st_size >= SPOOL_RECORD_BYTES) {
        index = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, index_fd, 0);
        data = mmap(NULL, SPOOL_SEGMENT_BYTES, PROT_READ, MAP_SHARED, data_fd, 0);
        if (index == MAP_FAILED || data == MAP_FAILED)
            ok = err_set(err, ERR_IO, "mapping a spool segment: %s", strerror(errno));
        for (uint64_t at = 0; ok && at + SPOOL_RECORD_BYTES <= (uint64_t)st.st_size;
             at += SPOOL_RECORD_BYTES) {
            struct spool_record r;

            spool_record_load(index + at, &r);
            if (r.start < segment || r.len == 0 ||
                r.start + r.len > segment + SPOOL_SEGMENT_BYTES || (at > 0 && r.start != end) ||
                (check_data && spool_record_crc(&r, data + (r.start - segment)) != r.crc))
                break;
            start = at == 0 ? r.start : start;
            end = r.start + r.len;
            good = at + SPOOL_RECORD_BYTES;
        }
        if (index != MAP_FAILED)
            munmap((void *)(uintptr_t)index, (size_t)st.st_size);
        if (data != MAP_FAILED)
            munmap((void *)(uintptr_t)data, SPOOL_SEGMENT_BYTES);
    }
    if (data_fd >= 0)
        close(data_fd);
    if (index_fd >= 0)
        close(index_fd);
    if (!ok)
        return false;
    *ret_start = start;
    *ret_end = end;
    *ret_index_bytes = good;
    return true;
}

static bool recover(struct spool_writer *w, const uint64_t *segments, size_t count,
                    struct err *err) {
    uint64_t start = 0, end = 0, index_bytes = 0;

    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count;
        uint64_t segment_start, segment_end, good;

        /* Only the tail can be torn by a crash of ours; what lies before it is
         * checked by whoever reads it. */
        if (!walk_segment(w, segments[i], last, &segment_start, &segment_end, &good, err))
            return false;
        if (good == 0 && last && i > 0) {
            spool_log_unlink(w->dir_fd, segments[i]);
            count--;
            break;
        }
        if (good == 0 || (i > 0 && segment_start != end))
            return spool_writer_reset(w, 0, err);
        start = i == 0 ? segment_start : start;
        end = segment_end;
        index_bytes = good;
    }
    if (count == 0)
        return spool_writer_reset(w, 0, err);
    w->first_segment = segments[0];
    w->start = start;
    w->end = end;
    if (end % SPOOL_SEGMENT_BYTES == 0)
        return true; /* the next append opens the next segment */
    if (!open_segment(w, spool_segment_of(end), err))
        return false;
    failpoint_pass(FAILPOINT_SPOOL_BEFORE_CUT);
    if (ftruncate(w->index_fd, (off_t)index_bytes) != 0)
        return err_set(err, ERR_IO, "cutting a spool index: %s", strerror(errno));
    w->index_bytes = index_bytes;
    return true;
}

bool spool_writer_open(struct spool_writer *w, int base_fd, const char *name, struct err *err) {
    uint64_t *segments;
    size_t count = 0;
    bool ok;

    if (mkdirat(base_fd, name, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "making the spool directory %s: %s", name, strerror(errno));
    failpoint_pass(FAILPOINT_SPOOL_RECOVERY);
    w->dir_fd = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->dir_fd < 0)
        return err_set(err, ERR_IO, "opening the spool directory %s: %s", name, strerror(errno));
    segments = malloc(sizeof(*segments) * SEGMENTS_MAX);
    if (!segments)
        abort();
    ok = spool_log_list(w->dir_fd, segments, SEGMENTS_MAX, &count, err) &&
         recover(w, segments, count, err);
    free(segments);
    return ok;
}

static bool write_all(int fd, const void *bytes, size_t len, uint64_t at,
                      enum failpoint_place place, struct err *err) {
    const char *from = bytes;

    while (len > 0) {
        size_t most = len;
        ssize_t n = failpoint_io(place, &most) ? -1 : pwrite(fd, from, most, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(err, n == 0 || errno == ENOSPC ? ERR_SPOOL_FULL : ERR_IO,
                           "writing the spool: %s", strerror(n < 0 ? errno : ENOSPC));
        from += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

static bool append_piece(struct spool_writer *w, struct str piece, uint64_t received_ms,
                         struct err *err) {
    uint64_t segment = spool_segment_of(w->end);
    unsigned char stored[SPOOL_RECORD_BYTES];
    struct spool_record record = {
        .start = w->end, .len = (uint32_t)piece.len, .received_ms = received_ms};

    if ((w->data_fd < 0 || w->open_segment != segment) && !open_segment(w, segment, err))
        return false;
    record.crc = spool_record_crc(&record, piece.ptr);
    spool_record_store(&record, stored);
    if (!write_all(w->data_fd, piece.ptr, piece.len, w->end - segment, FAILPOINT_SPOOL_DATA_WRITE,
                   err) ||
        !failpoint(FAILPOINT_SPOOL_DATA_WRITTEN, err) ||
        !write_all(w->index_fd, stored, sizeof(stored), w->index_bytes, FAILPOINT_SPOOL_INDEX_WRITE,
                   err) ||
        !failpoint(FAILPOINT_SPOOL_INDEX_WRITTEN, err))
        return false;
    w->index_bytes += sizeof(stored);
    w->end += piece.len;
    return true;
}

bool spool_writer_append(struct spool_writer *w, struct str bytes, uint64_t received_ms,
                         struct err *err) {
    while (bytes.len > 0) {
        uint64_t room = SPOOL_SEGMENT_BYTES - w->end % SPOOL_SEGMENT_BYTES;
        struct str piece = str_first(bytes, (size_t)room);

        if (!append_piece(w, piece, received_ms, err))
            return false;
        bytes = str_skip(bytes, piece.len);
    }
    return true;
}

/* How much of the segment's index tells of what lies before `end`. */
static bool find_end(struct spool_writer *w, uint64_t segment, uint64_t end,
                     uint64_t *ret_index_bytes, struct err *err) {
    unsigned char stored[SPOOL_RECORD_BYTES];
    uint64_t at = 0;
    bool found = false;
    int fd;

    if (!spool_log_open_file(w->dir_fd, segment, SPOOL_INDEX, false, &fd, err))
        return false;
    while (!found && pread(fd, stored, sizeof(stored), (off_t)at) == sizeof(stored)) {
        struct spool_record record;

        spool_record_load(stored, &record);
        at += sizeof(stored);
        found = record.start + record.len == end;
    }
    close(fd);
    if (!found)
        return err_set(err, ERR_SPOOL_CORRUPT, "no piece of the spool ends at offset %" PRIu64,
                       end);
    *ret_index_bytes = at;
    return true;
}

bool spool_writer_cut(struct spool_writer *w, uint64_t end, struct err *err) {
    uint64_t segment = end > 0 ? spool_segment_of(end - 1) : 0, index_bytes = 0;

    if (end == w->end)
        return true;
    if (end < w->start || end > w->end)
        return err_set(err, ERR_SPOOL_CORRUPT, "the spool does not hold offset %" PRIu64, end);
    if (end == w->start)
        return spool_writer_reset(w, end, err);
    if (!find_end(w, segment, end, &index_bytes, err))
        return false;
    close_segment(w);
    /* From the end: killed on the way, what is left is still one run of bytes. */
    for (uint64_t last = spool_segment_of(w->end); last > segment; last -= SPOOL_SEGMENT_BYTES)
        spool_log_unlink(w->dir_fd, last);
    w->end = end;
    if (!open_segment(w, segment, err))
        return false;
    w->index_bytes = index_bytes;
    return ftruncate(w->index_fd, (off_t)index_bytes) == 0 ||
           err_set(err, ERR_IO, "cutting a spool index: %s", strerror(errno));
}

void spool_writer_trim(struct spool_writer *w, uint64_t keep_from) {
    while (w->first_segment + SPOOL_SEGMENT_BYTES <= keep_from &&
           w->first_segment < spool_segment_of(w->end)) {
        spool_log_unlink(w->dir_fd, w->first_segment);
        w->first_segment += SPOOL_SEGMENT_BYTES;
        if (w->start < w->first_segment)
            w->start = w->first_segment;
    }
}
