#include "services/flow/key_set.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/siphash.h"

#define FILE_NAME "keys"
#define SORTED_NAME "keys.sorted" /* for the moment until it has none */
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

enum { MAGIC_SIZE = 8, BOOT_SIZE = 40, FEW = 32 };
static const char magic[MAGIC_SIZE] = {'k', 'f', 'k', 'e', 'y', 's', '0', '1'};

struct header {
    char magic[MAGIC_SIZE];
    uint64_t generation;
    uint64_t key[2];
    char boot[BOOT_SIZE]; /* of the machine, as it runs now */
};

static bool failed(struct err *err, const char *what) {
    return err_set(err, ERR_IO, "%s the keys of a snapshot: %s", what, strerror(errno));
}

void key_set_init(struct key_set *set) {
    set->fd = -1;
    set->used = 0;
    set->sorted = NULL;
    set->count = 0;
}

void key_set_close(struct key_set *set) {
    if (set->sorted)
        munmap(set->sorted, set->count * sizeof(*set->sorted));
    if (set->fd >= 0)
        close(set->fd);
    key_set_init(set);
}

void key_set_remove(int dir_fd) {
    unlinkat(dir_fd, FILE_NAME, 0);
}

/* Where there is no such file the same text is written and compared: no worse than none. */
static void read_boot(char ret[BOOT_SIZE]) {
    int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, ret, BOOT_SIZE) : 0;

    memset(ret + (n > 0 ? n : 0), 0, BOOT_SIZE - (size_t)(n > 0 ? n : 0));
    if (fd >= 0)
        close(fd);
}

static bool write_all(int fd, const void *bytes, size_t len, struct err *err) {
    const char *at = bytes;

    while (len > 0) {
        ssize_t n = write(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return failed(err, "writing");
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool key_set_create(struct key_set *set, int dir_fd, uint64_t generation, struct err *err) {
    struct header h = {.generation = generation};

    memcpy(h.magic, magic, sizeof(h.magic));
    read_boot(h.boot);
    if (RAND_bytes((unsigned char *)h.key, sizeof(h.key)) != 1)
        return err_set(err, ERR_INTERNAL, "no random bytes");
    key_set_remove(dir_fd);
    set->fd = openat(dir_fd, FILE_NAME, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (set->fd < 0)
        return failed(err, "making a file for");
    memcpy(set->key, h.key, sizeof(set->key));
    return write_all(set->fd, &h, sizeof(h), err);
}

bool key_set_resume(struct key_set *set, int dir_fd, uint64_t generation, struct err *err) {
    struct header h = {.generation = 0};
    char boot[BOOT_SIZE];
    ssize_t n;

    set->fd = openat(dir_fd, FILE_NAME, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    if (set->fd < 0 && errno != ENOENT)
        return failed(err, "opening");
    n = set->fd >= 0 ? pread(set->fd, &h, sizeof(h), 0) : 0;
    if (n < 0)
        return failed(err, "reading");
    read_boot(boot);
    if (n != sizeof(h) || memcmp(h.magic, magic, sizeof(magic)) != 0 ||
        h.generation != generation || memcmp(h.boot, boot, sizeof(boot)) != 0)
        return err_set(err, ERR_SPOOL_CORRUPT,
                       "the spool does not know all keys of the snapshot that was being copied");
    memcpy(set->key, h.key, sizeof(set->key));
    return true;
}

static uint64_t hash_of(const struct key_set *set, int database, struct str key) {
    uint64_t own[2] = {set->key[0], set->key[1] ^ (uint64_t)database};

    return siphash(own, key);
}

bool key_set_add(struct key_set *set, int database, struct str key, struct err *err) {
    set->buffer[set->used++] = hash_of(set, database, key);
    return set->used < KEY_SET_BUFFERED || key_set_flush(set, err);
}

bool key_set_flush(struct key_set *set, struct err *err) {
    unsigned used = set->used;

    set->used = 0;
    return write_all(set->fd, set->buffer, used * sizeof(set->buffer[0]), err);
}

static void sort_few(uint64_t *v, uint64_t count) {
    for (uint64_t i = 1; i < count; i++) {
        uint64_t x = v[i], at = i;

        for (; at > 0 && v[at - 1] > x; at--)
            v[at] = v[at - 1];
        v[at] = x;
    }
}

/* In place, by the byte at `shift` and then by those below it: hashes spread evenly, so eight
 * levels are the most and the first two or three do the work. */
static void sort_by_byte(uint64_t *v, uint64_t count, int shift) {
    uint64_t from[256], end[256], sizes[256] = {0};
    uint64_t sum = 0;

    if (count < FEW) {
        sort_few(v, count);
        return;
    }
    for (uint64_t i = 0; i < count; i++)
        sizes[v[i] >> shift & 0xff]++;
    for (int b = 0; b < 256; b++) {
        from[b] = sum;
        sum += sizes[b];
        end[b] = sum;
    }
    for (unsigned b = 0; b < 256; b++) {
        while (from[b] < end[b]) {
            uint64_t x = v[from[b]];
            unsigned to = x >> shift & 0xff;

            if (to == b) {
                from[b]++;
                continue;
            }
            v[from[b]] = v[from[to]];
            v[from[to]++] = x;
        }
    }
    for (int b = 0; shift > 0 && b < 256; b++)
        sort_by_byte(v + end[b] - sizes[b], sizes[b], shift - 8);
}

/* The first `bytes` of the hashes into `to`. Written, not mapped: a disk that is full says so. */
static bool copy_hashes(struct key_set *set, uint64_t bytes, int to, struct err *err) {
    for (uint64_t at = 0; at < bytes;) {
        size_t most = bytes - at < sizeof(set->buffer) ? bytes - at : sizeof(set->buffer);
        ssize_t n = pread(set->fd, set->buffer, most, (off_t)(sizeof(struct header) + at));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return failed(err, "reading");
        if (!write_all(to, set->buffer, (size_t)n, err))
            return false;
        at += (uint64_t)n;
    }
    return true;
}

static bool map_copy(struct key_set *set, int dir_fd, uint64_t bytes, struct err *err) {
    void *map = MAP_FAILED;
    bool ok;
    int fd;

    unlinkat(dir_fd, SORTED_NAME, 0);
    fd = openat(dir_fd, SORTED_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(err, "making a second file for");
    unlinkat(dir_fd, SORTED_NAME, 0);
    ok = copy_hashes(set, bytes, fd, err);
    if (ok) {
        map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ok = map != MAP_FAILED || failed(err, "mapping");
    }
    close(fd);
    if (!ok)
        return false;
    set->sorted = map;
    set->count = bytes / sizeof(*set->sorted);
    return true;
}

bool key_set_sort(struct key_set *set, int dir_fd, struct err *err) {
    struct stat st;
    uint64_t bytes;

    if (!key_set_flush(set, err))
        return false;
    if (fstat(set->fd, &st) != 0)
        return failed(err, "looking at");
    bytes = (uint64_t)st.st_size - sizeof(struct header);
    if ((size_t)st.st_size < sizeof(struct header) || bytes % sizeof(*set->sorted) != 0)
        return err_set(err, ERR_SPOOL_CORRUPT, "the keys of the snapshot are not whole");
    if (bytes == 0)
        return true;
    if (!map_copy(set, dir_fd, bytes, err))
        return false;
    sort_by_byte(set->sorted, set->count, 56);
    return true;
}

bool key_set_has(const struct key_set *set, int database, struct str key) {
    uint64_t hash = hash_of(set, database, key);
    uint64_t low = 0, high = set->count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (set->sorted[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && set->sorted[low] == hash;
}
