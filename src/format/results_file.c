#include "format/results_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/users.h"

#define FILE_BUFFER (256u << 10)

static int no_memory(struct error *err)
{
    return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
}

/* ---- opening ---- */

static int take_temporary(struct results_file *file)
{
    file->fd = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    return file->fd < 0 ? -1 : flock(file->fd, LOCK_EX | LOCK_NB);
}

/* What cannot be removed. */
static int is_in_the_way(const char *path, struct error *err)
{
    struct stat status;
    char owner[USERS_TEXT_MAX];
    if (lstat(path, &status))
        return error_set_errno(err, ERROR_SYSTEM, errno, path, "cannot create the file");
    error_set(err, ERROR_INPUT, path,
              "a %s of %s is in the way there, where results are written until they are whole",
              S_ISDIR(status.st_mode)   ? "directory"
              : S_ISLNK(status.st_mode) ? "link"
                                        : "file",
              users_text(status.st_uid, owner));
    return error_cure(err, "have it removed, or choose another output file");
}

/* Removes what a run left that died; a living one holds its lock. */
static int remove_stale(const char *path, struct error *err)
{
    int failed = 0, fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
        error_set(err, ERROR_SYSTEM, path, "another run is writing it");
        failed = error_cure(err, "wait for that run, or choose another output file");
    } else if ((fd < 0 || unlink(path)) && errno != ENOENT) {
        failed = is_in_the_way(path, err);
    }
    if (fd >= 0)
        close(fd);
    return failed;
}

static int open_temporary(struct results_file *file, struct error *err)
{
    if (asprintf(&file->temporary, "%s.tmp", file->path) < 0) {
        file->temporary = NULL;
        return no_memory(err);
    }
    int failed = take_temporary(file);
    if (failed && errno == EEXIST) {
        failed = remove_stale(file->temporary, err);
        if (failed) {
            free(file->temporary); /* it is not ours */
            file->temporary = NULL;
            return failed;
        }
        failed = take_temporary(file);
    }
    if (!failed)
        return 0;
    error_set_errno(err, ERROR_SYSTEM, errno, file->temporary, "cannot create the file");
    return error_cure(err, "choose an output file in a directory that can be written to");
}

/* A device or a pipe is written to as it is, never replaced. */
static int open_in_place(struct results_file *file, struct error *err)
{
    file->fd = strcmp(file->path, "-") == 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                                            : open(file->path, O_WRONLY | O_CLOEXEC);
    if (file->fd < 0)
        return error_set_errno(err, ERROR_SYSTEM, errno, file->path, "cannot write to it");
    /* A link may have been put there since it was looked at. */
    struct stat status;
    if (strcmp(file->path, "-") == 0 || (fstat(file->fd, &status) == 0 && !S_ISREG(status.st_mode)))
        return 0;
    error_set(err, ERROR_SYSTEM, file->path, "something else has just taken its place");
    return error_cure(err, "choose an output file in a directory that is yours alone");
}

bool results_file_in_place(const char *path)
{
    struct stat status;
    return strcmp(path, "-") == 0 || (stat(path, &status) == 0 && !S_ISREG(status.st_mode));
}

static int ends_in_gz(const char *path)
{
    size_t length = strlen(path);
    return length >= 3 && strcmp(path + length - 3, ".gz") == 0;
}

int results_file_open(struct results_file *file, const char *path, struct error *err)
{
    *file = (struct results_file){.fd = -1, .path = strdup(path)};
    if (!file->path)
        return no_memory(err);
    int failed = results_file_in_place(path) ? open_in_place(file, err) : open_temporary(file, err);
    if (!failed) {
        int copy = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
        file->file = copy < 0 ? NULL : gzdopen(copy, ends_in_gz(path) ? "wb" : "wbT");
        if (!file->file && copy >= 0)
            close(copy);
        if (!file->file || gzbuffer(file->file, FILE_BUFFER))
            failed = no_memory(err);
    }
    if (failed)
        results_file_discard(file);
    return failed;
}

/* ---- writing ---- */

static int write_failed(const struct results_file *file, int errnum, struct error *err)
{
    error_set_errno(err, ERROR_SYSTEM, errnum, file->temporary ? file->temporary : file->path,
                    "cannot write the results");
    return error_cure(err, "make room on its file system, or write to another one");
}

int results_file_write(struct results_file *file, const void *data, size_t size, struct error *err)
{
    for (size_t done = 0; done < size;) {
        size_t part = size - done < FILE_BUFFER ? size - done : FILE_BUFFER;
        errno = 0;
        if (gzwrite(file->file, (const char *)data + done, (unsigned)part) != (int)part) {
            file->error = errno ? errno : EIO;
            return write_failed(file, file->error, err);
        }
        done += part;
    }
    return 0;
}

int results_file_sync(struct results_file *file, struct error *err)
{
    errno = 0;
    if (gzflush(file->file, Z_SYNC_FLUSH) == Z_OK && (!file->temporary || fsync(file->fd) == 0))
        return 0;
    file->error = errno ? errno : EIO;
    return write_failed(file, file->error, err);
}

static void forget(struct results_file *file)
{
    if (file->file)
        gzclose_w(file->file);
    if (file->fd >= 0)
        close(file->fd);
    free(file->temporary);
    free(file->path);
    *file = (struct results_file){.fd = -1};
}

static int publish(struct results_file *file, struct error *err)
{
    errno = 0;
    int failed = gzclose_w(file->file);
    file->file = NULL;
    if (failed != Z_OK && !file->error)
        return write_failed(file, errno ? errno : EIO, err);
    if (file->error && file->temporary)
        return error_set(err, ERROR_SYSTEM, file->temporary,
                         "it holds what could be written, and does not get its name");
    if (file->error)
        return write_failed(file, file->error, err);
    if (!file->temporary)
        return 0;
    if (fsync(file->fd))
        return write_failed(file, errno, err);
    if (rename(file->temporary, file->path))
        return error_set_errno(err, ERROR_SYSTEM, errno, file->path,
                               "cannot give the file its name; the results are in %s",
                               file->temporary);
    return 0;
}

int results_file_publish(struct results_file *file, struct error *err)
{
    int failed = publish(file, err);
    forget(file);
    return failed;
}

void results_file_discard(struct results_file *file)
{
    if (file->temporary && file->fd >= 0)
        unlink(file->temporary);
    forget(file);
}
