#include "proto/resp/resp_draft.h"

#include "proto/resp/resp_write.h"

bool resp_draft_put(struct resp_draft *d, struct str argument, struct err *err) {
    if (!resp_put_bulk(d->out, argument, err))
        return false;
    d->argc++;
    return true;
}

bool resp_draft_put_u64(struct resp_draft *d, uint64_t argument, struct err *err) {
    if (!resp_put_u64(d->out, argument, err))
        return false;
    d->argc++;
    return true;
}

bool resp_draft_end(struct resp_draft *d, struct err *err) {
    size_t head = resp_size_array(d->argc);

    if (!buf_reserve(d->out, head, err))
        return false;
    memmove(d->out->ptr + d->start + head, d->out->ptr + d->start, d->out->len - d->start);
    resp_write_array(d->out->ptr + d->start, d->argc);
    d->out->len += head;
    return true;
}
