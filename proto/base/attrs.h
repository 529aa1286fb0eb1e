/* attrs.h - the few compiler attributes and macros the whole tree uses. Pure. */
#pragma once

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))
#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))
