/* http_check.c - the bodies of POST /v1/check, /v1/peek, /v1/refund and /v1/reset. See
 * http_door.h.
 *
 *     {"attributes": {"ip": "192.0.2.1", "path": "/login"}, "cost": 1, "rule": "login"}
 *     {"limit": "5/m", "key": "alice", "cost": 1, "name": "login"}
 *     {"checks": [ ... as above ... ]}
 *
 * Read as a stream, each of many asked as it is read: the exchange is dropped, with all that is in
 * it, where something is wrong further on. So nothing is decided of a body that is refused. What is
 * wrong is said with line and column, and with a JSON pointer (RFC 6901). */

#include "base/error.h"
#include "door/http_door.h"
#include "door/limits.h"
#include "policy/words.h"

#include <assert.h>
#include <stdio.h>

#define MEMBER_CHECKS "checks"

enum member {
    MEMBER_ATTRIBUTES = 0,
    MEMBER_COST,
    MEMBER_RULE,
    MEMBER_LIMIT,
    MEMBER_KEY,
    MEMBER_NAME,
    MEMBER_MANY, /* only of the whole body */
    MEMBER_COUNT
};

static const char *const member_names[MEMBER_COUNT] = {"attributes", "cost", "rule",       "limit",
                                                       "key",        "name", MEMBER_CHECKS};

/* One thing asked, as it was written. */
struct item {
    unsigned members; /* a bit for each that is there */
    size_t at[MEMBER_COUNT];
    struct weir_bytes texts[MEMBER_COUNT]; /* of rule, limit, key and name */
    struct weir_attribute attributes[WEIR_ATTRIBUTES_MAX];
    size_t attribute_count;
    uint64_t cost;
};

/* A body that is being read. */
struct reading {
    const struct weir_http_visit *visit;
    enum weir_verb verb;
    struct weir_json_reader json;
    struct weir_exchange *exchange;
    struct item *item;
    bool many;
    size_t index; /* of many */
    /* What is wrong. */
    unsigned status; /* 0: nothing yet */
    size_t offset;
    char member[48];
    struct weir_error error;
};

static bool has(const struct item *item, enum member member)
{
    return (item->members & (1U << member)) != 0;
}

/* ---- Refusing ------------------------------------------------------------------------------ */

/* Where the message is about: a member of the item (NULL: all of it) and a place in the body. The
 * message is in `error` already. */
static bool refuse_at(struct reading *reading, unsigned status, const char *member, size_t offset)
{
    const char *slash = member == NULL ? "" : "/";
    const char *name = member == NULL ? "" : member;
    reading->status = status;
    reading->offset = offset;
    if (reading->many) {
        (void)snprintf(reading->member, sizeof(reading->member), "/" MEMBER_CHECKS "/%zu%s%s",
                       reading->index, slash, name);
    } else {
        (void)snprintf(reading->member, sizeof(reading->member), "%s%s", slash, name);
    }
    return false;
}

/* As printf: the message, and then refuse_at with 400. */
#define refuse(reading, member, offset, ...)               \
    (weir_error_set(&(reading)->error, 0, 0, __VA_ARGS__), \
     refuse_at((reading), 400, (member), (offset)))

static bool refuse_json(struct reading *reading)
{
    return refuse(reading, NULL, reading->json.at, "this is no JSON: %s", reading->json.complaint);
}

static bool refuse_kind(struct reading *reading, enum member member, const char *wanted)
{
    return refuse(reading, member_names[member], reading->json.start, "`%s` must be %s",
                  member_names[member], wanted);
}

static bool refuse_name(struct reading *reading)
{
    const size_t known = reading->many ? MEMBER_MANY : MEMBER_COUNT;
    const struct weir_bytes name = reading->json.text;
    const char *near = weir_word_suggest(name, member_names, known);
    const struct weir_quote quote = weir_word_quote(name);
    if (near != NULL) {
        return refuse(reading, NULL, reading->json.start, "`%s` is no member of a check; `%s` is",
                      quote.text, near);
    }
    return refuse(reading, NULL, reading->json.start,
                  "`%s` is no member of a check; `attributes`, `cost`, `rule`, or `limit`, `key`, "
                  "`cost`, `name` are",
                  quote.text);
}

/* ---- Members ------------------------------------------------------------------------------- */

