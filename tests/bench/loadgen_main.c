/* loadgen - traffic for the benchmark: writes at a rate, and how long one takes.
 *
 *   loadgen set PORT KEYS SIZE RATE SECONDS   SET key:<random of KEYS> with SIZE bytes,
 *                                             RATE a second (0: as many as the server takes)
 *   loadgen mixed PORT KEYS RATE SECONDS      the same with nine kinds of writes in turn, two
 *                                             of them in a transaction
 *   loadgen fill PORT KEYS SIZE               SET every key once
 *   loadgen probe PORT PORT COUNT GAP_US      write to the first, wait until the second shows it
 *   loadgen wakes PORT COUNT SECONDS          COUNT processes that each sleep a second, send a PING
 *                                             and wait for its answer, again and again: what
 *                                             waking so often costs here without doing anything
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    KEY_DIGITS = 12,
    SIZE_MAX_BYTES = 4096,
    BATCH = 99,          /* commands of one write; a multiple of what a form holds */
    OUTSTANDING = 10000, /* commands that wait for their reply */
    FORM_KEYS = 16,
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

/* Commands with room for their keys' digits; every copy of it has the same length. */
struct form {
    char bytes[SIZE_MAX_BYTES + 1024];
    size_t len, digits_at[FORM_KEYS], keys;
    unsigned commands; /* data commands: MULTI and EXEC are none */
    unsigned lines;    /* of all their replies */
};

/* "@kind" becomes a key of that kind; words are separated by blanks. */
static void form_add(struct form *f, const char *words, unsigned commands, unsigned lines) {
    const char *at = words;
    unsigned count = 1;
    char *to = f->bytes + f->len, *end = f->bytes + sizeof(f->bytes);

    for (const char *c = words; *c; c++)
        count += *c == ' ';
    to += snprintf(to, (size_t)(end - to), "*%u\r\n", count);
    while (count-- > 0) {
        int len = (int)strcspn(at, " ");

        if (*at == '@') {
            to +=
                snprintf(to, (size_t)(end - to), "$%d\r\n%.*s:", len + KEY_DIGITS, len - 1, at + 1);
            f->digits_at[f->keys++] = (size_t)(to - f->bytes);
            to += snprintf(to, (size_t)(end - to), "%0*d\r\n", KEY_DIGITS, 0);
        } else {
            to += snprintf(to, (size_t)(end - to), "$%d\r\n%.*s\r\n", len, len, at);
        }
        at += len + 1;
    }
    f->len = (size_t)(to - f->bytes);
    f->commands += commands;
    f->lines += lines;
}

static void form_set(struct form *f, size_t size, uint64_t *seed) {
    static char words[SIZE_MAX_BYTES + 16] = "SET @key ";
    size_t at = strlen(words);

    for (size_t i = 0; i < size; i++)
        words[at + i] = i == 0 ? 'v' : (char)('!' + random_next(seed) % 90);
    memset(f, 0, sizeof(*f));
    form_add(f, words, 1, 1);
}

static void form_mixed(struct form *f) {
    memset(f, 0, sizeof(*f));
    form_add(f, "SET @key 0123456789abcdef", 1, 1);
    form_add(f, "INCR @counter", 1, 1);
    form_add(f, "HSET @hash field-1 value-1 field-2 value-2", 1, 1);
    form_add(f, "RPUSH @list an-element", 1, 1);
    form_add(f, "ZADD @zset 17 a-member", 1, 1);
    form_add(f, "XADD @stream * field value", 1, 2);
    form_add(f, "EXPIRE @key 3600", 1, 1);
    form_add(f, "MULTI", 0, 1);
    form_add(f, "SET @key fedcba9876543210", 1, 1);
    form_add(f, "INCR @counter", 1, 1);
    form_add(f, "EXEC", 0, 3);
}

static void put_key(char *digits, uint64_t key) {
    for (int i = KEY_DIGITS - 1; i >= 0; i--, key /= 10)
        digits[i] = (char)('0' + key % 10);
}

/* Count the lines of the replies that are there; wait_us is how long for the first. */
static uint64_t take_replies(int fd, long wait_us) {
    static char in[1 << 16];
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    struct timespec wait = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
    uint64_t lines = 0;
    ssize_t got;

    if (ppoll(&pfd, 1, &wait, NULL) <= 0)
        return 0;
    got = recv(fd, in, sizeof(in), 0);
    if (got <= 0)
        die("the server closed the connection");
    if (in[0] == '-' || memmem(in, (size_t)got, "\n-", 2)) {
        fprintf(stderr, "loadgen: the server refuses: %.80s\n", in);
        exit(1);
    }
    for (ssize_t i = 0; i < got; i++)
        lines += in[i] == '\n';
    return lines;
}

