/* http_route.c - the endpoints: which there are, what each takes, and who may ask. See
 * http_door.h. */

#include "door/http_door.h"

#include <stdio.h>

/* The methods of an endpoint, as a set of bits. */
enum methods {
    METHOD_GET = 1, /* and HEAD */
    METHOD_POST = 2,
    METHOD_ANY = 4
};

struct endpoint {
    const char *path;
    unsigned methods;
    unsigned right; /* enum weir_rights; 0: none is needed */
    const char *allow;
    void (*answer)(const struct weir_http_visit *visit);
};

static void check(const struct weir_http_visit *visit)
{
    weir_http_check(visit, WEIR_VERB_CHECK);
}

static void peek(const struct weir_http_visit *visit)
{
    weir_http_check(visit, WEIR_VERB_PEEK);
}

static void refund(const struct weir_http_visit *visit)
{
    weir_http_check(visit, WEIR_VERB_REFUND);
}

static void reset(const struct weir_http_visit *visit)
{
    weir_http_check(visit, WEIR_VERB_RESET);
}

#define ALLOW_GET "Allow: GET, HEAD\r\n"
#define ALLOW_POST "Allow: POST\r\n"

static const struct endpoint endpoints[] = {
    {"/v1/forward-auth", METHOD_ANY, WEIR_RIGHT_DECIDE, NULL, weir_http_forward},
    {"/v1/check", METHOD_POST, WEIR_RIGHT_DECIDE, ALLOW_POST, check},
    {"/v1/peek", METHOD_POST, WEIR_RIGHT_DECIDE, ALLOW_POST, peek},
    {"/v1/refund", METHOD_POST, WEIR_RIGHT_DECIDE, ALLOW_POST, refund},
    {"/v1/reset", METHOD_POST, WEIR_RIGHT_ADMINISTER, ALLOW_POST, reset},
    {"/v1/status", METHOD_GET, WEIR_RIGHT_READ, ALLOW_GET, weir_http_tell_status},
    {"/v1/rules", METHOD_GET, WEIR_RIGHT_READ, ALLOW_GET, weir_http_tell_rules},
    {"/v1/top", METHOD_GET, WEIR_RIGHT_READ, ALLOW_GET, weir_http_tell_top},
    {"/json", METHOD_POST, WEIR_RIGHT_DECIDE, ALLOW_POST, weir_http_json},
    {"/rlconfig", METHOD_GET, WEIR_RIGHT_READ, ALLOW_GET, weir_http_tell_rlconfig},
    {"/stats", METHOD_GET, WEIR_RIGHT_READ, ALLOW_GET, weir_http_tell_stats},
    {"/healthcheck", METHOD_GET, 0, ALLOW_GET, weir_http_tell_healthcheck},
    {"/metrics", METHOD_GET, WEIR_RIGHT_READ, ALLOW_GET, weir_http_tell_metrics},
    {"/healthz", METHOD_GET, 0, ALLOW_GET, weir_http_tell_alive},
    {"/readyz", METHOD_GET, 0, ALLOW_GET, weir_http_tell_ready},
    {"/openapi.json", METHOD_GET, 0, ALLOW_GET, weir_http_tell_openapi},
};
#define ENDPOINT_COUNT (sizeof(endpoints) / sizeof(endpoints[0]))

static const struct endpoint *find_endpoint(struct weir_bytes path)
{
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        if (weir_http_equals(path, endpoints[i].path)) {
            return &endpoints[i];
        }
    }
    return NULL;
}

static bool takes_method(const struct endpoint *endpoint, struct weir_bytes method)
{
    if (endpoint->methods == METHOD_ANY) {
        return true;
    }
    if (endpoint->methods == METHOD_POST) {
        return weir_http_equals(method, "POST");
    }
    return weir_http_equals(method, "GET") || weir_http_equals(method, "HEAD");
}

/* What follows "Bearer " in an Authorization header; false where it is of another kind. */
static bool bearer(struct weir_bytes value, struct weir_bytes *ret_secret)
{
    static const char scheme[] = "bearer";
    const size_t len = sizeof(scheme) - 1;
    if (value.len <= len || value.ptr[len] != ' ' ||
        !weir_http_is(weir_bytes(value.ptr, len), scheme)) {
        return false;
    }
    size_t at = len;
    while (at < value.len && value.ptr[at] == ' ') {
        at++;
    }
    *ret_secret = weir_bytes(value.ptr + at, value.len - at);
    return true;
}

static void say_unauthorized(const struct weir_http_visit *visit, const char *detail)
{
    const struct weir_http_problem problem = {
        .status = 401,
        .detail = detail,
        .header = "WWW-Authenticate: Bearer realm=\"weir\"\r\n",
    };
    weir_http_say_problem(visit, &problem);
}

/* Whether the peer may do this; where not, that has been said. An Authorization header that came
 * along with a proxied request and is none of ours does no harm where none is needed. */
static bool may(const struct weir_http_visit *visit, unsigned right)
{
    const struct weir_session *session = &visit->session->base;
    if ((session->rights & right) == right) {
        return true;
    }
    const struct weir_bytes *value = weir_http_find(visit->request, "authorization");
    struct weir_bytes secret;
    unsigned rights = 0;
    if (value != NULL && bearer(*value, &secret)) {
        rights = weir_listener_rights(session->listener, weir_bytes(NULL, 0), secret, NULL);
        if ((rights & right) == right) {
            return true;
        }
    }
    weir_tally_count(visit->desk->options.tally, WEIR_COUNT_UNAUTHORIZED, 1);
    if (rights != 0 || session->listener->token_count == 0) {
        const struct weir_http_problem problem = {
            .status = 403,
            .detail = "this token, or this listener, has not the right to do that; the listener's "
                      "`tokens` and `rights` in the configuration say who may do what",
        };
        weir_http_say_problem(visit, &problem);
    } else if (value == NULL) {
        say_unauthorized(visit, "a token is needed: send `Authorization: Bearer TOKEN`");
    } else {
        say_unauthorized(visit, "this is none of the listener's tokens; send one of them as "
                                "`Authorization: Bearer TOKEN`");
    }
    return false;
}

static void say_not_found(const struct weir_http_visit *visit)
{
    const struct weir_http_problem problem = {
        .status = 404,
        .detail = "there is nothing here; GET /openapi.json lists what there is, as "
                  "POST /v1/check and GET /v1/forward-auth",
    };
    weir_http_say_problem(visit, &problem);
}

void weir_http_route(const struct weir_http_visit *visit)
{
    const struct weir_http_request *request = visit->request;
    const struct endpoint *endpoint = find_endpoint(request->path);
    if (endpoint == NULL) {
        say_not_found(visit);
        return;
    }
    if (!takes_method(endpoint, request->method)) {
        char detail[96];
        (void)snprintf(detail, sizeof(detail), "%s takes %s and no other method", endpoint->path,
                       endpoint->methods == METHOD_POST ? "POST" : "GET and HEAD");
        const struct weir_http_problem problem = {
            .status = 405, .detail = detail, .header = endpoint->allow};
        weir_http_say_problem(visit, &problem);
        return;
    }
    if (endpoint->right == 0 || may(visit, endpoint->right)) {
        endpoint->answer(visit);
    }
}
