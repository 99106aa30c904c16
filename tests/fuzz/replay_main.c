// SPDX-License-Identifier: Apache-2.0
//
// Replays a corpus: runs the fuzz target's entry function over every file given, or every file of a directory given. So a
// fuzz target is an ordinary test as well, with any compiler.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

enum { MAX_INPUT_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static int replay_file(const char *path)
{
    static uint8_t bytes[MAX_INPUT_BYTES];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    int failed = ferror(file);
    (void)fclose(file); // was only read
    if (failed != 0) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        return 1;
    }
    (void)LLVMFuzzerTestOneInput(bytes, size); // always 0
    replayed++;
    return 0;
}

static int replay_directory(const char *path, DIR *directory)
{
    int failed = 0;
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        char child[4096];
        struct stat info;
        int length = snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
        if (length > 0 && (size_t)length < sizeof(child) && stat(child, &info) == 0 && S_ISREG(info.st_mode)) {
            failed |= replay_file(child);
        }
    }
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        DIR *directory = opendir(argv[i]);
        if (directory == NULL) {
            failed |= replay_file(argv[i]);
            continue;
        }
        failed |= replay_directory(argv[i], directory);
        (void)closedir(directory); // was only read
    }
    (void)printf("%u inputs replayed\n", replayed);
    return failed != 0 || replayed == 0;
}
