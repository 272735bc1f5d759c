/* grpc_methods.c - the methods that there are, and grpc.health.v1, which needs no store. See
 * grpc_door.h. */

#include "door/grpc_door.h"
#include "protobuf/protobuf.h"

#include <string.h>

/* ---- grpc.health.v1.Health ------------------------------------------------------------------ */

/* HealthCheckResponse.ServingStatus, as field 1 of the message. */
enum serving {
    SERVING = 1,
    NOT_SERVING = 2,
    SERVICE_UNKNOWN = 3
};

static bool equals(struct weir_bytes bytes, const char *text)
{
    return bytes.len == strlen(text) && (bytes.len == 0 || memcmp(bytes.ptr, text, bytes.len) == 0);
}

/* The service of a HealthCheckRequest. False: it is something else. */
static bool read_service(struct weir_bytes message, struct weir_bytes *ret_service)
{
    struct weir_proto_field field;
    *ret_service = weir_bytes(NULL, 0);
    while (message.len > 0) {
        if (!weir_proto_read(&message, &field)) {
            return false;
        }
        if (field.number == 1 && field.type == WEIR_PROTO_BYTES) {
            *ret_service = field.bytes;
        }
    }
    return true;
}

/* The whole server, and the service by either name that is asked for: envoyproxy/ratelimit has
 * "ratelimit". */
static enum serving look_at(const struct weir_desk *desk, struct weir_bytes service)
{
    static const char *const services[] = {"", "ratelimit",
                                           "envoy.service.ratelimit.v3.RateLimitService"};
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        if (equals(service, services[i])) {
            const char *why;
            return desk->options.service->is_ready(desk->options.service, &why) ? SERVING
                                                                                : NOT_SERVING;
        }
    }
    return SERVICE_UNKNOWN;
}

static void reply(struct weir_grpc_visit *visit, enum serving serving)
{
    const char message[] = {0x08, (char)serving};
    weir_grpc_reply(visit->call, weir_bytes(message, sizeof(message)));
    weir_session_touch(&visit->session->base);
}

static void check_health(struct weir_grpc_visit *visit, struct weir_bytes message)
{
    struct weir_bytes service;
    if (!read_service(message, &service)) {
        weir_grpc_end(visit, WEIR_GRPC_INVALID_ARGUMENT, "the message is no HealthCheckRequest");
        return;
    }
    const enum serving serving = look_at(visit->session->base.desk, service);
    if (serving == SERVICE_UNKNOWN) {
        weir_grpc_end(visit, WEIR_GRPC_NOT_FOUND, "there is no such service");
        return;
    }
    reply(visit, serving);
    weir_grpc_end(visit, WEIR_GRPC_OK, NULL);
}

static void watch_health(struct weir_grpc_visit *visit, struct weir_bytes message)
{
    struct weir_bytes service;
    if (!read_service(message, &service)) {
        weir_grpc_end(visit, WEIR_GRPC_INVALID_ARGUMENT, "the message is no HealthCheckRequest");
        return;
    }
    reply(visit, look_at(visit->session->base.desk, service));
    weir_grpc_watch(visit);
}

void weir_grpc_tell_ending(struct weir_grpc_visit *visit)
{
    reply(visit, NOT_SERVING);
    weir_grpc_end(visit, WEIR_GRPC_UNAVAILABLE, "the server is about to end");
}

/* ---- All of them ---------------------------------------------------------------------------- */

static const struct weir_grpc_method methods[] = {
    {"/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit", WEIR_RIGHT_DECIDE, false,
     weir_grpc_should_rate_limit},
    {"/grpc.health.v1.Health/Check", 0, false, check_health},
    {"/grpc.health.v1.Health/Watch", 0, false, watch_health},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", 0, true, weir_grpc_reflect},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", 0, true, weir_grpc_reflect},
};

const struct weir_grpc_method *weir_grpc_find(struct weir_bytes path)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (equals(path, methods[i].path)) {
            return &methods[i];
        }
    }
    return NULL;
}
