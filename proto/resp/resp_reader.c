#include "proto/resp/resp_reader.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#if HIREDIS_MAJOR >= 1
typedef size_t announced_count;
#else
typedef int announced_count;
#endif

enum { FIRST_ITEMS = 4 }; /* room an array starts with; a power of two */

struct resp_reader {
    redisReader *hiredis;
    struct resp_reader_limits limits;
    struct arena *arena; /* of the reply being read */
    size_t used_bytes;   /* of it in the arena */
    const char *over;    /* the limit that was hit */
};

static void *take(struct resp_reader *reader, size_t size) {
    if (size > reader->limits.bytes_max - reader->used_bytes) {
        reader->over = "bytes_max";
        return NULL;
    }
    reader->used_bytes += size;
    return arena_alloc(reader->arena, size);
}

/* Room for the item `idx` of `array`. Grows by doubling as items arrive, so what a
 * peer announces costs nothing. The item before is complete by now: nothing but
 * its parent's items points at it, so it may move. */
static bool make_room(struct resp_reader *reader, struct resp_value *array, size_t idx) {
    struct resp_value *grown;
    size_t room;

    if (idx != 0 && (idx < FIRST_ITEMS || (idx & (idx - 1)) != 0))
        return true;
    room = idx == 0 ? FIRST_ITEMS : idx * 2;
    grown = take(reader, room * sizeof(*grown));
    if (!grown)
        return false;
    if (idx)
        memcpy(grown, array->items, idx * sizeof(*grown));
    array->items = grown;
    return true;
}

/* A place for the value a task is about: in its array, or on its own. */
static struct resp_value *place(const redisReadTask *task, enum resp_type type) {
    struct resp_reader *reader = task->privdata;
    struct resp_value *value;

    if (task->parent) {
        struct resp_value *array = task->parent->obj;

        if (!make_room(reader, array, (size_t)task->idx))
            return NULL;
        value = &array->items[task->idx];
        array->count = (size_t)task->idx + 1;
    } else {
        value = take(reader, sizeof(*value));
        if (!value)
            return NULL;
    }
    value->type = type;
    value->str = STR_EMPTY;
    return value;
}

static void *create_string(const redisReadTask *task, char *bytes, size_t len) {
    enum resp_type type = task->type == REDIS_REPLY_ERROR    ? RESP_ERROR
                          : task->type == REDIS_REPLY_STATUS ? RESP_SIMPLE
                                                             : RESP_BULK;
    struct resp_value *value = place(task, type);
    char *copy = value ? take(task->privdata, len + 1) : NULL;

    if (!copy)
        return NULL;
    memcpy(copy, bytes, len);
    value->str = str_of(copy, len);
    return value;
}

static void *create_array(const redisReadTask *task, announced_count announced) {
    struct resp_reader *reader = task->privdata;

    if (announced > 0 && (size_t)announced > reader->limits.array_max) {
        reader->over = "array_max";
        return NULL;
    }
    return place(task, RESP_ARRAY);
}

static void *create_integer(const redisReadTask *task, long long integer) {
    struct resp_value *value = place(task, RESP_INTEGER);

    if (value)
        value->integer = integer;
    return value;
}

static void *create_nil(const redisReadTask *task) {
    return place(task, RESP_NIL);
}

static void free_object(void *object) {
    (void)object; /* the arena's */
}

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
};

struct resp_reader *resp_reader_new(struct resp_reader_limits limits) {
    struct resp_reader *reader = calloc(1, sizeof(*reader));

    if (!reader)
        return NULL;
    reader->limits = limits;
    reader->hiredis = redisReaderCreateWithFunctions(&functions);
    if (!reader->hiredis) {
        free(reader);
        return NULL;
    }
    reader->hiredis->privdata = reader;
    return reader;
}

void resp_reader_free(struct resp_reader *reader) {
    if (!reader)
        return;
    redisReaderFree(reader->hiredis);
    free(reader);
}

bool resp_reader_feed(struct resp_reader *reader, struct str in, struct err *err) {
    size_t waiting = reader->hiredis->len - reader->hiredis->pos;

    if (in.len > reader->limits.bytes_max || waiting > reader->limits.bytes_max - in.len)
        return err_set(err, ERR_TOO_BIG, "a reply exceeds bytes_max, %zu bytes",
                       reader->limits.bytes_max);
    if (in.len > 0 && redisReaderFeed(reader->hiredis, in.ptr, in.len) != REDIS_OK)
        return err_set(err, ERR_MEMORY, "no memory for %zu bytes of a reply", in.len);
    return true;
}

enum resp_status resp_reader_next(struct resp_reader *reader, struct arena *arena,
                                  const struct resp_value **ret_value, struct err *err) {
    void *value = NULL;

    reader->arena = arena;
    if (redisReaderGetReply(reader->hiredis, &value) != REDIS_OK) {
        if (reader->over)
            (void)err_set(err, ERR_TOO_BIG, "a reply exceeds %s", reader->over);
        else
            (void)err_set(err, ERR_PROTOCOL, "a reply cannot be read: %s", reader->hiredis->errstr);
        return RESP_WRONG;
    }
    if (!value)
        return RESP_NEED_MORE;
    reader->used_bytes = 0;
    *ret_value = value;
    return RESP_GOT;
}

bool resp_value_is(const struct resp_value *value, const char *word) {
    return value && (value->type == RESP_SIMPLE || value->type == RESP_BULK) &&
           str_equal(value->str, str_from(word));
}
