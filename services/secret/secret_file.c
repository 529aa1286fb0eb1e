#include "services/secret/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool cannot(const char *name, struct err *err) {
    return err_set(err, ERR_IO, "the secret file %.200s: %s", name, strerror(errno));
}

/* Each part by itself: openat() would follow a link in any but the last. */
static int walk(const char *dir, const char *name) {
    int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct str rest = str_from(name), part;

    while (at >= 0 && str_cut(&rest, '/', &part)) {
        char one[256];
        int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (rest.len > 0 ? O_DIRECTORY : O_NONBLOCK);
        int next;

        if (part.len == 0 || part.len >= sizeof(one)) {
            errno = ENOENT;
            next = -1;
        } else {
            memcpy(one, part.ptr, part.len);
            one[part.len] = '\0';
            next = openat(at, one, flags);
        }
        close(at);
        at = next;
    }
    return at;
}

bool secret_file_read(const char *dir, const char *name, struct secret *ret, struct err *err) {
    char bytes[SECRET_FILE_MAX + 1];
    struct str value;
    struct stat st;
    ssize_t n;
    int fd;

    if (!dir[0])
        return err_set(err, ERR_CONFIG, "KEYFERRY_SECRETS_DIR of this worker is not set");
    fd = walk(dir, name);
    if (fd < 0)
        return cannot(name, err);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(err, ERR_IO, "the secret file %.200s is no regular file", name);
    }
    n = read(fd, bytes, sizeof(bytes));
    if (n < 0)
        (void)cannot(name, err);
    close(fd);
    if (n < 0)
        return false;
    value = str_of(bytes, (size_t)n);
    while (value.len > 0 && (value.ptr[value.len - 1] == '\n' || value.ptr[value.len - 1] == '\r'))
        value.len--;
    if (n <= SECRET_FILE_MAX)
        secret_set(ret, value);
    explicit_bzero(bytes, sizeof(bytes));
    return n <= SECRET_FILE_MAX ||
           err_set(err, ERR_TOO_BIG, "the secret file %.200s holds more than %d bytes", name,
                   SECRET_FILE_MAX);
}
