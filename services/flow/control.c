#include "services/flow/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool control_new(struct control_block **ret_block, int *ret_fd, struct err *err) {
    /* Sealed at its size: nobody who holds the descriptor can make our mapping fault. */
    int fd = memfd_create("keyferry-control", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return err_set(err, ERR_IO, "memfd_create: %s", strerror(errno));
    if (ftruncate(fd, (off_t)sizeof(struct control_block)) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        err_set(err, ERR_IO, "sizing the control block: %s", strerror(errno));
        close(fd);
        return false;
    }
    if (!control_map(fd, ret_block, err)) {
        close(fd);
        return false;
    }
    *ret_fd = fd;
    return true;
}

bool control_map(int fd, struct control_block **ret_block, struct err *err) {
    struct stat st;
    void *at;

    if (fstat(fd, &st) != 0)
        return err_set(err, ERR_IO, "descriptor %d is no control block: %s", fd, strerror(errno));
    if (st.st_size < (off_t)sizeof(struct control_block))
        return err_set(err, ERR_IO, "descriptor %d is no control block: it has %lld bytes", fd,
                       (long long)st.st_size);
    at = mmap(NULL, sizeof(struct control_block), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return err_set(err, ERR_IO, "mapping the control block: %s", strerror(errno));
    *ret_block = at;
    return true;
}

void control_unmap(struct control_block *block) {
    if (block)
        munmap(block, sizeof(*block));
}

bool control_bell_new(int *ret_bell, struct err *err) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0)
        return err_set(err, ERR_IO, "eventfd: %s", strerror(errno));
    *ret_bell = fd;
    return true;
}

void control_bell_ring(int bell, _Atomic uint32_t *sleeps) {
    /* Pairs with the fence of control_bell_arm(): either we see the flag, or the
     * sleeper's second look sees the number. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(sleeps, memory_order_relaxed) == 0)
        return;
    if (atomic_exchange_explicit(sleeps, 0, memory_order_relaxed) != 0) {
        /* It can fail only when the counter is full: then it is rung already. */
        if (eventfd_write(bell, 1) != 0)
            return;
    }
}

void control_bell_arm(_Atomic uint32_t *sleeps) {
    atomic_store_explicit(sleeps, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
}

void control_bell_clear(int bell, _Atomic uint32_t *sleeps) {
    eventfd_t rung;

    /* Still set: nobody rang, so the bell is silent and needs no system call. */
    if (atomic_exchange_explicit(sleeps, 0, memory_order_relaxed) != 0)
        return;
    if (eventfd_read(bell, &rung) != 0)
        return; /* the ringer has taken the flag and not yet rung: a spurious wake later */
}

void control_bell_wait(int bell, _Atomic uint32_t *sleeps, int timeout_ms) {
    struct pollfd waiting = {.fd = bell, .events = POLLIN};

    if (poll(&waiting, 1, timeout_ms) < 0 && errno != EINTR)
        usleep(1000); /* out of kernel memory: do not spin */
    control_bell_clear(bell, sleeps);
}
