#include "web-api/router.h"

#include <string.h>

/* How well a row's path fits: -1 not at all, else the number of literal
 * segments. */
static int fit(const struct route *route, const struct request *r,
               struct str param[ROUTE_PARAMS_MAX]) {
    struct str rest = str_skip(str_from(route->path), 1), piece;
    size_t at = 0, params = 0;
    int literal = 0;

    while (str_cut(&rest, '/', &piece)) {
        if (at == r->segment_count)
            return -1;
        if (piece.ptr[0] == '{')
            param[params++] = r->segment[at];
        else if (str_equal(piece, r->segment[at]))
            literal++;
        else
            return -1;
        at++;
    }
    return at == r->segment_count ? literal : -1;
}

static bool takes(const struct route *route, struct str method) {
    return str_equal(method, str_from(route->method)) ||
           (str_equal(method, STR_LIT("HEAD")) && strcmp(route->method, "GET") == 0);
}

bool router_match(const struct route *table, size_t count, const struct request *r,
                  struct router_match *ret_match, struct buf *allow, struct err *err) {
    struct str param[ROUTE_PARAMS_MAX] = {{0}};
    int best = -1, best_path = -1;

    for (size_t i = 0; i < count; i++) {
        int literal = fit(&table[i], r, param);

        if (literal > best_path)
            best_path = literal;
        if (literal > best && takes(&table[i], r->method)) {
            best = literal;
            ret_match->route = &table[i];
            memcpy(ret_match->param, param, sizeof(param));
        }
    }
    if (best_path < 0)
        return err_set(err, ERR_NOT_FOUND, "no such path");
    if (best == best_path)
        return true;
    /* The path that fits best decides: "POST /v1/jobs/summary" is a wrong method,
     * not an action of a job called summary. */
    for (size_t i = 0; i < count; i++) {
        if (fit(&table[i], r, param) != best_path)
            continue;
        if (!buf_printf(allow, err, "%s%s%s", allow->len ? ", " : "", table[i].method,
                        strcmp(table[i].method, "GET") == 0 ? ", HEAD" : ""))
            return false;
    }
    return err_set(err, ERR_METHOD_NOT_ALLOWED, "this path takes " STR_FMT,
                   STR_ARG(buf_str(allow)));
}

bool router_check_query(const struct route *route, const struct request *r, struct err *err) {
    for (size_t i = 0; i < r->query_count; i++) {
        struct str names = str_from(route->query), name;
        bool known = false;

        while (str_cut(&names, ' ', &name))
            known = known || str_equal(name, r->query[i].name);
        if (!known) {
            char shown[64];

            str_escape(r->query[i].name, shown, sizeof(shown));
            return err_set(err, ERR_VALIDATION, "%s: is no parameter of this call", shown);
        }
    }
    return true;
}
