/* arena.h - memory that is given back all at once.
 *
 * Pure but for malloc. One arena per unit of work (a request, a check run, a
 * batch); nothing that lives longer points into it. Sizes that reach it are
 * sizes we chose or sizes checked against a limit, so running out aborts.
 */
#pragma once

#include <stddef.h>

#include "proto/base/attrs.h"
#include "proto/base/str.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used_bytes;
};

#define ARENA_INIT ((struct arena){.blocks = NULL, .used_bytes = 0})

void arena_done(struct arena *a);

/* Zeroed, aligned for any type; never NULL. */
void *arena_alloc(struct arena *a, size_t size);

/* Copies with a NUL behind. */
char *arena_dup(struct arena *a, struct str s);
struct str arena_str(struct arena *a, struct str s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
