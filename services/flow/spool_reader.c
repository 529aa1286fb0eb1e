#include "services/flow/spool_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/common/failpoint.h"

/* More than the largest thing that must be seen whole (a source transaction). */
static const uint64_t RANGE_BYTES = (uint64_t)16 << 30;

void spool_reader_close(struct spool_reader *r) {
    if (r->range)
        munmap(r->range, RANGE_BYTES);
    if (r->index_fd >= 0)
        close(r->index_fd);
    if (r->time_fd >= 0)
        close(r->time_fd);
    if (r->dir_fd >= 0)
        close(r->dir_fd);
    *r = SPOOL_READER_INIT;
}

static bool reserve(struct spool_reader *r, uint64_t segment, struct err *err) {
    /* Mapping fresh addresses over the whole range drops what was mapped in it. */
    void *at =
        mmap(r->range, RANGE_BYTES, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (r->range ? MAP_FIXED : 0), -1, 0);

    if (at == MAP_FAILED)
        return err_set(err, ERR_IO, "reserving addresses for the spool: %s", strerror(errno));
    r->range = at;
    r->range_offset = r->mapped_from = r->mapped_to = segment;
    return true;
}

static bool open_index(struct spool_reader *r, uint64_t segment, struct err *err) {
    if (r->index_fd >= 0)
        close(r->index_fd);
    r->index_fd = -1;
    r->index_segment = segment;
    r->index_at = 0;
    return spool_log_open_file(r->dir_fd, segment, SPOOL_INDEX, false, &r->index_fd, err);
}

/* Find the record that holds `from`: reading begins inside it, checking at its start. */
static bool seek_index(struct spool_reader *r, uint64_t from, struct err *err) {
    unsigned char stored[SPOOL_RECORD_BYTES];
    struct spool_record record;

    while (pread(r->index_fd, stored, sizeof(stored), (off_t)r->index_at) == sizeof(stored)) {
        spool_record_load(stored, &record);
        if (from < record.start)
            break;
        if (from < record.start + record.len) {
            r->checked_end = record.start;
            return true;
        }
        r->index_at += sizeof(stored);
        if (from == record.start + record.len) {
            r->checked_end = from; /* the next piece is still to come */
            return true;
        }
    }
    if (r->index_at == 0 && from == r->index_segment) {
        r->checked_end = from;
        return true;
    }
    return err_set(err, ERR_SPOOL_CORRUPT, "the spool has no record of offset %" PRIu64, from);
}

bool spool_reader_open(struct spool_reader *r, int base_fd, const char *name, uint64_t from,
                       struct err *err) {
    uint64_t segment = spool_segment_of(from);
    int fd;

    *r = SPOOL_READER_INIT;
    r->dir_fd = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->dir_fd < 0)
        return err_set(err, ERR_IO, "opening the spool directory %s: %s", name, strerror(errno));
    if (!reserve(r, segment, err))
        return false;
    r->checked_end = from;
    /* A log that is still empty has no file yet; its first record will begin at `from`. */
    if (!spool_log_open_file(r->dir_fd, segment, SPOOL_INDEX, false, &fd, err)) {
        err_clear(err);
        r->index_segment = segment;
        return true;
    }
    r->index_fd = fd;
    r->index_segment = segment;
    if (lseek(fd, 0, SEEK_END) == 0)
        return true;
    return seek_index(r, from, err);
}

static bool map_up_to(struct spool_reader *r, uint64_t end, struct err *err) {
    while (r->mapped_to < end) {
        int fd;
        void *at;

        if (!failpoint(FAILPOINT_SPOOL_MAP, err))
            return false;
        if (!spool_log_open_file(r->dir_fd, r->mapped_to, SPOOL_DATA, false, &fd, err))
            return false;
        at = mmap(r->range + (r->mapped_to - r->range_offset), SPOOL_SEGMENT_BYTES, PROT_READ,
                  MAP_SHARED | MAP_FIXED, fd, 0);
        close(fd);
        if (at == MAP_FAILED)
            return err_set(err, ERR_IO, "mapping a spool segment: %s", strerror(errno));
        r->mapped_to += SPOOL_SEGMENT_BYTES;
    }
    return true;
}

static bool check_record(struct spool_reader *r, const struct spool_record *record,
                         struct err *err) {
    if (record->start != r->checked_end || record->len == 0 ||
        record->start + record->len > r->index_segment + SPOOL_SEGMENT_BYTES)
        return err_set(err, ERR_SPOOL_CORRUPT, "a spool record does not follow offset %" PRIu64,
                       r->checked_end);
    if (spool_record_crc(record, r->range + (record->start - r->range_offset)) != record->crc)
        return err_set(err, ERR_SPOOL_CORRUPT,
                       "the spool's bytes from offset %" PRIu64 " do not match their checksum",
                       record->start);
    r->newest_ms = record->received_ms;
    r->checked_end = record->start + record->len;
    return true;
}