static bool read_attribute(struct reading *reading, struct item *item)
{
    struct weir_json_reader *json = &reading->json;
    const struct weir_bytes name = json->text;
    const size_t at = json->start;
    if (item->attribute_count == WEIR_ATTRIBUTES_MAX) {
        return refuse(reading, "attributes", at,
                      "there are more than %d attributes; leave out "
                      "those that no rule looks at",
                      WEIR_ATTRIBUTES_MAX);
    }
    const enum weir_json_token token = weir_json_next(json);
    if (token == WEIR_JSON_BAD) {
        return refuse_json(reading);
    }
    if (token != WEIR_JSON_STRING) {
        return refuse(reading, "attributes", json->start,
                      "the attribute `%s` must be a string, as \"42\"", weir_word_quote(name).text);
    }
    item->attributes[item->attribute_count++] =
        (struct weir_attribute){.name = name, .value = json->text};
    return true;
}

static bool read_attributes(struct reading *reading, struct item *item)
{
    enum weir_json_token token = weir_json_next(&reading->json);
    if (token == WEIR_JSON_BAD) {
        return refuse_json(reading);
    }
    if (token != WEIR_JSON_OBJECT) {
        return refuse_kind(reading, MEMBER_ATTRIBUTES, "an object, as {\"ip\": \"192.0.2.1\"}");
    }
    token = weir_json_next(&reading->json);
    while (token == WEIR_JSON_NAME) {
        if (!read_attribute(reading, item)) {
            return false;
        }
        token = weir_json_next(&reading->json);
    }
    return token == WEIR_JSON_BAD ? refuse_json(reading) : true;
}

static bool read_cost(struct reading *reading, struct item *item)
{
    const enum weir_json_token token = weir_json_next(&reading->json);
    if (token == WEIR_JSON_BAD) {
        return refuse_json(reading);
    }
    uint64_t cost;
    if (token != WEIR_JSON_NUMBER || !weir_json_whole(reading->json.text, &cost) ||
        cost > WEIR_COST_MAX) {
        return refuse_kind(reading, MEMBER_COST, "a whole number from 0 to 4294967295");
    }
    item->cost = cost;
    return true;
}

static bool read_text(struct reading *reading, struct item *item, enum member member)
{
    const enum weir_json_token token = weir_json_next(&reading->json);
    if (token == WEIR_JSON_BAD) {
        return refuse_json(reading);
    }
    if (token != WEIR_JSON_STRING) {
        return refuse_kind(reading, member, "a string");
    }
    item->texts[member] = reading->json.text;
    return true;
}

static bool read_many(struct reading *reading);

/* NOLINTBEGIN(misc-no-recursion): a check within `checks` has no `checks`: two levels. */
static bool read_member(struct reading *reading, struct item *item)
{
    size_t member = 0;
    while (member < MEMBER_COUNT && !weir_http_equals(reading->json.text, member_names[member])) {
        member++;
    }
    if (member == MEMBER_COUNT || (member == MEMBER_MANY && reading->many)) {
        return refuse_name(reading);
    }
    if ((member == MEMBER_MANY && item->members != 0) || has(item, MEMBER_MANY)) {
        return refuse(reading, NULL, reading->json.start,
                      "`checks` stands alone; write the other members into each check of it");
    }
    item->members |= 1U << member;
    item->at[member] = reading->json.start;
    switch ((enum member)member) {
    case MEMBER_ATTRIBUTES:
        return read_attributes(reading, item);
    case MEMBER_COST:
        return read_cost(reading, item);
    case MEMBER_MANY:
        return read_many(reading);
    case MEMBER_RULE:
    case MEMBER_LIMIT:
    case MEMBER_KEY:
    case MEMBER_NAME:
    case MEMBER_COUNT:
        break;
    }
    return read_text(reading, item, (enum member)member);
}
/* NOLINTEND(misc-no-recursion) */

/* ---- Asking -------------------------------------------------------------------------------- */

