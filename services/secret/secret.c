#include "services/secret/secret.h"

#include <stdlib.h>
#include <string.h>

void secret_set(struct secret *s, struct str value) {
    char *copy = NULL;

    if (value.len > 0) {
        copy = malloc(value.len + 1);
        if (!copy)
            abort();
        memcpy(copy, value.ptr, value.len);
        copy[value.len] = '\0';
    }
    secret_done(s); /* after the copy: `value` may be a part of `s` */
    s->ptr = copy;
    s->len = value.len;
}

void secret_done(struct secret *s) {
    if (s->ptr) {
        explicit_bzero(s->ptr, s->len);
        free(s->ptr);
    }
    *s = SECRET_INIT;
}
