/* json_load.h - JSON as PostgreSQL writes it, as jansson's values. Pure.
 *
 * What json_loads() makes of the same text, in a third of its time: that one takes every byte
 * through three functions, and reading the specifications was half of what a list of jobs costs.
 */
#pragma once

#include <jansson.h>

/* A new reference; NULL when it is no JSON. The text is UTF-8, which a connection of ours sees to.
 */
json_t *json_load(const char *text);
