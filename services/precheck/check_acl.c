/* Remedies that are lines for a server's ACL. */
#include <string.h>

#include "services/precheck/check_run.h"

enum { FUNCTIONS = 70000 };

bool check_is_about_keys(const struct resp_value *reply) {
    return memmem(reply->str.ptr, reply->str.len, "key", 3) != NULL;
}

bool check_knows_functions(const struct check_end *end) {
    return end->info.redis_compat >= FUNCTIONS || end->info.version_number >= FUNCTIONS;
}

void check_remedy_info(const struct check_run *run, bool source, bool destination,
                       struct check_finding *f) {
    if (source && destination)
        check_remedy(f,
                     "On the source ACL SETUSER %.128s +info, on the destination ACL SETUSER "
                     "%.128s +info, or make sure by hand",
                     check_user(&run->source), check_user(&run->destination));
    else
        check_remedy(f, "ACL SETUSER %.128s +info on the %s, or make sure by hand",
                     check_user(source ? &run->source : &run->destination),
                     source ? "source" : "destination");
}
