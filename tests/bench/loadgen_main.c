/* loadgen - traffic for the benchmark: SETs at a rate, and how long one write takes.
 *
 *   loadgen set PORT KEYS SIZE RATE SECONDS   SET key:<random of KEYS> with SIZE bytes, RATE a
 * second (0: as fast as the server takes them) loadgen fill PORT KEYS SIZE               SET every
 * key once loadgen probe PORT PORT COUNT GAP_US      write to the first, wait until the second
 * shows it
 *
 * Everything on 127.0.0.1, one connection per server; one line of JSON on standard output.
 * redis-benchmark 7.0 cannot pace itself.
 *
 * A probe does not poll the second server: CLIENT TRACKING in broadcast mode has it push the
 * names of changed keys, on a replica too.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    KEY_DIGITS = 12,
    SIZE_MAX_BYTES = 4096,
    BATCH = 100,         /* commands of one write */
    OUTSTANDING = 10000, /* commands that wait for their reply */
    REPLY = 5,           /* "+OK\r\n" */
};

static void die(const char *what) {
    fprintf(stderr, "loadgen: %s: %s\n", what, errno ? strerror(errno) : "unexpected");
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t number(const char *text) {
    char *end;
    uint64_t n = strtoull(text, &end, 10);

    if (*text == '\0' || *end != '\0') {
        errno = EINVAL;
        die(text);
    }
    return n;
}

static int dial(const char *port) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)number(port)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static void send_all(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

        if (sent <= 0)
            die("send");
        bytes += sent;
        len -= (size_t)sent;
    }
}

static uint64_t random_next(uint64_t *state) { /* xorshift64 */
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* One SET with room for its key's digits; all commands have its length. */
struct form {
    char bytes[SIZE_MAX_BYTES + 128];
    size_t len, digits_at;
};

static void form_init(struct form *f, size_t size, uint64_t *seed) {
    int head = snprintf(f->bytes, sizeof(f->bytes), "*3\r\n$3\r\nSET\r\n$16\r\nkey:");

    f->digits_at = (size_t)head;
    head +=
        snprintf(f->bytes + head, sizeof(f->bytes) - (size_t)head, "%012d\r\n$%zu\r\n", 0, size);
    f->len = (size_t)head;
    for (size_t i = 0; i < size; i++)
        f->bytes[f->len++] = (char)('!' + random_next(seed) % 90);
    memcpy(f->bytes + f->len, "\r\n", 2);
    f->len += 2;
}

static void put_key(char *digits, uint64_t key) {
    for (int i = KEY_DIGITS - 1; i >= 0; i--, key /= 10)
        digits[i] = (char)('0' + key % 10);
}

/* Take the replies that are there; wait_us is how long for the first. */
static uint64_t take_replies(int fd, long wait_us, size_t *part) {
    static char in[1 << 16];
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    struct timespec wait = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
    ssize_t got;

    if (ppoll(&pfd, 1, &wait, NULL) <= 0)
        return 0;
    got = recv(fd, in, sizeof(in), 0);
    if (got <= 0)
        die("the server closed the connection");
    if (memchr(in, '-', (size_t)got)) {
        fprintf(stderr, "loadgen: the server refuses: %.80s\n", in);
        exit(1);
    }
    *part += (size_t)got;
    got = (ssize_t)(*part / REPLY);
    *part %= REPLY;
    return (uint64_t)got;
}

static void run_set(const char *port, uint64_t keys, size_t size, uint64_t rate, double seconds,
                    bool in_order) {
    static char batch[BATCH * (SIZE_MAX_BYTES + 128)];
    uint64_t seed = 88172645463325252u, sent = 0, done = 0, began, elapsed = 0;
    uint64_t limit = in_order ? keys : UINT64_MAX, duration = (uint64_t)(seconds * 1e9);
    struct form form;
    size_t part = 0;
    int fd = dial(port);

    form_init(&form, size, &seed);
    for (int i = 0; i < BATCH; i++)
        memcpy(batch + (size_t)i * form.len, form.bytes, form.len);
    began = now_ns();
    while (sent < limit && (in_order || (elapsed = now_ns() - began) < duration)) {
        uint64_t due = rate ? (uint64_t)((double)elapsed * (double)rate / 1e9) : UINT64_MAX;
        uint64_t count = due > sent ? due - sent : 0;

        if (count > limit - sent)
            count = limit - sent;
        if (count > BATCH)
            count = BATCH;
        if (sent - done + count > OUTSTANDING) {
            done += take_replies(fd, 100000, &part);
            continue;
        }
        for (uint64_t i = 0; i < count; i++)
            put_key(batch + i * form.len + form.digits_at,
                    in_order ? sent + i : random_next(&seed) % keys);
        send_all(fd, batch, count * form.len);
        sent += count;
        /* Behind the rate: look only. Ahead of it: sleep a little, or a core is gone. */
        done += take_replies(fd, count == BATCH ? 0 : 200, &part);
    }
    while (done < sent)
        done += take_replies(fd, 1000000, &part);
    elapsed = now_ns() - began;
    printf("{\"sent\": %" PRIu64 ", \"seconds\": %.4f, \"rate\": %.0f}\n", sent,
           (double)elapsed / 1e9, (double)sent * 1e9 / (double)elapsed);
    close(fd);
}

static int compare_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Read until `word` has been seen. False after a second without it. */
static bool await(int fd, const char *word) {
    static char in[1 << 16];
    size_t len = 0;

    for (;;) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        ssize_t got;

        if (poll(&pfd, 1, 1000) <= 0)
            return false;
        got = recv(fd, in + len, sizeof(in) - len, 0);
        if (got <= 0)
            die("the server closed the connection");
        len += (size_t)got;
        if (memmem(in, len, word, strlen(word)))
            return true;
        if (len > sizeof(in) / 2) { /* keep what may be the beginning of it */
            memmove(in, in + len - 256, 256);
            len = 256;
        }
    }
}

