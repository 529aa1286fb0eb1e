#include "services/worker/worker_guard.h"

#include <stdlib.h>

#include "services/net/egress.h"

void worker_guard_database(const struct store *store) {
    char address[80];

    store_address(store, address);
    (void)setenv(EGRESS_OWN_NAME, address, 1);
}
