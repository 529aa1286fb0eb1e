/* resp_draft.h - a command whose number of arguments is known only when the last one
 * has been written.
 *
 * Pure. Arguments are appended to a buf; ending the draft moves them a few bytes to
 * make room for the header before them.
 */
#pragma once

#include <stdint.h>

#include "proto/base/attrs.h"
#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/str.h"

struct resp_draft {
    struct buf *out;
    size_t start; /* of the first argument */
    uint64_t argc;
};

static inline struct resp_draft resp_draft_begin(struct buf *out) {
    return (struct resp_draft){.out = out, .start = out->len};
}

/* Append one argument. Errors: TOO_BIG, MEMORY; nothing was appended then. */
MUST_CHECK bool resp_draft_put(struct resp_draft *d, struct str argument, struct err *err);
MUST_CHECK bool resp_draft_put_u64(struct resp_draft *d, uint64_t argument, struct err *err);
#define resp_draft_put_literal(d, literal, err) resp_draft_put((d), STR_LIT(literal), (err))

/* Write the header. Errors: TOO_BIG, MEMORY; the command is not whole then. */
MUST_CHECK bool resp_draft_end(struct resp_draft *d, struct err *err);

/* As if it had never begun. */
static inline void resp_draft_drop(struct resp_draft *d) {
    d->out->len = d->start;
}