/* Send copies of a form to keys below `keys` for so long, or every key once in order. */
static void run_writes(const char *port, const struct form *form, uint64_t keys, uint64_t rate,
                       double seconds, bool in_order) {
    static char batch[BATCH * sizeof(form->bytes)];
    uint64_t seed = 88172645463325252u, sent = 0, lines = 0, began, elapsed = 0;
    uint64_t limit = in_order ? keys : UINT64_MAX, duration = (uint64_t)(seconds * 1e9);
    uint64_t batch_max = BATCH / form->commands; /* everything here counts forms, not commands */
    int fd = dial(port);

    for (uint64_t i = 0; i < batch_max; i++)
        memcpy(batch + i * form->len, form->bytes, form->len);
    began = now_ns();
    while (sent < limit && (in_order || (elapsed = now_ns() - began) < duration)) {
        uint64_t due =
            rate ? (uint64_t)((double)elapsed * (double)rate / 1e9) / form->commands : UINT64_MAX;
        uint64_t count = due > sent ? due - sent : 0;

        if (count > limit - sent)
            count = limit - sent;
        if (count > batch_max)
            count = batch_max;
        if ((sent + count - lines / form->lines) * form->commands > OUTSTANDING) {
            lines += take_replies(fd, 100000);
            continue;
        }
        for (uint64_t i = 0; i < count; i++)
            for (size_t k = 0; k < form->keys; k++)
                put_key(batch + i * form->len + form->digits_at[k],
                        in_order ? sent + i : random_next(&seed) % keys);
        send_all(fd, batch, count * form->len);
        sent += count;
        /* Behind the rate: look only. Ahead of it: sleep a little, or a core is gone. */
        lines += take_replies(fd, count == batch_max ? 0 : 200);
    }
    while (lines < sent * form->lines)
        lines += take_replies(fd, 1000000);
    elapsed = now_ns() - began;
    sent *= form->commands;
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

static void wake_each_second(const char *port, uint64_t seconds) {
    static const struct timespec second = {.tv_sec = 1};
    int fd = dial(port);
    char answer[64];

    for (uint64_t i = 0; i < seconds; i++) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};

        nanosleep(&second, NULL);
        send_all(fd, "PING\r\n", 6);
        if (poll(&pfd, 1, 10000) <= 0 || recv(fd, answer, sizeof(answer), 0) <= 0)
            die("PING");
    }
}

static void run_wakes(const char *port, uint64_t count, uint64_t seconds) {
    struct rusage used;
    int status;

    for (uint64_t i = 0; i < count; i++) {
        static const struct timespec gap = {.tv_nsec = 1000000};
        pid_t pid = fork();

        if (pid < 0)
            die("fork");
        if (pid == 0) {
            wake_each_second(port, seconds);
            _exit(0);
        }
        nanosleep(&gap, NULL); /* they do not all wake at once */
    }
    for (uint64_t i = 0; i < count; i++) {
        if (wait(&status) < 0 || status != 0)
            die("a process that wakes");
    }
    if (getrusage(RUSAGE_CHILDREN, &used) != 0)
        die("getrusage");
    printf("{\"count\": %" PRIu64 ", \"switches\": %ld, \"cpu_percent\": %.2f}\n", count,
           used.ru_nvcsw,
           ((double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 100 +
            (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e4) /
               (double)seconds);
}

int main(int argc, char **argv) {
    uint64_t seed = 2463534242u;
    struct form form;

    if (argc == 7 && strcmp(argv[1], "set") == 0 && number(argv[4]) <= SIZE_MAX_BYTES) {
        form_set(&form, number(argv[4]), &seed);
        run_writes(argv[2], &form, number(argv[3]), number(argv[5]), atof(argv[6]), false);
    } else if (argc == 6 && strcmp(argv[1], "mixed") == 0) {
        form_mixed(&form);
        run_writes(argv[2], &form, number(argv[3]), number(argv[4]), atof(argv[5]), false);
    } else if (argc == 5 && strcmp(argv[1], "fill") == 0 && number(argv[4]) <= SIZE_MAX_BYTES) {
        form_set(&form, number(argv[4]), &seed);
        run_writes(argv[2], &form, number(argv[3]), 0, 0, true);
    } else if (argc == 6 && strcmp(argv[1], "probe") == 0) {
        run_probe(argv[2], argv[3], number(argv[4]), number(argv[5]));
    } else if (argc == 5 && strcmp(argv[1], "wakes") == 0) {
        run_wakes(argv[2], number(argv[3]), number(argv[4]));
    } else {
        fputs("usage: loadgen set PORT KEYS SIZE RATE SECONDS | mixed PORT KEYS RATE SECONDS |"
              " fill PORT KEYS SIZE | probe PORT PORT COUNT GAP_US | wakes PORT COUNT SECONDS\n",
              stderr);
        return 2;
    }
    return 0;
}
