#include "services/flow/unit.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEEP_BYTES = 4 * 1024 * 1024 };

void unit_init(struct unit *u, size_t own_max) {
    *u = (struct unit){.own = BUF_INIT(own_max)};
}

void unit_done(struct unit *u) {
    buf_done(&u->own);
    free(u->pieces);
    u->pieces = NULL;
    u->piece_count = u->piece_cap = 0;
}

void unit_clear(struct unit *u, int database) {
    if (u->own.cap > KEEP_BYTES)
        buf_done(&u->own);
    buf_clear(&u->own);
    u->piece_count = 0;
    u->bytes = 0;
    u->commands = 0;
    u->database = database;
}

static bool add_piece(struct unit *u, const char *borrowed, size_t at, size_t len,
                      struct err *err) {
    struct unit_piece *last = u->piece_count ? &u->pieces[u->piece_count - 1] : NULL;

    u->bytes += len;
    if (last && (borrowed ? last->borrowed && last->borrowed + last->len == borrowed
                          : !last->borrowed && last->at + last->len == at)) {
        last->len += len;
        return true;
    }
    if (u->piece_count == u->piece_cap) {
        uint32_t cap = u->piece_cap ? u->piece_cap * 2 : 64;
        struct unit_piece *grown;

        if (cap > UNIT_PIECES_MAX)
            return err_set(err, ERR_UNIT_TOO_LARGE, "a unit of more than %d pieces",
                           UNIT_PIECES_MAX);
        grown = realloc(u->pieces, cap * sizeof(*grown));
        if (!grown)
            return err_set(err, ERR_MEMORY, "no memory for the pieces of a unit");
        u->pieces = grown;
        u->piece_cap = cap;
    }
    u->pieces[u->piece_count++] = (struct unit_piece){borrowed, at, len};
    return true;
}

char *unit_room(struct unit *u, size_t len, struct err *err) {
    if (!buf_reserve(&u->own, len, err)) {
        (void)err_recode(err, err->code == ERR_TOO_BIG ? ERR_UNIT_TOO_LARGE : err->code,
                         "building a unit");
        return NULL;
    }
    /* A place for the piece too, so that unit_fill cannot fail. */
    if (u->piece_count == u->piece_cap && !add_piece(u, NULL, u->own.len, 0, err))
        return NULL;
    return u->own.ptr + u->own.len;
}

void unit_fill(struct unit *u, size_t n) {
    struct err err = ERR_INIT;

    (void)add_piece(u, NULL, u->own.len, n, &err);
    u->own.len += n;
}

bool unit_added(struct unit *u, size_t before, struct err *err) {
    return u->own.len == before || add_piece(u, NULL, before, u->own.len - before, err);
}

bool unit_put(struct unit *u, struct str bytes, struct err *err) {
    char *room = unit_room(u, bytes.len, err);

    if (!room)
        return false;
    if (bytes.len)
        memcpy(room, bytes.ptr, bytes.len);
    unit_fill(u, bytes.len);
    return true;
}

bool unit_borrow(struct unit *u, struct str bytes, struct err *err) {
    const struct unit_piece *last = u->piece_count ? &u->pieces[u->piece_count - 1] : NULL;
    bool follows = last && last->borrowed && last->borrowed + last->len == bytes.ptr;

    if (follows || bytes.len >= UNIT_BORROW_MIN)
        return add_piece(u, bytes.ptr, 0, bytes.len, err);
    return unit_put(u, bytes, err);
}

bool unit_command(struct unit *u, const struct str *argv, size_t argc, struct err *err) {
    char head[32];

    snprintf(head, sizeof(head), "*%zu\r\n", argc);
    if (!unit_put(u, str_from(head), err))
        return false;
    for (size_t i = 0; i < argc; i++) {
        snprintf(head, sizeof(head), "$%zu\r\n", argv[i].len);
        if (!unit_put(u, str_from(head), err) || !unit_borrow(u, argv[i], err) ||
            !unit_put(u, STR_LIT("\r\n"), err))
            return false;
    }
    u->commands++;
    return true;
}

bool unit_select(struct unit *u, int database, struct err *err) {
    char number[16];
    struct str argv[2] = {STR_LIT("SELECT")};

    if (u->database == database)
        return true;
    snprintf(number, sizeof(number), "%d", database);
    argv[1] = str_from(number);
    u->database = database;
    return unit_command(u, argv, LENGTH_OF(argv), err);
}
