#include "proto/base/siphash.h"

struct state {
    uint64_t a, b, c, d;
};

static uint64_t turn(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

static void stir(struct state *s, int rounds) {
    while (rounds-- > 0) {
        s->a += s->b;
        s->b = turn(s->b, 13) ^ s->a;
        s->a = turn(s->a, 32);
        s->c += s->d;
        s->d = turn(s->d, 16) ^ s->c;
        s->a += s->d;
        s->d = turn(s->d, 21) ^ s->a;
        s->c += s->b;
        s->b = turn(s->b, 17) ^ s->c;
        s->c = turn(s->c, 32);
    }
}

/* Up to eight bytes, the first is the lowest. */
static uint64_t word(const unsigned char *bytes, size_t len) {
    uint64_t w = 0;

    for (size_t i = 0; i < len; i++)
        w |= (uint64_t)bytes[i] << (8 * i);
    return w;
}

static void take(struct state *s, uint64_t w) {
    s->d ^= w;
    stir(s, 2);
    s->a ^= w;
}

uint64_t siphash(const uint64_t key[2], struct str bytes) {
    struct state s = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                      key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    size_t left = bytes.len;

    for (; left >= 8; at += 8, left -= 8)
        take(&s, word(at, 8));
    take(&s, (uint64_t)(bytes.len & 0xff) << 56 | word(at, left));
    s.c ^= 0xff;
    stir(&s, 4);
    return s.a ^ s.b ^ s.c ^ s.d;
}
