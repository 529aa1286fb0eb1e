#include "services/job/job_class.h"

#include <string.h>

#include "proto/base/str.h"

const char job_class_choices[] = "small|medium|large|xlarge|2xlarge|xxlarge|unlimited";

static const struct job_class classes[] = {
    {"small", 2000},  {"medium", 5000},   {"large", 6000},
    {"xlarge", 7000}, {"2xlarge", 11000}, {"unlimited", 0},
};

const struct job_class *job_class_list(size_t *ret_count) {
    *ret_count = LENGTH_OF(classes);
    return classes;
}

const char *job_class_name(const char *said) {
    return said && strcmp(said, "xxlarge") == 0 ? "2xlarge" : said;
}

uint32_t job_class_cap(const char *name) {
    for (size_t i = 0; name && i < LENGTH_OF(classes); i++)
        if (strcmp(classes[i].name, name) == 0)
            return classes[i].commands_per_second;
    return 0;
}
