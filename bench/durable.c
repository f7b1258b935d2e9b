/* What durable files cost by themselves: `durable FOLDER CLIENTS FILES BYTES alone|grouped` and
 * `durable FOLDER 1 FILES BYTES stream|md5`, `durable FOLDER CLIENTS FILES BYTES append`.
 *
 * alone: each of CLIENTS threads makes a file under another name, writes it, syncs it, renames it and syncs the
 * folder. grouped: the same, but of threads that want the folder synced at once one does it for all. stream: files of
 * BYTES, written in pieces and synced. append: each thread adds BYTES to a file of its own and waits for fdatasync,
 * FILES times together. md5: no file; the MD5 of as many bytes. Prints the seconds. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "tarn/base/arena.h"
#include "tarn/base/clock.h"
#include "tarn/base/error.h"
#include "tarn/base/fs.h"
#include "tarn/base/mem.h"
#include "tarn/base/thread.h"
#include "tarn/codec/checksum.h"

#define PIECE_BYTES ((size_t)1024 * 1024)

typedef struct work {
    const char *folder;
    int64_t files, bytes;
    bool grouped;
    _Atomic int64_t next, logs;
    char *content;
    mutex lock; /* below: syncs of the folder */
    cond synced;
    int64_t asked, done; /* a sync that began after `asked` rose to n covers n */
    bool syncing;
} work;

static status sync_folder(work *w, error *err)
{
    int64_t mine;
    status result = STATUS_OK;

    if (!w->grouped) {
        return fs_sync_dir(w->folder, err);
    }
    mutex_lock(&w->lock);
    mine = ++w->asked;
    while (w->done < mine) {
        if (w->syncing) {
            cond_wait(&w->synced, &w->lock);
            continue;
        }
        int64_t covers = w->asked;
        w->syncing = true;
        mutex_unlock(&w->lock);
        result = fs_sync_dir(w->folder, err);
        mutex_lock(&w->lock);
        w->syncing = false;
        w->done = covers;
        cond_broadcast(&w->synced);
    }
    mutex_unlock(&w->lock);
    return result;
}

static status write_file(work *w, int64_t number, error *err)
{
    char before[4096], after[4096];
    int fd;

    (void)snprintf(before, sizeof(before), "%s/new-%lld", w->folder, (long long)number);
    (void)snprintf(after, sizeof(after), "%s/%lld", w->folder, (long long)number);
    TRY(fs_open(before, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, err));
    for (int64_t left = w->bytes; left > 0; left -= (int64_t)PIECE_BYTES) {
        TRY(fs_write_all(fd, w->content, left < (int64_t)PIECE_BYTES ? (size_t)left : PIECE_BYTES,
                         err));
    }
    TRY(fs_sync_full(fd, err));
    fs_close(fd);
    if (rename(before, after) != 0) {
        return error_set(err, STATUS_IO, "cannot rename \"%s\"", before);
    }
    return sync_folder(w, err);
}

static void run_client(void *context)
{
    work *w = context;
    error err = ERROR_INIT;

    for (int64_t n = w->next++; n < w->files; n = w->next++) {
        if (write_file(w, n, &err) != STATUS_OK) {
            (void)fprintf(stderr, "durable: %s\n", err.message);
            _exit(1);
        }
    }
}

static status append_all(work *w, error *err)
{
    char path[4096];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/log-%lld", w->folder, (long long)w->logs++);
    TRY(fs_open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0600, &fd, err));
    while (w->next++ < w->files) {
        TRY(fs_write_all(fd, w->content, (size_t)w->bytes, err));
        if (fdatasync(fd) != 0) {
            return error_set(err, STATUS_IO, "cannot sync \"%s\"", path);
        }
    }
    fs_close(fd);
    return STATUS_OK;
}

static void run_appender(void *context)
{
    error err = ERROR_INIT;

    if (append_all(context, &err) != STATUS_OK) {
        (void)fprintf(stderr, "durable: %s\n", err.message);
        _exit(1);
    }
}

static void hash_all(const work *w)
{
    for (int64_t n = 0; n < w->files; n++) {
        digester *d = digester_create(DIGEST_MD5);
        uint8_t md5[DIGEST_SIZE_MAX];

        for (int64_t left = w->bytes; left > 0; left -= (int64_t)PIECE_BYTES) {
            digester_add(d, w->content, left < (int64_t)PIECE_BYTES ? (size_t)left : PIECE_BYTES);
        }
        digester_finish(d, md5);
    }
}

int main(int argc, char **argv)
{
    work w = {.folder = argv[1]};
    int64_t clients = 0, begun_ns;
    error err = ERROR_INIT;
    thread threads[256];

    if (argc != 6 || str_to_int64(str_c(argv[2]), &clients, NULL) != STATUS_OK ||
        str_to_int64(str_c(argv[3]), &w.files, NULL) != STATUS_OK ||
        str_to_int64(str_c(argv[4]), &w.bytes, NULL) != STATUS_OK || clients < 1 ||
        clients > (int64_t)COUNT_OF(threads)) {
        (void)fputs("usage: durable FOLDER CLIENTS FILES BYTES alone|grouped|stream|append|md5\n",
                    stderr);
        return 2;
    }
    w.grouped = str_equal(str_c(argv[5]), STR("grouped"));
    w.content = mem_alloc(PIECE_BYTES);
    memset(w.content, 'x', PIECE_BYTES);
    mutex_init(&w.lock);
    cond_init(&w.synced);
    begun_ns = clock_mono_ns();
    if (str_equal(str_c(argv[5]), STR("md5"))) {
        hash_all(&w);
    } else {
        bool appends = str_equal(str_c(argv[5]), STR("append"));

        for (int64_t i = 0; i < clients; i++) {
            if (thread_start(&threads[i], "client", appends ? run_appender : run_client, &w,
                             &err) != STATUS_OK) {
                return 1;
            }
        }
        for (int64_t i = 0; i < clients; i++) {
            thread_join(&threads[i]);
        }
    }
    (void)printf("%.6f\n", (double)(clock_mono_ns() - begun_ns) / 1e9);
    return 0;
}
