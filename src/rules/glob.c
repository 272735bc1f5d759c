/* glob.c - see glob.h.
 *
 * A pattern is cut at ** into segments, and a segment at * into pieces: literal bytes and '?'. A
 * piece is of fixed length, so that all there is to find is where each goes, and the first place
 * that will do is always as good as a later one:
 *
 *   Within a segment, a piece may move to a later place only over bytes that are no '/'. If it
 *   holds a '/' itself it can't move at all, as that one would have to be passed. If not, what
 *   follows it reaches from the first place all that it reaches from a later one.
 *
 *   A segment that is found further to the left leaves more to those that follow.
 *
 * So the first segment is matched from the start, the last one from the end, and those between each
 * at the first place after the one before. Where a segment that was begun at one place meets a '/'
 * before its next piece, it is begun anew past the next '/' from there: begun before it, it would
 * have come to the same '/', since its pieces pass as many of them wherever it begins. */

#include "rules/glob.h"

#include <string.h>

struct segment {
    const struct weir_bytes *pieces;
    size_t count; /* 1 or more: "a**" is the segments "a" and "" */
};

struct weir_glob {
    const struct segment *segments;
    size_t count; /* 1 or more */
};

struct weir_bytes weir_glob_start(struct weir_bytes pattern)
{
    size_t len = 0;
    while (len < pattern.len && pattern.ptr[len] != '*' && pattern.ptr[len] != '?') {
        len++;
    }
    return weir_bytes(pattern.ptr, len);
}

/* ---- Preparing ---- */

/* How many '*' stand at `at`. */
static size_t stars(struct weir_bytes pattern, size_t at)
{
    size_t count = 0;
    while (at + count < pattern.len && pattern.ptr[at + count] == '*') {
        count++;
    }
    return count;
}

struct weir_glob *weir_glob_new(struct weir_bytes pattern, struct weir_arena *arena)
{
    size_t pieces_max = 1;
    for (size_t i = 0; i < pattern.len; i++) {
        pieces_max += pattern.ptr[i] == '*' ? 1 : 0;
    }
    struct weir_glob *glob = weir_arena_get(arena, 1, sizeof(*glob));
    struct weir_bytes *pieces = weir_arena_get(arena, pieces_max, sizeof(*pieces));
    struct segment *segments = weir_arena_get(arena, pieces_max, sizeof(*segments));
    if (glob == NULL || pieces == NULL || segments == NULL) {
        return NULL;
    }
    size_t from = 0;
    segments[0].pieces = pieces;
    glob->segments = segments;
    glob->count = 1;
    for (size_t at = 0; at <= pattern.len; at++) {
        const size_t run = stars(pattern, at);
        if (run == 0 && at < pattern.len) {
            continue;
        }
        *pieces++ = weir_bytes(pattern.len > 0 ? pattern.ptr + from : "", at - from);
        segments[glob->count - 1].count++;
        if (run > 1) {
            segments[glob->count++].pieces = pieces;
        }
        if (run > 0) {
            from = at + run;
            at = from - 1;
        }
    }
    return glob;
}

/* ---- Matching ---- */

/* Whether the piece stands at `at`, which leaves room for it. */
static bool piece_at(struct weir_bytes piece, const char *at)
{
    for (size_t i = 0; i < piece.len; i++) {
        const char wanted = piece.ptr[i];
        if (wanted == '?' ? at[i] == '/' : at[i] != wanted) {
            return false;
        }
    }
    return true;
}

/* How a search within a segment ended. */
enum found {
    FOUND,
    FOUND_SLASH, /* no: a '/' was in the way */
    FOUND_END    /* no: the value ended */
};

/* The first place of `piece` from *at on to which no '/' is passed. */
static enum found find_piece(struct weir_bytes piece, struct weir_bytes value, size_t *at)
{
    for (size_t i = *at; value.len - i >= piece.len; i++) {
        if (piece_at(piece, value.ptr + i)) {
            *at = i;
            return FOUND;
        }
        if (i == value.len) {
            break;
        }
        if (value.ptr[i] == '/') {
            return FOUND_SLASH;
        }
    }
    return FOUND_END;
}

/* Matches the segment's pieces 1..count from *at on, each at its first place; *at is then the end.
 */
