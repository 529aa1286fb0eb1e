/* replay_main.c - runs a fuzz target over its checked-in corpus, without libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/attrs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t *data;
    size_t size;

    if (!file)
        return 0;
    data = malloc(1 << 20);
    if (!data)
        abort();
    size = fread(data, 1, 1 << 20, file);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

int main(int argc, char **argv) {
    int ran = 0;

    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
            char path[4096];

            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
            ran += replay(path);
        }
        if (dir)
            closedir(dir);
    }
    printf("%d inputs replayed\n", ran);
    return ran ? 0 : 1; /* an empty corpus proves nothing */
}
