/* spec_memo.h - templates of specifications that were made before, for lists.
 *
 * Found by the SHA-256 of the specification and of whose it is, so what is found is what would be
 * made of it now, whatever happened to jobs and databases since. Of limited size: those that were
 * not asked for the longest go first. For any number of threads.
 */
#pragma once

#include <stddef.h>

#include "web-api/job_template.h"

struct spec_memo;

enum { SPEC_MEMO_SUM_SIZE = 65 };

/* `max_bytes` is what the templates may take, with what holds them. */
struct spec_memo *spec_memo_new(size_t max_bytes);

/* NULL is fine. Nothing of it may be held any more. */
void spec_memo_free(struct spec_memo *m);

/* What is held stays as it is until it is given back, also when it has gone from the memo. */
struct spec_held {
    struct job_template template;
    struct spec_held *newer, *older, *next; /* the memo's */
    size_t bytes;
    unsigned holders;
    char sum[SPEC_MEMO_SUM_SIZE];
};

/* NULL when it is not known. */
const struct spec_held *spec_memo_find(struct spec_memo *m, const char *sum);

/* Make it of the specification's text and keep it; another thread may have done so meanwhile. */
const struct spec_held *spec_memo_make(struct spec_memo *m, const char *sum, struct str spec);

/* NULL is fine. */
void spec_memo_give(struct spec_memo *m, const struct spec_held *held);
