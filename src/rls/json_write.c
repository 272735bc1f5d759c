/* json_write.c - a response of the rate limit service, written in proto3's JSON. See wire.h.
 *
 * As protobuf's own writers do: what is 0, empty or not there is left out; enums by name; durations
 * as "1.500s". */

#include "rls/wire.h"

#include "json/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define SECOND_US INT64_C(1000000)

static const char *const codes[] = {
    [WEIR_RLS_UNKNOWN] = "UNKNOWN", [WEIR_RLS_OK] = "OK", [WEIR_RLS_OVER_LIMIT] = "OVER_LIMIT"};

static const char *const units[WEIR_RLS_UNIT_COUNT] = {[WEIR_RLS_UNKNOWN_UNIT] = "UNKNOWN",
                                                       [WEIR_RLS_SECOND] = "SECOND",
                                                       [WEIR_RLS_MINUTE] = "MINUTE",
                                                       [WEIR_RLS_HOUR] = "HOUR",
                                                       [WEIR_RLS_DAY] = "DAY",
                                                       [WEIR_RLS_MONTH] = "MONTH",
                                                       [WEIR_RLS_YEAR] = "YEAR",
                                                       [WEIR_RLS_WEEK] = "WEEK"};

static void put_whole(struct weir_json_writer *json, const char *name, uint64_t number)
{
    if (number != 0) {
        weir_json_put_name(json, name);
        weir_json_put_whole(json, number);
    }
}

static void put_text(struct weir_json_writer *json, const char *name, struct weir_bytes text)
{
    if (text.len > 0) {
        weir_json_put_name(json, name);
        weir_json_put_string(json, text);
    }
}

/* ---- Statuses ------------------------------------------------------------------------------ */

static void put_limit(struct weir_json_writer *json, const struct weir_rls_status *status)
{
    weir_json_put_name(json, "currentLimit");
    weir_json_put_object(json);
    put_whole(json, "requestsPerUnit", status->requests_per_unit);
    if (status->unit != WEIR_RLS_UNKNOWN_UNIT) {
        weir_json_put_name(json, "unit");
        weir_json_put_text(json, units[status->unit]);
    }
    put_text(json, "name", status->name);
    weir_json_put_object_end(json);
}

static void put_duration(struct weir_json_writer *json, int64_t us)
{
    char text[48];
    const int64_t fraction = us % SECOND_US;
    weir_json_put_name(json, "durationUntilReset");
    if (fraction == 0) {
        (void)snprintf(text, sizeof(text), "%" PRId64 "s", us / SECOND_US);
    } else if (fraction % 1000 == 0) {
        (void)snprintf(text, sizeof(text), "%" PRId64 ".%03" PRId64 "s", us / SECOND_US,
                       fraction / 1000);
    } else {
        (void)snprintf(text, sizeof(text), "%" PRId64 ".%06" PRId64 "s", us / SECOND_US, fraction);
    }
    weir_json_put_text(json, text);
}

static void put_status(struct weir_json_writer *json, const struct weir_rls_status *status)
{
    weir_json_put_object(json);
    weir_json_put_name(json, "code");
    weir_json_put_text(json, codes[status->code]);
    if (status->has_limit) {
        put_limit(json, status);
    }
    put_whole(json, "limitRemaining", status->remaining);
    if (status->has_reset) {
        put_duration(json, status->reset_us);
    }
    weir_json_put_object_end(json);
}

/* ---- google.protobuf.Struct ---------------------------------------------------------------- */

static void put_string(struct weir_buffer *out, struct weir_bytes text)
{
    struct weir_json_writer json;
    weir_json_write(&json, out);
    weir_json_put_string(&json, text);
}

/* Whether it has no fraction, and few enough digits to be written whole. */
static bool is_whole(double number)
{
    return number > -1e15 && number < 1e15 && number == (double)(int64_t)number;
}

static void put_number(struct weir_buffer *out, double number)
{
    /* What JSON has no number for is a string in proto3. */
    if (isnan(number)) {
        weir_buffer_put_text(out, "\"NaN\"");
    } else if (isinf(number)) {
        weir_buffer_put_text(out, number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    } else {
        weir_buffer_print(out, is_whole(number) ? "%.0f" : "%.17g", number);
    }
}

/* NOLINTBEGIN(misc-no-recursion): as deep as a file's metadata, which the reader of files bounds */
static void put_value(struct weir_buffer *out, const struct weir_rls_value *value)
{
    const bool is_list = value->kind == WEIR_RLS_LIST;
    switch (value->kind) {
    case WEIR_RLS_NULL:
        weir_buffer_put_text(out, "null");
        break;
    case WEIR_RLS_NUMBER:
        put_number(out, value->number);
        break;
    case WEIR_RLS_TEXT:
        put_string(out, value->text);
        break;
    case WEIR_RLS_BOOLEAN:
        weir_buffer_put_text(out, value->boolean ? "true" : "false");
        break;
    case WEIR_RLS_STRUCT:
    case WEIR_RLS_LIST:
        weir_buffer_put_text(out, is_list ? "[" : "{");
        for (size_t i = 0; i < value->count; i++) {
            weir_buffer_put_text(out, i > 0 ? "," : "");
            if (!is_list) {
                put_string(out, value->names[i]);
                weir_buffer_put_text(out, ":");
            }
            put_value(out, &value->values[i]);
        }
        weir_buffer_put_text(out, is_list ? "]" : "}");
        break;
    }
}
/* NOLINTEND(misc-no-recursion) */

void weir_rls_json_encode(const struct weir_rls_response *response, struct weir_buffer *out)
{
    struct weir_json_writer json;
    weir_json_write(&json, out);
    weir_json_put_object(&json);
    weir_json_put_name(&json, "overallCode");
    weir_json_put_text(&json, codes[response->overall]);
    if (response->status_count > 0) {
        weir_json_put_name(&json, "statuses");
        weir_json_put_array(&json);
        for (size_t i = 0; i < response->status_count; i++) {
            put_status(&json, &response->statuses[i]);
        }
        weir_json_put_array_end(&json);
    }
    if (response->header_count > 0) {
        weir_json_put_name(&json, "responseHeadersToAdd");
        weir_json_put_array(&json);
        for (size_t i = 0; i < response->header_count; i++) {
            weir_json_put_object(&json);
            put_text(&json, "key", response->headers[i].key);
            put_text(&json, "value", response->headers[i].value);
            weir_json_put_object_end(&json);
        }
        weir_json_put_array_end(&json);
    }
    if (response->metadata != NULL) {
        weir_buffer_put_text(out, ",\"dynamicMetadata\":");
        put_value(out, response->metadata);
    }
    weir_json_put_object_end(&json);
}
