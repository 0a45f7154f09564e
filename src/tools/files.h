/* files: which files a tool is to look at, and writing a new one beside them. */
#ifndef ZOKOR_TOOLS_FILES_H
#define ZOKOR_TOOLS_FILES_H

#include "base/buf.h"
#include "os/fs.h"
#include "store/store.h"

/* Fills err->text; a longer text is cut. */
void tool_error(struct store_error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Prints into a path; one that is longer than its room is cut, and then names nothing that exists. */
void tool_path(char *out, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Paths, owned. */
struct file_list {
    char **at;
    size_t count, cap;
};

void file_list_add(struct file_list *l, const char *path);
void file_list_fini(struct file_list *l);

/* Adds what a person named: a file as it is; of a directory the files "kind.<zxid>" in it, zxids ascending, or those of
 * its version-2. ERR_NOT_FOUND and others with err filled; a directory without any is ERR_NOT_FOUND, too. */
int file_list_expand(struct file_list *l, struct fs *fs, const char *named, const char *kind, struct store_error *err);
/* Is it a directory? */
bool file_is_dir(struct fs *fs, const char *name);
/* The directory of a data directory that holds its files: named/version-2 if there is one, else named. */
void file_version_dir(struct fs *fs, const char *named, char *out, size_t size);

/* The last part of a path. */
const char *file_base(const char *path);
/* The directory of a path: "." and "/" where it names none but those. */
void file_dir(const char *path, char *out, size_t size);
/* The path of a file beside another: prefix, the other's last part, suffix. */
void file_beside(const char *path, const char *prefix, const char *suffix, char *out, size_t size);
/* Is there a file or directory of this name? */
bool file_exists(struct fs *fs, const char *name);
/* Renames and makes it durable. */
int file_move(struct fs *fs, const char *from, const char *to, struct store_error *err);

/* A new file, written from its begin to its end. */
struct file_writer {
    struct fs *fs;
    struct fs_file *file;
    char name[4096];
    uint64_t pos;
    struct buf held;
    int err;
};

/* ERR_EXISTS if there is such a file; nothing is overwritten. err filled. */
int file_writer_open(struct file_writer *w, struct fs *fs, const char *name, struct store_error *err);
/* Errors stick and are told at the end. */
void file_writer_put(struct file_writer *w, const void *p, size_t n);
/* Writes, syncs, closes; on an error the file is removed. */
int file_writer_end(struct file_writer *w, struct store_error *err);
/* Gives up and removes it. */
void file_writer_abort(struct file_writer *w);

#endif
