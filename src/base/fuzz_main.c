/* Runs a fuzzer's target over every file of the folders given, so that what once failed is tested
 * in every build, without libFuzzer.
 */
#include "base/arena.h"
#include "base/check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    char *bytes = xmalloc(FILE_BYTES_MAX);
    size_t len = fread(bytes, 1, FILE_BYTES_MAX, file);
    CHECK(len < FILE_BYTES_MAX && !ferror(file));
    fclose(file);
    /* To its exact size, so that a read past its end is seen by a sanitizer. */
    bytes = xrealloc(bytes, len);
    printf("%s (%zu bytes)\n", path, len);
    LLVMFuzzerTestOneInput((const uint8_t *)bytes, len);
    free(bytes);
}

static int run_folder(const char *folder) {
    int count = 0;
    DIR *dir = opendir(folder);
    CHECK(dir != NULL);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        int len = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        CHECK(len > 0 && (size_t)len < sizeof path);
        run_file(path);
        count++;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv) {
    int count = 0;
    for (int i = 1; i < argc; i++)
        count += run_folder(argv[i]);
    CHECK(count > 0); /* a corpus that went missing must not pass */
    return 0;
}
