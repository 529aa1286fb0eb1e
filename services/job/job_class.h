/* job_class.h - instance classes: what a job is bought as, and how fast it may follow then.
 *
 * Pure. The caps are those of Alibaba Cloud DTS for Redis: commands a second in the incremental
 * phase. `unlimited` is the default.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct job_class {
    const char *name;
    uint32_t commands_per_second; /* 0 = no cap */
};

const struct job_class *job_class_list(size_t *ret_count);

/* "a|b|c": every name a request may use; xxlarge is 2xlarge. */
extern const char job_class_choices[];

/* The one name of a class: "2xlarge" of "xxlarge". NULL stays NULL. */
const char *job_class_name(const char *said);

/* 0 = none; also for a class that is not known. */
uint32_t job_class_cap(const char *name);