static enum found follow(const struct segment *segment, size_t count, struct weir_bytes value,
                         size_t *at)
{
    for (size_t i = 1; i < count; i++) {
        const enum found found = find_piece(segment->pieces[i], value, at);
        if (found != FOUND) {
            return found;
        }
        *at += segment->pieces[i].len;
    }
    return FOUND;
}

/* The first segment of several: from the start of the value. */
static bool match_first(const struct segment *segment, struct weir_bytes value, size_t *ret_end)
{
    const struct weir_bytes piece = segment->pieces[0];
    if (value.len < piece.len || !piece_at(piece, value.ptr)) {
        return false;
    }
    size_t at = piece.len;
    if (follow(segment, segment->count, value, &at) != FOUND) {
        return false;
    }
    *ret_end = at;
    return true;
}

/* Whether `piece` can go at the end of value[0..*end), or before it without passing a '/'; *end is
 * then where it starts. */
static bool find_piece_back(struct weir_bytes piece, struct weir_bytes value, size_t from,
                            size_t *end)
{
    for (size_t i = *end; i - from >= piece.len; i--) {
        if (piece_at(piece, value.ptr + i - piece.len)) {
            *end = i - piece.len;
            return true;
        }
        if (i == from || value.ptr[i - 1] == '/') {
            return false;
        }
    }
    return false;
}

/* The last segment of several: to the end of the value, from the right, with what is said above of
 * first places turned round. It has to start at `from` or later. */
static bool match_last(const struct segment *segment, struct weir_bytes value, size_t from)
{
    const struct weir_bytes last = segment->pieces[segment->count - 1];
    if (value.len - from < last.len || !piece_at(last, value.ptr + value.len - last.len)) {
        return false;
    }
    size_t end = value.len - last.len;
    for (size_t i = segment->count - 1; i > 0; i--) {
        if (!find_piece_back(segment->pieces[i - 1], value, from, &end)) {
            return false;
        }
    }
    return true;
}

/* A segment between two others: at its first place from *at on; *at is then its end. */
static bool match_middle(const struct segment *segment, struct weir_bytes value, size_t *at)
{
    const struct weir_bytes piece = segment->pieces[0];
    size_t start = *at;
    while (value.len - start >= piece.len) {
        if (!piece_at(piece, value.ptr + start)) {
            if (start == value.len) {
                return false;
            }
            start++;
            continue;
        }
        size_t end = start + piece.len;
        const enum found found = follow(segment, segment->count, value, &end);
        if (found == FOUND) {
            *at = end;
            return true;
        }
        const char *slash = memchr(value.ptr + start, '/', value.len - start);
        if (found == FOUND_END || slash == NULL) {
            return false;
        }
        start = (size_t)(slash - value.ptr) + 1;
    }
    return false;
}

/* A pattern without **: one segment, from the start to the end. */
static bool match_only(const struct segment *segment, struct weir_bytes value)
{
    const struct weir_bytes first = segment->pieces[0];
    if (segment->count == 1) {
        return value.len == first.len && piece_at(first, value.ptr);
    }
    if (value.len < first.len || !piece_at(first, value.ptr)) {
        return false;
    }
    size_t at = first.len;
    if (follow(segment, segment->count - 1, value, &at) != FOUND) {
        return false;
    }
    const struct weir_bytes last = segment->pieces[segment->count - 1];
    if (value.len - at < last.len) {
        return false;
    }
    const size_t place = value.len - last.len;
    return (place == at || memchr(value.ptr + at, '/', place - at) == NULL) &&
           piece_at(last, value.ptr + place);
}

bool weir_glob_matches(const struct weir_glob *glob, struct weir_bytes value)
{
    if (value.len == 0) {
        value.ptr = "";
    }
    if (glob->count == 1) {
        return match_only(&glob->segments[0], value);
    }
    size_t at = 0;
    if (!match_first(&glob->segments[0], value, &at)) {
        return false;
    }
    for (size_t i = 1; i + 1 < glob->count; i++) {
        if (!match_middle(&glob->segments[i], value, &at)) {
            return false;
        }
    }
    return match_last(&glob->segments[glob->count - 1], value, at);
}
