#include "web-api/spec_memo.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { CHAINS = 1 << 14 };

struct spec_memo {
    pthread_mutex_t lock;
    struct spec_held *newest, *oldest;
    struct spec_held *chains[CHAINS];
    size_t bytes, max_bytes;
};

struct spec_memo *spec_memo_new(size_t max_bytes) {
    struct spec_memo *m = calloc(1, sizeof(*m));

    if (!m || pthread_mutex_init(&m->lock, NULL) != 0)
        abort();
    m->max_bytes = max_bytes;
    return m;
}

/* ---- under the lock ---- */

/* Of a digest any bytes will do. */
static struct spec_held **chain_of(struct spec_memo *m, const char *sum) {
    size_t at = 0;

    for (int i = 0; i < 4 && sum[i]; i++)
        at = at << 4 | (unsigned)(str_hex_digit(sum[i]) & 0xf);
    return &m->chains[at % CHAINS];
}

static struct spec_held *look_up(struct spec_memo *m, const char *sum) {
    struct spec_held *h = *chain_of(m, sum);

    while (h && strcmp(h->sum, sum) != 0)
        h = h->next;
    return h;
}

static void unlink_age(struct spec_memo *m, struct spec_held *h) {
    *(h->newer ? &h->newer->older : &m->newest) = h->older;
    *(h->older ? &h->older->newer : &m->oldest) = h->newer;
    h->newer = h->older = NULL;
}

static void link_newest(struct spec_memo *m, struct spec_held *h) {
    h->older = m->newest;
    *(m->newest ? &m->newest->newer : &m->oldest) = h;
    m->newest = h;
}

static void give(struct spec_held *h) {
    if (--h->holders > 0)
        return;
    job_template_done(&h->template);
    free(h);
}

static void forget(struct spec_memo *m, struct spec_held *h) {
    struct spec_held **at = chain_of(m, h->sum);

    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
    unlink_age(m, h);
    m->bytes -= h->bytes;
    give(h);
}

static void keep(struct spec_memo *m, struct spec_held *h) {
    struct spec_held **chain = chain_of(m, h->sum);

    h->holders++;
    h->next = *chain;
    *chain = h;
    link_newest(m, h);
    m->bytes += h->bytes;
    while (m->bytes > m->max_bytes && m->oldest)
        forget(m, m->oldest);
}

/* ---- for everybody ---- */

void spec_memo_free(struct spec_memo *m) {
    if (!m)
        return;
    while (m->oldest)
        forget(m, m->oldest);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

const struct spec_held *spec_memo_find(struct spec_memo *m, const char *sum) {
    struct spec_held *h;

    pthread_mutex_lock(&m->lock);
    h = look_up(m, sum);
    if (h) {
        h->holders++;
        unlink_age(m, h);
        link_newest(m, h);
    }
    pthread_mutex_unlock(&m->lock);
    return h;
}

const struct spec_held *spec_memo_make(struct spec_memo *m, const char *sum, struct str spec) {
    struct spec_held *h = calloc(1, sizeof(*h));

    if (!h || strlen(sum) >= sizeof(h->sum))
        abort(); /* the store's sums are as long as they are */
    memcpy(h->sum, sum, strlen(sum));
    h->template = JOB_TEMPLATE_INIT;
    job_template_make(&h->template, spec);
    job_template_trim(&h->template);
    h->bytes = sizeof(*h) + h->template.text.cap;
    h->holders = 1;
    pthread_mutex_lock(&m->lock);
    if (!look_up(m, sum))
        keep(m, h);
    pthread_mutex_unlock(&m->lock);
    return h;
}

void spec_memo_give(struct spec_memo *m, const struct spec_held *held) {
    if (!held)
        return;
    pthread_mutex_lock(&m->lock);
    give((struct spec_held *)(uintptr_t)held);
    pthread_mutex_unlock(&m->lock);
}
