/* url.h - the parts that every store's URL is made of: options after a '?', sizes, %XX.
 *
 * What is refused is refused with the place in the URL and what to write instead. No message here
 * repeats a part of the URL: it may be a password. */

#ifndef WEIR_BASE_URL_H
#define WEIR_BASE_URL_H

#include "weir/weir.h"

/* A part of a URL that is being read, and where to say what is wrong with it. */
struct weir_url_part {
    const char *url;
    struct weir_bytes bytes; /* within url */
    struct weir_error *error;
};

/* Another part of the same URL. */
struct weir_url_part weir_url_at(const struct weir_url_part *part, struct weir_bytes bytes);

/* Says that of this part; WEIR_ERR_URL, so that a refusal is one statement. */
enum weir_status weir_url_refuse(const struct weir_url_part *part, const char *message);

bool weir_url_is(struct weir_bytes bytes, const char *text);

/* The digits at the start of `bytes`, in `base`; what follows them goes to ret_rest. A number that
 * is too large becomes one that is too large for anything. False where there are none. */
bool weir_url_number(struct weir_bytes bytes, unsigned base, uint64_t *ret_number,
                     struct weir_bytes *ret_rest);

/* A size, as 64MiB or 8192, of `least` to `most` bytes. */
enum weir_status weir_url_size(const struct weir_url_part *part, uint64_t least, uint64_t most,
                               uint64_t *ret_size);

/* The part with its %XX read, and a NUL, into `buffer` of `size` bytes. A %00 is refused. `what` is
 * named where it is too long: "the path". */
enum weir_status weir_url_decode(const struct weir_url_part *part, const char *what, char *buffer,
                                 size_t size, size_t *ret_len);

/* Takes the first option off `query`, what stands behind a '?': false where there is none left. */
bool weir_url_next(struct weir_bytes *query, struct weir_bytes *ret_option);

/* Cuts an option at its '='. */
enum weir_status weir_url_split(const struct weir_url_part *option, struct weir_bytes *ret_name,
                                struct weir_bytes *ret_value);

#endif
