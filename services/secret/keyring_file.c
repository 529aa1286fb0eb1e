#include "services/secret/keyring_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Is it another file, or the same with other contents? */
static bool is_new(struct keyring_file *file) {
    struct stat st;
    int64_t changed_ns;

    if (stat(file->path, &st) != 0)
        memset(&st, 0, sizeof(st));
    changed_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
    if (st.st_dev == file->seen.device && st.st_ino == file->seen.inode &&
        st.st_size == file->seen.size && changed_ns == file->seen.changed_ns)
        return false;
    file->seen.device = st.st_dev;
    file->seen.inode = st.st_ino;
    file->seen.size = st.st_size;
    file->seen.changed_ns = changed_ns;
    return true;
}

bool keyring_file_look(struct keyring_file *file, bool *ret_changed, struct err *err) {
    struct keyring fresh = KEYRING_INIT;
    struct err again = ERR_INIT;
    bool is_other;

    if (ret_changed)
        *ret_changed = false;
    if (!file->path)
        return true;
    is_other = is_new(file);
    if (!is_other && !file->is_unread)
        return true;
    file->is_unread = !keyring_open(&fresh, file->path, is_other ? err : &again);
    err_clear(&again);
    if (file->is_unread)
        return !is_other; /* the same once more was said already */
    if (ret_changed)
        *ret_changed = memcmp(&fresh, &file->ring, sizeof(fresh)) != 0;
    file->ring = fresh;
    keyring_done(&fresh);
    return true;
}

bool keyring_file_open(struct keyring_file *ret, const char *path, struct err *err) {
    *ret = KEYRING_FILE_INIT;
    if (!path[0])
        return true;
    ret->seen.size = -1; /* no file has it: one that is missing is new as well */
    ret->path = strdup(path);
    if (!ret->path)
        abort();
    if (keyring_file_look(ret, NULL, err))
        return true;
    keyring_file_done(ret);
    return false;
}

void keyring_file_done(struct keyring_file *file) {
    keyring_done(&file->ring);
    free(file->path);
    *file = KEYRING_FILE_INIT;
}
