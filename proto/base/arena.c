#include "proto/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_BLOCK_BYTES = 8192 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(16) char data[];
};

void arena_done(struct arena *a) {
    while (a->blocks) {
        struct arena_block *block = a->blocks;

        a->blocks = block->next;
        free(block);
    }
    a->used_bytes = 0;
}

void *arena_alloc(struct arena *a, size_t size) {
    size_t rounded = (size + 15) & ~(size_t)15;
    struct arena_block *block = a->blocks;

    if (!block || block->size - block->used < rounded) {
        size_t room = rounded > ARENA_BLOCK_BYTES ? rounded : ARENA_BLOCK_BYTES;

        block = malloc(sizeof(*block) + room);
        if (!block)
            abort();
        block->next = a->blocks;
        block->used = 0;
        block->size = room;
        a->blocks = block;
    }
    a->used_bytes += rounded;
    block->used += rounded;
    return memset(block->data + block->used - rounded, 0, rounded);
}

char *arena_dup(struct arena *a, struct str s) {
    char *copy = arena_alloc(a, s.len + 1);

    if (s.len)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

struct str arena_str(struct arena *a, struct str s) {
    return str_of(arena_dup(a, s), s.len);
}

char *arena_printf(struct arena *a, const char *fmt, ...) {
    va_list args;
    char *text;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    text = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)(n < 0 ? 0 : n) + 1, fmt, args);
    va_end(args);
    return text;
}
