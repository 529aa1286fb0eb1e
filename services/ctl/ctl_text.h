/* ctl_text.h - numbers as people read them. Pure.
 *
 * Each writes into `dst` of at least CTL_TEXT_SIZE bytes and answers dst, so it
 * can stand among the arguments of a printf.
 */
#pragma once

#include <stdint.h>

enum { CTL_TEXT_SIZE = 96 };

const char *ctl_text_count(uint64_t n, char *dst); /* 1204331 -> "1,204,331" */
const char *ctl_text_short(double n, char *dst);   /* 1204331 -> "1.20 M", 891204 -> "891 k" */
const char *ctl_text_bytes(double n, char *dst);   /* 2254857830 -> "2.25 GB"; powers of ten */
const char *ctl_text_seconds(double s, char *dst); /* 5 -> "5 s", 300 -> "5 min", 21600 -> "6 h" */
const char *ctl_text_bar(double percent, char *dst); /* 20 cells, UTF-8 */
