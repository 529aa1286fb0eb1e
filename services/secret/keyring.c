#include "services/secret/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/hex.h"

enum { KEY_FILE_MAX = 8192, KEY_LEN = 32, LINE_LEN = 2 + 2 * KEY_LEN + 1 };

static bool parse_key(struct str hex, unsigned char key[KEY_LEN]) {
    return hex.len == (size_t)2 * KEY_LEN && hex_decode(hex, key);
}

/* No message quotes a line: it may be a key. */
static bool parse_line(struct keyring *ring, struct str line, int number, const char *path,
                       struct err *err) {
    struct str id;
    uint64_t key_id;

    line = str_trim(line);
    if (line.len == 0 || line.ptr[0] == '#')
        return true;
    if (ring->count == KEYRING_KEYS_MAX)
        return err_set(err, ERR_CONFIG, "%s holds more than %d keys", path, (int)KEYRING_KEYS_MAX);
    if (!str_cut(&line, ' ', &id) || !str_parse_u64(id, &key_id) || key_id > UINT32_MAX ||
        !parse_key(str_trim(line), ring->keys[ring->count].key))
        return err_set(err, ERR_CONFIG, "%s line %d is not a number and 64 hex digits", path,
                       number);
    for (int i = 0; i < ring->count; i++) {
        if (ring->keys[i].id == key_id)
            return err_set(err, ERR_CONFIG, "%s has the key number %u twice", path,
                           (unsigned)key_id);
    }
    ring->keys[ring->count++].id = (uint32_t)key_id;
    return true;
}

static bool read_file(int fd, const char *path, char *text, size_t *ret_len, struct err *err) {
    struct stat st;
    ssize_t len;

    if (fstat(fd, &st) != 0)
        return err_set(err, ERR_IO, "looking at %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_CONFIG, "%s is no regular file", path);
    if (st.st_mode & 077)
        return err_set(err, ERR_CONFIG, "%s may be read by others (mode %03o); chmod 600 it", path,
                       (unsigned)st.st_mode & 0777);
    len = read(fd, text, KEY_FILE_MAX);
    if (len < 0)
        return err_set(err, ERR_IO, "reading %s: %s", path, strerror(errno));
    if (len == KEY_FILE_MAX)
        return err_set(err, ERR_CONFIG, "%s is too large for a key file", path);
    *ret_len = (size_t)len;
    return true;
}

bool keyring_open(struct keyring *ret, const char *path, struct err *err) {
    struct keyring ring = KEYRING_INIT;
    char text[KEY_FILE_MAX];
    size_t len = 0;
    int number = 1;
    struct str rest, line;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok;

    if (fd < 0)
        return err_set(err, ERR_CONFIG, "cannot read the master key file %s: %s", path,
                       strerror(errno));
    ok = read_file(fd, path, text, &len, err);
    close(fd);
    for (rest = str_of(text, len); ok && str_cut(&rest, '\n', &line); number++)
        ok = parse_line(&ring, line, number, path, err);
    if (ok && ring.count == 0)
        ok = err_set(err, ERR_CONFIG, "%s holds no key", path);
    if (ok)
        *ret = ring;
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(&ring, sizeof(ring));
    return ok;
}

/* Written beside and linked into place: whoever finds the name finds the whole key,
 * and of two starters one wins. */
static bool write_key(const char *path, const char *temporary, const char *line, bool *ret_made,
                      struct err *err) {
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok;

    if (fd < 0)
        return err_set(err, ERR_IO, "making %s: %s", temporary, strerror(errno));
    ok = write(fd, line, LINE_LEN) == LINE_LEN && fsync(fd) == 0;
    close(fd);
    if (ok) {
        *ret_made = link(temporary, path) == 0;
        ok = *ret_made || errno == EEXIST;
    }
    if (!ok)
        err_set(err, ERR_IO, "writing %s: %s", path, strerror(errno));
    unlink(temporary);
    return ok;
}

static void sync_parent(const char *path) {
    const char *slash = strrchr(path, '/');
    char folder[1024];
    int fd;

    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

bool keyring_create(const char *path, bool *ret_made, struct err *err) {
    unsigned char key[KEY_LEN];
    char line[LINE_LEN + 1], temporary[1024];
    bool made = false, ok;

    if (access(path, F_OK) == 0) {
        *ret_made = false;
        return true;
    }
    if ((size_t)snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid()) >=
        sizeof(temporary))
        return err_set(err, ERR_CONFIG, "the path of the master key file is too long");
    if (RAND_bytes(key, sizeof(key)) != 1)
        return err_set(err, ERR_INTERNAL, "no random bytes for a key");
    snprintf(line, sizeof(line), "1 ");
    hex_encode(str_of(key, sizeof(key)), line + 2);
    line[LINE_LEN - 1] = '\n';
    unlink(temporary); /* of an earlier process with our pid that died in between */
    ok = write_key(path, temporary, line, &made, err);
    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(line, sizeof(line));
    if (ok) {
        sync_parent(path);
        *ret_made = made;
    }
    return ok;
}

void keyring_done(struct keyring *ring) {
    OPENSSL_cleanse(ring, sizeof(*ring));
}
