/* keyferry-docs DIR: write the pages that tables hold. Run by the build. */
#include <stdio.h>
#include <stdlib.h>

#include "web-api/docs_page.h"

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        bool (*make)(struct buf *out, struct err *err);
    } pages[] = {
        {"checks.md", docs_page_checks},
        {"problems.md", docs_page_problems},
        {"acl.md", docs_page_acl},
    };

    if (argc != 2) {
        fprintf(stderr, "keyferry-docs DIR\n");
        return 2;
    }
    for (size_t i = 0; i < LENGTH_OF(pages); i++) {
        struct buf page = BUF_INIT(1024 * 1024);
        struct err err = ERR_INIT;
        char path[4096], why[400];
        FILE *file;
        bool ok;

        snprintf(path, sizeof(path), "%s/%s", argv[1], pages[i].name);
        if (!pages[i].make(&page, &err)) {
            err_format(&err, why, sizeof(why));
            fprintf(stderr, "keyferry-docs: %s: %s\n", path, why);
            return 1;
        }
        file = fopen(path, "w");
        ok = file && fwrite(page.ptr, 1, page.len, file) == page.len;
        ok = file && fclose(file) == 0 && ok;
        buf_done(&page);
        if (!ok) {
            perror(path);
            return 1;
        }
    }
    return 0;
}
