/* ctl_settle.h - `keyferry settle DESTINATION_URL`: put the expiries of a destination
 * right whose job cannot do it any more.
 *
 * Needs no service. A job that has not ended there would go on writing held
 * expiries, so it is refused while a position says so, unless --abandoned: then the
 * positions are closed first, with a higher epoch, and a worker that still lives is
 * refused by the destination from then on.
 */
#pragma once

#include "services/ctl/ctl_args.h"

int ctl_settle_run(const struct ctl_args *args);