/* By the rules of the policy. */
static bool ask_rules(struct reading *reading, const struct item *item)
{
    const struct weir_desk *desk = reading->visit->desk;
    struct weir_inquiry_spec spec = {
        .attributes = item->attributes,
        .count = item->attribute_count,
        .cost = item->cost,
        .only = SIZE_MAX,
        .now_us = desk->now_us,
    };
    if (has(item, MEMBER_RULE)) {
        spec.only = weir_policy_find(desk->view->config->policy, item->texts[MEMBER_RULE]);
        if (spec.only == SIZE_MAX) {
            return refuse(reading, "rule", item->at[MEMBER_RULE],
                          "no rule is named `%s`; GET /v1/rules lists those there are",
                          weir_word_quote(item->texts[MEMBER_RULE]).text);
        }
    }
    const enum weir_status status =
        weir_exchange_ask(reading->exchange, reading->verb, &spec, &reading->error);
    if (status == WEIR_OK) {
        return true;
    }
    if (status == WEIR_ERR_NO_MEMORY) {
        weir_error_set(&reading->error, 0, 0, "%s", weir_strerror(status));
    }
    return refuse_at(reading, weir_http_status_of(status), "attributes",
                     item->at[MEMBER_ATTRIBUTES]);
}

/* By a limit of the peer's. */
static bool ask_limit(struct reading *reading, const struct item *item)
{
    struct weir_desk *desk = reading->visit->desk;
    const struct weir_bytes name =
        has(item, MEMBER_NAME) ? item->texts[MEMBER_NAME] : weir_bytes("", 0);
    if (!desk->view->config->ad_hoc) {
        weir_error_set(&reading->error, 0, 0,
                       "this server takes no limits from those who ask: ask by `attributes`, or "
                       "write `ad_hoc: true` into its configuration");
        return refuse_at(reading, 403, "limit", item->at[MEMBER_LIMIT]);
    }
    struct weir_ad_hoc *limit;
    enum weir_status status =
        weir_ad_hoc_text(desk->limits, item->texts[MEMBER_LIMIT], name, &limit, &reading->error);
    if (status != WEIR_OK) {
        if (status == WEIR_ERR_NO_MEMORY) {
            weir_error_set(&reading->error, 0, 0, "%s", weir_strerror(status));
        }
        return refuse_at(reading, weir_http_status_of(status), "limit", item->at[MEMBER_LIMIT]);
    }
    status = weir_exchange_ask_limit(reading->exchange, reading->verb, limit,
                                     item->texts[MEMBER_KEY], item->cost);
    if (status != WEIR_OK) {
        weir_error_set(&reading->error, 0, 0, "%s", weir_strerror(status));
        return refuse_at(reading, weir_http_status_of(status), "key", item->at[MEMBER_KEY]);
    }
    return true;
}

/* Whether its members go together; `start` is where it begins. */
static bool ask_item(struct reading *reading, struct item *item, size_t start)
{
    if (has(item, MEMBER_LIMIT)) {
        if (!has(item, MEMBER_KEY)) {
            return refuse(reading, "limit", item->at[MEMBER_LIMIT],
                          "`limit` needs a `key`, whose budget it is; an empty one will do");
        }
        if (has(item, MEMBER_ATTRIBUTES) || has(item, MEMBER_RULE)) {
            return refuse(reading, "limit", item->at[MEMBER_LIMIT],
                          "`limit` is in place of the policy's rules: leave out `attributes` and "
                          "`rule`, or `limit`");
        }
        return ask_limit(reading, item);
    }
    if (has(item, MEMBER_KEY) || has(item, MEMBER_NAME)) {
        const enum member member = has(item, MEMBER_KEY) ? MEMBER_KEY : MEMBER_NAME;
        return refuse(reading, member_names[member], item->at[member],
                      "`%s` goes with a `limit`, as \"100/m\", which is missing",
                      member_names[member]);
    }
    if (!has(item, MEMBER_ATTRIBUTES)) {
        return refuse(reading, NULL, start,
                      "`attributes` is missing, as {\"attributes\": {\"ip\": \"192.0.2.1\"}}; or "
                      "`limit` and `key`, as {\"limit\": \"100/m\", \"key\": \"alice\"}");
    }
    return ask_rules(reading, item);
}

/* NOLINTBEGIN(misc-no-recursion): as above. */
/* An object whose '{' has been read. */
static bool read_item(struct reading *reading, struct item *item)
{
    const size_t start = reading->json.start;
    item->members = 0;
    item->attribute_count = 0;
    item->cost = 1;
    enum weir_json_token token = weir_json_next(&reading->json);
    while (token == WEIR_JSON_NAME) {
        if (!read_member(reading, item)) {
            return false;
        }
        token = weir_json_next(&reading->json);
    }
    if (token == WEIR_JSON_BAD) {
        return refuse_json(reading);
    }
    return has(item, MEMBER_MANY) || ask_item(reading, item, start);
}