static bool check_up_to(struct spool_reader *r, uint64_t end, struct err *err) {
    unsigned char stored[64 * SPOOL_RECORD_BYTES];

    while (r->checked_end < end) {
        uint64_t segment = spool_segment_of(r->checked_end);
        struct spool_record record;
        ssize_t n;

        if ((r->index_fd < 0 || r->index_segment != segment) && !open_index(r, segment, err))
            return false;
        n = pread(r->index_fd, stored, sizeof(stored), (off_t)r->index_at);
        if (n < SPOOL_RECORD_BYTES)
            return err_set(err, ERR_SPOOL_CORRUPT, "the spool's index ends before offset %" PRIu64,
                           end);
        for (ssize_t at = 0; at + SPOOL_RECORD_BYTES <= n && r->checked_end < end;
             at += SPOOL_RECORD_BYTES) {
            spool_record_load(stored + at, &record);
            if (!check_record(r, &record, err))
                return false;
            r->index_at += SPOOL_RECORD_BYTES;
        }
    }
    return true;
}

bool spool_reader_exhausted(const struct spool_reader *r, uint64_t end) {
    return end > r->range_offset && end - r->range_offset > RANGE_BYTES;
}

bool spool_reader_rebase(struct spool_reader *r, uint64_t from, struct err *err) {
    return reserve(r, spool_segment_of(from), err);
}

bool spool_reader_view(struct spool_reader *r, uint64_t from, uint64_t end, struct str *ret_view,
                       struct err *err) {
    if (spool_reader_exhausted(r, end))
        end = r->range_offset + RANGE_BYTES;
    if (end <= from) {
        *ret_view = STR_EMPTY;
        return true;
    }
    if (end > r->checked_end && (!map_up_to(r, end, err) || !check_up_to(r, end, err)))
        return false;
    if (!map_up_to(r, end, err))
        return false;
    *ret_view = str_of(r->range + (from - r->range_offset), (size_t)(end - from));
    return true;
}

void spool_reader_release(struct spool_reader *r, uint64_t offset) {
    uint64_t keep = spool_segment_of(offset);

    if (keep > r->mapped_to)
        keep = r->mapped_to;
    if (keep <= r->mapped_from)
        return;
    /* Back to reserved addresses, so that nobody else's mapping lands between. */
    mmap(r->range + (r->mapped_from - r->range_offset), keep - r->mapped_from, PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    r->mapped_from = keep;
}

void spool_reader_forget(const struct spool_reader *r, uint64_t from, uint64_t to) {
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    if (from < r->mapped_from)
        from = r->mapped_from;
    if (to > r->mapped_to)
        to = r->mapped_to;
    from = (from + page - 1) / page * page;
    to = to / page * page;
    if (from < to)
        (void)madvise(r->range + (from - r->range_offset), to - from, MADV_DONTNEED);
}

/* ---- receipt ------------------------------------------------------------------------- */

static bool is_in(const struct spool_record *record, uint64_t offset) {
    return offset >= record->start && offset - record->start < record->len;
}

/* Record `at` of the index that was opened for times. */
static bool read_timed(struct spool_reader *r, uint64_t at) {
    unsigned char stored[SPOOL_RECORD_BYTES];

    if (pread(r->time_fd, stored, sizeof(stored), (off_t)(at * sizeof(stored))) !=
        (ssize_t)sizeof(stored))
        return false;
    spool_record_load(stored, &r->timed);
    r->time_at = at;
    return true;
}

static bool open_times(struct spool_reader *r, uint64_t segment) {
    struct err ignored = ERR_INIT;

    if (r->time_fd >= 0 && r->time_segment == segment)
        return true;
    if (r->time_fd >= 0)
        close(r->time_fd);
    r->time_fd = -1;
    r->time_segment = segment;
    return spool_log_open_file(r->dir_fd, segment, SPOOL_INDEX, false, &r->time_fd, &ignored);
}

/* The record of the byte at `offset`: mostly the one that was found last, or the next one. */
static bool find_timed(struct spool_reader *r, uint64_t offset) {
    uint64_t low = 0, high;
    struct stat st;

    if (is_in(&r->timed, offset))
        return true;
    r->timed.len = 0;
    if (!open_times(r, spool_segment_of(offset)) || fstat(r->time_fd, &st) != 0)
        return false;
    if (read_timed(r, r->time_at + 1) && is_in(&r->timed, offset))
        return true;
    high = (uint64_t)st.st_size / SPOOL_RECORD_BYTES;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (!read_timed(r, middle))
            break;
        if (is_in(&r->timed, offset))
            return true;
        if (r->timed.start > offset)
            high = middle;
        else
            low = middle + 1;
    }
    r->timed.len = 0;
    return false;
}

uint64_t spool_reader_received_ms(struct spool_reader *r, uint64_t offset) {
    return offset > 0 && find_timed(r, offset - 1) ? r->timed.received_ms : r->newest_ms;
}
