#include "services/ctl/ctl_text.h"

#include <stdio.h>
#include <string.h>

const char *ctl_text_count(uint64_t n, char *dst) {
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n), out = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            dst[out++] = ',';
        dst[out++] = digits[i];
    }
    dst[out] = '\0';
    return dst;
}

/* Three significant digits and a unit. */
static const char *scaled(double n, const char *const *units, int unit_count, char *dst) {
    int unit = 0;

    if (!(n > 0)) /* NaN too */
        n = 0;
    /* 999.5 would be printed as 1000. */
    while (n >= 999.5 && unit < unit_count - 1) {
        n /= 1000;
        unit++;
    }
    if (n > 999999999)
        n = 999999999;
    snprintf(dst, CTL_TEXT_SIZE, "%.*f%s",
             unit == 0 || n >= 99.95 ? 0
             : n >= 9.995            ? 1
                                     : 2,
             n, units[unit]);
    return dst;
}

const char *ctl_text_short(double n, char *dst) {
    static const char *const units[] = {"", " k", " M", " G", " T"};

    return scaled(n, units, 5, dst);
}

const char *ctl_text_bytes(double n, char *dst) {
    static const char *const units[] = {" B", " kB", " MB", " GB", " TB"};

    return scaled(n, units, 5, dst);
}

const char *ctl_text_seconds(double s, char *dst) {
    if (!(s > 0))
        s = 0;
    if (s < 9.95)
        snprintf(dst, CTL_TEXT_SIZE, "%.1f s", s);
    else if (s < 119.5)
        snprintf(dst, CTL_TEXT_SIZE, "%.0f s", s);
    else if (s < 7200)
        snprintf(dst, CTL_TEXT_SIZE, "%.0f min", s / 60);
    else if (s < 172800)
        snprintf(dst, CTL_TEXT_SIZE, "%.0f h", s / 3600);
    else
        snprintf(dst, CTL_TEXT_SIZE, "%.0f d", s < 8.64e12 ? s / 86400 : 1e8);
    return dst;
}

const char *ctl_text_bar(double percent, char *dst) {
    enum { CELLS = 20 };
    int full = percent >= 100 ? CELLS : percent > 0 ? (int)(percent * CELLS / 100) : 0;

    dst[0] = '\0';
    for (int i = 0; i < CELLS; i++)
        memcpy(dst + 3 * i, i < full ? "█" : "░", 4);
    return dst;
}