static bool read_many(struct reading *reading)
{
    struct weir_json_reader *json = &reading->json;
    const uint32_t most = reading->visit->desk->view->config->caps.batch;
    enum weir_json_token token = weir_json_next(json);
    if (token == WEIR_JSON_BAD) {
        return refuse_json(reading);
    }
    if (token != WEIR_JSON_ARRAY) {
        return refuse_kind(reading, MEMBER_MANY, "an array of checks");
    }
    /* The outer item has no other member, so that its place is free for each of these. */
    struct item *item = reading->item;
    reading->many = true;
    for (token = weir_json_next(json); token != WEIR_JSON_ARRAY_END; token = weir_json_next(json)) {
        if (token == WEIR_JSON_BAD) {
            return refuse_json(reading);
        }
        if (token != WEIR_JSON_OBJECT) {
            return refuse(reading, NULL, json->start, "a check must be an object");
        }
        if (reading->index >= most) {
            return refuse(reading, NULL, json->start,
                          "there are more than %u checks; send them in several requests, or raise "
                          "the server's cap on a batch",
                          most);
        }
        if (!read_item(reading, item)) {
            return false;
        }
        reading->index++;
    }
    reading->many = false;
    item->members = 1U << MEMBER_MANY;
    return true;
}
/* NOLINTEND(misc-no-recursion) */

/* ---- The whole ----------------------------------------------------------------------------- */

static bool read_body(struct reading *reading, struct item *item)
{
    reading->item = item;
    const enum weir_json_token token = weir_json_next(&reading->json);
    if (token == WEIR_JSON_BAD) {
        return refuse_json(reading);
    }
    if (token != WEIR_JSON_OBJECT) {
        return refuse(reading, NULL, reading->json.start,
                      "the body must be an object, as {\"attributes\": {\"ip\": \"192.0.2.1\"}}");
    }
    if (!read_item(reading, item)) {
        return false;
    }
    return weir_json_next(&reading->json) == WEIR_JSON_END || refuse_json(reading);
}

static void say_refused(const struct reading *reading)
{
    struct weir_http_problem problem = {
        .status = reading->status,
        .detail = reading->error.message,
        .member = reading->member,
    };
    weir_json_place(reading->json.input, reading->offset, &problem.line, &problem.column);
    weir_http_say_problem(reading->visit, &problem);
}

/* Only what says that it is JSON is read as such: so no page of another site can have a browser
 * send it here unasked. */
bool weir_http_is_json(const struct weir_http_request *request)
{
    const struct weir_bytes *type = weir_http_find(request, "content-type");
    if (type == NULL) {
        return false;
    }
    size_t len = 0;
    while (len < type->len && type->ptr[len] != ';' && type->ptr[len] != ' ' &&
           type->ptr[len] != '\t') {
        len++;
    }
    return weir_http_is(weir_bytes(type->ptr, len), "application/json");
}

void weir_http_check(const struct weir_http_visit *visit, enum weir_verb verb)
{
    if (!weir_http_is_json(visit->request)) {
        const struct weir_http_problem problem = {
            .status = 415,
            .detail = "the body must be JSON, and say so: send `Content-Type: application/json`",
            .header = "Accept: application/json\r\n",
        };
        weir_http_say_problem(visit, &problem);
        return;
    }
    struct reading reading = {.visit = visit, .verb = verb};
    struct item item;
    reading.exchange = weir_exchange_new(&visit->session->base);
    if (reading.exchange == NULL) {
        return;
    }
    weir_json_begin(&reading.json, visit->request->body, &visit->desk->scratch);
    if (!read_body(&reading, &item)) {
        assert(reading.status != 0);
        weir_exchange_drop(reading.exchange);
        say_refused(&reading);
        return;
    }
    reading.exchange->kind = has(&item, MEMBER_MANY) ? WEIR_HTTP_KIND_MANY : WEIR_HTTP_KIND_ONE;
    reading.exchange->flags = visit->flags;
    weir_exchange_submit(reading.exchange);
}
