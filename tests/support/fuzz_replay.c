/* fuzz_replay.c: runs a fuzz target without a fuzzer, as an ordinary test.
 *
 *     fuzz_x DIR|FILE...
 *
 * Every file is given to the target as it is, then in a fixed number of mutations drawn from a
 * generator seeded by the file's bytes: the same inputs in every run, on every machine. Finding new
 * inputs is libFuzzer's work (make fuzz). An input that brings the program down is left behind in
 * the file crash-<target>. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/fuzz.h"

enum {
    INPUT_MAX_BYTES = 1 << 20,
    MUTATIONS_PER_FILE = 1000,
    MUTATED_BYTES_MAX = 16 << 20, /* per file: large seeds get fewer mutations */
    EDITS_MAX = 4,
    PATH_MAX_BYTES = 4096,
};

static uint8_t seed[INPUT_MAX_BYTES];
static uint8_t input[INPUT_MAX_BYTES];
static size_t input_size;
static size_t runs;
static const char *program;

/* --- leaving the culprit behind --- */

static void keep_input(void)
{
    char path[PATH_MAX_BYTES];
    int file;

    (void)snprintf(path, sizeof(path), "crash-%s", program);
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file >= 0) {
        (void)!write(file, input, input_size);
        (void)close(file);
        (void)fprintf(stderr, "%s: the input is in %s (%zu bytes)\n", program, path, input_size);
    }
}

static void on_signal(int number)
{
    keep_input();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

/* Present in sanitizer builds alone. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static void watch(void)
{
    static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    size_t count = sizeof(fatal) / sizeof(fatal[0]);

    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(keep_input);
        count = 1; /* the sanitizer explains the others itself, then calls back */
    }
    for (size_t i = 0; i < count; i++) {
        (void)signal(fatal[i], on_signal);
    }
}

/* --- mutations --- */

static uint64_t random_state;

static uint64_t next_random(void)
{
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t below(size_t limit)
{
    return limit == 0 ? 0 : (size_t)(next_random() % limit);
}

static void flip_bit(void)
{
    if (input_size > 0) {
        input[below(input_size)] ^= (uint8_t)(1U << below(8));
    }
}

/* Values at which parsers go wrong: signs, lengths, brackets, line ends. */
static void put_special(void)
{
    static const uint8_t special[] = {0,   1,   0x7f, 0x80, 0xff, '"',  '\\', '{', '}', '[',
                                      ']', ',', ':',  '-',  '0',  '\n', '\r', ' ', '%', '\''};

    if (input_size > 0) {
        input[below(input_size)] = special[below(sizeof(special))];
    }
}

static void put_number(void)
{
    static const int64_t numbers[] = {INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX, UINT32_MAX, -1};
    int64_t number = numbers[below(sizeof(numbers) / sizeof(numbers[0]))];
    size_t width = (size_t)1 << below(4);

    if (input_size >= width) {
        memcpy(input + below(input_size - width + 1), &number, width);
    }
}

static void insert_random(void)
{
    size_t count = 1 + below(8);
    size_t at = below(input_size + 1);

    if (input_size + count > INPUT_MAX_BYTES) {
        return;
    }
    memmove(input + at + count, input + at, input_size - at);
    for (size_t i = 0; i < count; i++) {
        input[at + i] = (uint8_t)next_random();
    }
    input_size += count;
}

static void remove_part(void)
{
    size_t at = below(input_size);
    size_t count = input_size == 0 ? 0 : 1 + below(input_size - at);

    memmove(input + at, input + at + count, input_size - at - count);
    input_size -= count;
}

static void repeat_part(void)
{
    size_t at = below(input_size);
    size_t count = below((input_size - at < 256 ? input_size - at : 256) + 1);

    if (input_size + count > INPUT_MAX_BYTES) {
        return;
    }
    memmove(input + at + count, input + at, input_size - at);
    input_size += count;
}

static void cut_end(void)
{
    input_size = below(input_size + 1);
}

static void (*const mutations[])(void) = {flip_bit,    put_special, put_number, insert_random,
                                          remove_part, repeat_part, cut_end};

/* --- running --- */

static void run(void)
{
    (void)LLVMFuzzerTestOneInput(input, input_size);
    runs++;
}

static bool load(const char *path, size_t *ret_size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    ssize_t got = -1;

    while (file >= 0 && size < sizeof(seed)) {
        got = read(file, seed + size, sizeof(seed) - size);
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
    }
    if (file < 0 || got < 0) {
        perror(path);
        return false;
    }
    (void)close(file);
    *ret_size = size;
    return true;
}

static bool replay_file(const char *path)
{
    size_t size;
    size_t count = MUTATIONS_PER_FILE;

    if (!load(path, &size)) {
        return false;
    }
    memcpy(input, seed, size);
    input_size = size;
    run();

    random_state = size;
    for (size_t i = 0; i < size; i++) {
        random_state = (random_state ^ seed[i]) * UINT64_C(0x100000001b3);
    }
    if (size > 0 && MUTATED_BYTES_MAX / size < count) {
        count = MUTATED_BYTES_MAX / size;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(input, seed, size);
        input_size = size;
        for (size_t edits = 1 + below(EDITS_MAX); edits > 0; edits--) {
            mutations[below(sizeof(mutations) / sizeof(mutations[0]))]();
        }
        run();
    }
    return true;
}

/* Files of a folder in the order of their names: the order of directories differs by file system. */
static bool replay_folder(const char *path, size_t *files)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    bool ok = count >= 0;

    if (!ok) {
        perror(path);
    }
    for (int i = 0; i < count; i++) {
        char name[PATH_MAX_BYTES];
        struct stat info;

        (void)snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
        if (stat(name, &info) == 0 && S_ISREG(info.st_mode)) {
            ok = replay_file(name) && ok;
            (*files)++;
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
    return ok;
}

int main(int argc, char **argv)
{
    size_t files = 0;
    bool ok = true;

    program = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
    watch();
    input_size = 0;
    run(); /* the empty input is in every corpus */
    for (int i = 1; i < argc; i++) {
        struct stat info;

        if (stat(argv[i], &info) == 0 && !S_ISDIR(info.st_mode)) {
            ok = replay_file(argv[i]) && ok;
            files++;
        } else {
            ok = replay_folder(argv[i], &files) && ok;
        }
    }
    if (files == 0) {
        (void)fprintf(stderr, "%s: no seed files: a target without a corpus tests nothing\n",
                      program);
        return 1;
    }
    (void)printf("%s: %zu files, %zu inputs\n", program, files, runs);
    return ok ? 0 : 1;
}