static void run_probe(const char *to, const char *from, uint64_t count, uint64_t gap_us) {
    const char *hello = "HELLO 3\r\nCLIENT TRACKING ON BCAST PREFIX probe:\r\nPING\r\n";
    int writer = dial(to), reader = dial(from);
    uint64_t *took = calloc(count, sizeof(*took)), lost = 0, n = 0;

    if (!took)
        die("memory");
    send_all(reader, hello, strlen(hello));
    if (!await(reader, "+PONG"))
        die("CLIENT TRACKING");
    for (uint64_t i = 0; i < count; i++) {
        struct timespec gap = {.tv_sec = (time_t)(gap_us / 1000000),
                               .tv_nsec = (long)(gap_us % 1000000) * 1000};
        char key[48], command[160], sink[4096];
        uint64_t began;
        int len;

        nanosleep(&gap, NULL);
        snprintf(key, sizeof(key), "probe:%06u:%012" PRIu64, (unsigned)getpid() % 1000000u, i);
        len = snprintf(command, sizeof(command), "SET %s %" PRIu64 " PX 60000\r\n", key, i);
        began = now_ns();
        send_all(writer, command, (size_t)len);
        if (await(reader, key))
            took[n++] = (now_ns() - began) / 1000;
        else
            lost++;
        (void)recv(writer, sink, sizeof(sink), MSG_DONTWAIT);
    }
    qsort(took, n, sizeof(*took), compare_u64);
    printf("{\"count\": %" PRIu64 ", \"lost\": %" PRIu64, n, lost);
    if (n > 0)
        printf(", \"p50_us\": %" PRIu64 ", \"p99_us\": %" PRIu64 ", \"max_us\": %" PRIu64,
               took[n / 2], took[n * 99 / 100], took[n - 1]);
    printf("}\n");
    free(took);
    close(writer);
    close(reader);
}

int main(int argc, char **argv) {
    if (argc == 7 && strcmp(argv[1], "set") == 0 && number(argv[4]) <= SIZE_MAX_BYTES)
        run_set(argv[2], number(argv[3]), number(argv[4]), number(argv[5]), atof(argv[6]), false);
    else if (argc == 5 && strcmp(argv[1], "fill") == 0 && number(argv[4]) <= SIZE_MAX_BYTES)
        run_set(argv[2], number(argv[3]), number(argv[4]), 0, 0, true);
    else if (argc == 6 && strcmp(argv[1], "probe") == 0)
        run_probe(argv[2], argv[3], number(argv[4]), number(argv[5]));
    else {
        fputs("usage: loadgen set PORT KEYS SIZE RATE SECONDS | fill PORT KEYS SIZE |"
              " probe PORT PORT COUNT GAP_US\n",
              stderr);
        return 2;
    }
    return 0;
}
