/* secret.c - see secret.h. Invariant: what was read and is not the answer is wiped. */

#include "redis/secret.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How much of a file is looked at: the longest password, and blanks around it. */
#define LINE_MAX_BYTES (WEIR_SECRET_MAX + 1024)

/* The longest name of a variable of the environment. */
#define VARIABLE_MAX 255

static enum weir_status refuse_file(const struct weir_url_part *part, int error)
{
    char reason[96];
    weir_error_set(part->error, (size_t)(part->bytes.ptr - part->url), part->bytes.len,
                   "the password's file can't be read: %s",
                   strerror_r(error, reason, sizeof(reason)));
    return WEIR_ERR_SYSTEM;
}

/* Up to `size` bytes of the file. */
static enum weir_status read_start(const struct weir_url_part *part, char *buffer, size_t size,
                                   size_t *ret_len)
{
    char path[WEIR_FILE_MAX + 1];
    size_t length;
    const enum weir_status status =
        weir_url_decode(part, "the file's path", path, sizeof(path), &length);
    if (status != WEIR_OK) {
        return status;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return refuse_file(part, errno);
    }
    size_t filled = 0;
    ssize_t count = 1;
    while (count > 0 && filled < size) {
        count = read(fd, buffer + filled, size - filled);
        if (count < 0 && errno == EINTR) {
            count = 1;
            continue;
        }
        filled += count > 0 ? (size_t)count : 0;
    }
    const int error = count < 0 ? errno : 0;
    (void)close(fd);
    if (error != 0) {
        return refuse_file(part, error);
    }
    *ret_len = filled;
    return WEIR_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The first line without the blanks at its ends. */
static struct weir_bytes first_line(struct weir_bytes text)
{
    const char *newline = text.len > 0 ? memchr(text.ptr, '\n', text.len) : NULL;
    if (newline != NULL) {
        text.len = (size_t)(newline - text.ptr);
    }
    while (text.len > 0 && is_blank(text.ptr[text.len - 1])) {
        text.len--;
    }
    while (text.len > 0 && is_blank(text.ptr[0])) {
        text = weir_bytes(text.ptr + 1, text.len - 1);
    }
    return text;
}

/* Copies what was found. */
static enum weir_status take(const struct weir_url_part *part, struct weir_bytes secret,
                             char *ret_secret)
{
    if (secret.len == 0) {
        return weir_url_refuse(part, "there is no password in it");
    }
    if (secret.len > WEIR_SECRET_MAX) {
        return weir_url_refuse(part, "the password in it is longer than 1024 bytes");
    }
    if (memchr(secret.ptr, '\0', secret.len) != NULL) {
        return weir_url_refuse(part, "the password in it has a NUL");
    }
    memcpy(ret_secret, secret.ptr, secret.len);
    ret_secret[secret.len] = '\0';
    return WEIR_OK;
}

_Static_assert(WEIR_SECRET_MAX == 1024, "the message above says so");

enum weir_status weir_secret_file(const struct weir_url_part *part,
                                  char ret_secret[WEIR_SECRET_MAX + 1])
{
    char text[LINE_MAX_BYTES];
    size_t length = 0;
    enum weir_status status = read_start(part, text, sizeof(text), &length);
    if (status == WEIR_OK) {
        status = take(part, first_line(weir_bytes(text, length)), ret_secret);
    }
    explicit_bzero(text, sizeof(text));
    return status;
}

enum weir_status weir_secret_variable(const struct weir_url_part *part,
                                      char ret_secret[WEIR_SECRET_MAX + 1])
{
    char name[VARIABLE_MAX + 1];
    size_t length;
    const enum weir_status status =
        weir_url_decode(part, "the variable's name", name, sizeof(name), &length);
    if (status != WEIR_OK) {
        return status;
    }
    const char *value = length > 0 ? getenv(name) : NULL;
    if (value == NULL) {
        return weir_url_refuse(part, "the environment has no variable of this name");
    }
    return take(part, weir_text(value), ret_secret);
}
