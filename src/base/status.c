/* status.c - the names and sentences of enum weir_status and enum weir_failure, and the
 * version.
 *
 * status.def and failure.def are the lists; the assertions below fail the build where weir.h says
 * otherwise. */

#include "weir/weir.h"

#define WEIR_STATUS(name, number, text) \
    _Static_assert((name) == (number), #name " has another number in weir.h");
#include "base/status.def"
#undef WEIR_STATUS

const char *weir_version(void)
{
    return WEIR_VERSION;
}

const char *weir_strerror(enum weir_status status)
{
    switch (status) {
#define WEIR_STATUS(name, number, text) \
    case name:                          \
        return text;
#include "base/status.def"
#undef WEIR_STATUS
    }
    return "unknown status";
}

const char *weir_status_name(enum weir_status status)
{
    switch (status) {
#define WEIR_STATUS(name, number, text) \
    case name:                          \
        return #name;
#include "base/status.def"
#undef WEIR_STATUS
    }
    return "WEIR_ERR_UNKNOWN";
}

#define WEIR_FAILURE(name, number, word, text) \
    _Static_assert((name) == (number) && (name) < WEIR_FAILURE_COUNT, #name " differs in weir.h");
#include "base/failure.def"
#undef WEIR_FAILURE

const char *weir_failure_name(enum weir_failure failure)
{
    switch (failure) {
#define WEIR_FAILURE(name, number, word, text) \
    case name:                                 \
        return word;
#include "base/failure.def"
#undef WEIR_FAILURE
    }
    return "unknown";
}

const char *weir_failure_text(enum weir_failure failure)
{
    switch (failure) {
#define WEIR_FAILURE(name, number, word, text) \
    case name:                                 \
        return text;
#include "base/failure.def"
#undef WEIR_FAILURE
    }
    return "unknown failure";
}
