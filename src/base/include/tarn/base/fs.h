/* fs.h: the file system: every durable step of tarn is a function of this file.
 *
 * Invariants
 *   1. Bytes count as durable only after fs_sync on the file and fs_sync_dir on its folder returned
 *      OK.
 *   2. A failed sync is never retried: the caller stops the volume (fs_volume_broken tells
 *      everyone).
 *   3. Every function restarts on EINTR and finishes short reads and writes.
 * Fault points (base/fault.h) sit in fs.c, so that tests can make any step fail, delay or kill. */
#ifndef TARN_BASE_FS_H
#define TARN_BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tarn/base/arena.h"
#include "tarn/base/buf.h"
#include "tarn/base/error.h"
#include "tarn/base/str.h"

/* Paths are C strings: tarn's own, or from the command line, never from a request. */

/* Flags as open(2), O_CLOEXEC added. NOT_FOUND, EXISTS, DENIED, NO_SPACE, IO. */
status fs_open(const char *path, int flags, mode_t mode, int *ret_fd, error *err);
void fs_close(int fd); /* negative is fine */
/* fs_close at the arena's end. */
void fs_close_with(arena *a, int fd);

status fs_write_all(int fd, const void *bytes, size_t size_bytes, error *err);
status fs_pwrite_all(int fd, const void *bytes, size_t size_bytes, int64_t offset, error *err);
/* Reads up to `size_bytes`; fewer only at the end of the file. */
status fs_read(int fd, void *ret_bytes, size_t size_bytes, size_t *ret_size, error *err);
status fs_pread(int fd, void *ret_bytes, size_t size_bytes, int64_t offset, size_t *ret_size,
                error *err);
/* CORRUPT where the file ends before that. */
status fs_pread_all(int fd, void *ret_bytes, size_t size_bytes, int64_t offset, error *err);
/* Whole file, with a NUL behind it. TOO_LARGE past `size_max_bytes`. */
status fs_read_file(const char *path, size_t size_max_bytes, arena *a, str *ret_bytes, error *err);
/* Writes beside, syncs, renames over `path`, syncs the folder: whole and durable on OK; after an
 * error the old or the new content, whole. */
status fs_write_file(const char *path, str bytes, mode_t mode, error *err);

/* fdatasync, once: also EINTR is a failure. A failure breaks the volume (invariant 2) and is IO, a
 * full disk included. A sync that succeeds while another fails counts as failed. */
status fs_sync(int fd, error *err);
status fs_sync_dir(const char *path, error *err);
/* fsync, once: extended attributes and the number of links are durable too. */
status fs_sync_full(int fd, error *err);
/* Set by the first failed sync of this process; from then on every sync here fails at once. */
bool fs_volume_broken(void);
/* IO once the volume is broken. */
status fs_volume_check(error *err);
/* For a sync that failed elsewhere (the database's own). */
void fs_volume_break(void);
void fs_volume_reset_for_tests(void);

status fs_size(int fd, int64_t *ret_size_bytes, error *err);
status fs_stat_size(const char *path, int64_t *ret_size_bytes, error *err); /* NOT_FOUND */
bool fs_exists(const char *path);
/* Makes a folder and its parents; existing ones are fine. */
status fs_make_dirs(const char *path, mode_t mode, error *err);
/* The same, and the name of every new folder is durable: for what will hold durable files. */
status fs_make_dirs_synced(const char *path, mode_t mode, error *err);
status fs_link(const char *from, const char *to, error *err); /* EXISTS */
/* Gives a name to an open file that may have none (O_TMPFILE). EXISTS. */
status fs_link_fd(int fd, const char *to, error *err);
status fs_rename(const char *from, const char *to, error *err);
status fs_remove(const char *path, error *err);      /* absent is fine */
status fs_remove_tree(const char *path, error *err); /* absent is fine; does not follow links */
/* A durable copy of a file or a folder with all in it, extended attributes of the user's name space included; shares
 * blocks where the file system can. `to` must not exist (EXISTS), a folder may. Counts the files. */
status fs_copy(const char *from, const char *to, int64_t *ret_files, error *err);
/* Removes what fs_write_file left in the folder when a process died in it: "<name>.<16 hex>.new". Nobody else may write
 * there meanwhile. A folder that is not there is fine. */
status fs_remove_unfinished(const char *path, error *err);
/* Names in a folder, sorted, without . and .. */
status fs_list(const char *path, arena *a, str **ret_names, size_t *ret_count, error *err);
int64_t fs_free_bytes(const char *path); /* -1 where unknown */

/* Extended attribute of a file; whole value. NOT_FOUND where absent, UNSUPPORTED where the file
 * system has none. ext4 has room for about 4000 bytes in all and says NO_SPACE beyond. */
status fs_set_xattr(int fd, const char *name, str value, error *err);
status fs_get_xattr(const char *path, const char *name, arena *a, str *ret_value, error *err);

/* Exclusive advisory lock on a file (created if absent), held until the fd is closed. BUSY where
 * another process holds it. */
status fs_lock(const char *path, int *ret_fd, error *err);

char *fs_join(arena *a, const char *folder, const char *name);

#endif
