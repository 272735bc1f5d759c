/* grpc_reflection.c - grpc.reflection.v1 and v1alpha, which are the same but for their names: what
 * the server speaks, from the descriptors that protobuf/schema/ was made into. See grpc_door.h.
 *
 * It tells nothing that is not in weir's sources, and so needs no right. What a question is
 * answered with is many times its own length: a peer that asks and does not read is not answered
 * for long.
 *
 * Source: gRPC's "GRPC Server Reflection Protocol". */

#include "door/grpc_door.h"
#include "protobuf/protobuf.h"

#include <assert.h>
#include <string.h>

/* Files in the schema, at most. */
#define FILES_MAX 32

/* What may wait to be sent to a peer that asks on. */
#define BACKLOG_MAX ((size_t)256 << 10)

/* Fields of FileDescriptorProto, DescriptorProto and ServiceDescriptorProto. */
enum {
    NAME = 1,
    PACKAGE = 2,
    DEPENDENCY = 3,
    FILE_SERVICE = 6
};

/* What is asked, by its field in a ServerReflectionRequest. */
enum question {
    NOTHING = 0,
    FILE_BY_NAME = 3,
    FILE_OF_SYMBOL = 4,
    FILE_OF_EXTENSION = 5,
    EXTENSIONS_OF_TYPE = 6,
    SERVICES = 7
};

struct asked {
    struct weir_bytes host;
    enum question question;
    struct weir_bytes text;
};

/* ---- The schema ---------------------------------------------------------------------------- */

static bool same(struct weir_bytes a, struct weir_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The next value of a field of a message; false: there is none. */
static bool next(struct weir_bytes *message, uint32_t number, struct weir_bytes *ret_value)
{
    struct weir_proto_field field;
    while (message->len > 0 && weir_proto_read(message, &field)) {
        if (field.number == number && field.type == WEIR_PROTO_BYTES) {
            *ret_value = field.bytes;
            return true;
        }
    }
    return false;
}

static size_t list_files(struct weir_bytes *files)
{
    struct weir_bytes schema = weir_bytes(weir_proto_schema, weir_proto_schema_len);
    size_t count = 0;
    while (count < FILES_MAX && next(&schema, 1, &files[count])) {
        count++;
    }
    assert(schema.len == 0);
    return count;
}

/* What can be declared in what, by which field. */
enum scope {
    IN_FILE,
    IN_MESSAGE,
    IN_SERVICE,
    IN_NOTHING
};

static const struct {
    enum scope scope;
    uint32_t field;
    enum scope inner;
} declarations[] = {
    {IN_FILE, 4, IN_MESSAGE},            /* messages */
    {IN_FILE, 5, IN_NOTHING},            /* enums */
    {IN_FILE, FILE_SERVICE, IN_SERVICE}, /* services */
    {IN_MESSAGE, 2, IN_NOTHING},         /* fields */
    {IN_MESSAGE, 3, IN_MESSAGE},         /* messages in messages */
    {IN_MESSAGE, 4, IN_NOTHING},         /* enums in messages */
    {IN_SERVICE, 2, IN_NOTHING},         /* methods */
};

/* Goes from a declaration to the one of this name in it; false: there is none. */
static bool enter(struct weir_bytes *at, enum scope *scope, struct weir_bytes name)
{
    for (size_t i = 0; i < sizeof(declarations) / sizeof(declarations[0]); i++) {
        struct weir_bytes rest = *at;
        struct weir_bytes inner;
        while (declarations[i].scope == *scope && next(&rest, declarations[i].field, &inner)) {
            if (same(weir_proto_find(inner, NAME), name)) {
                *at = inner;
                *scope = declarations[i].inner;
                return true;
            }
        }
    }
    return false;
}

/* Whether a file declares what has this name, in full: "package.Message.field". */
static bool declares(struct weir_bytes file, struct weir_bytes symbol, enum scope *ret_what)
{
    const struct weir_bytes package = weir_proto_find(file, PACKAGE);
    enum scope scope = IN_FILE;
    if (symbol.len <= package.len || symbol.ptr[package.len] != '.' ||
        !same(weir_bytes(symbol.ptr, package.len), package)) {
        return false;
    }
    struct weir_bytes rest = weir_bytes(symbol.ptr + package.len + 1, symbol.len - package.len - 1);
    for (;;) {
        const char *dot = rest.len > 0 ? memchr(rest.ptr, '.', rest.len) : NULL;
        const size_t len = dot != NULL ? (size_t)(dot - rest.ptr) : rest.len;
        if (!enter(&file, &scope, weir_bytes(rest.ptr, len))) {
            return false;
        }
        if (dot == NULL) {
            *ret_what = scope;
            return true;
        }
        rest = weir_bytes(dot + 1, rest.len - len - 1);
    }
}

/* ---- Answers ------------------------------------------------------------------------------- */

static void put_error(struct weir_buffer *out, enum weir_grpc_status status, const char *text)
{
    const size_t start = weir_proto_begin(out, 7);
    weir_proto_put_number(out, 1, (uint64_t)status);
    weir_proto_put_text(out, 2, weir_bytes(text, strlen(text)));
    weir_proto_end(out, start);
}

/* A file, and then all that it needs: the schema has each after those. */
static void put_files(struct weir_buffer *out, const struct weir_bytes *files, size_t which)
{
    bool needed[FILES_MAX] = {0};
    const size_t start = weir_proto_begin(out, 4);
    needed[which] = true;
    for (size_t i = which + 1; i-- > 0;) {
        struct weir_bytes rest = files[i];
        struct weir_bytes name;
        if (!needed[i]) {
            continue;
        }
        weir_proto_put_bytes(out, 1, files[i]);
        while (next(&rest, DEPENDENCY, &name)) {
            for (size_t j = 0; j < i; j++) {
                needed[j] = needed[j] || same(weir_proto_find(files[j], NAME), name);
            }
        }
    }
    weir_proto_end(out, start);
}

static void tell_file(struct weir_buffer *out, const struct asked *asked)
{
    struct weir_bytes files[FILES_MAX];
    const size_t count = list_files(files);
    for (size_t i = 0; i < count; i++) {
        enum scope what;
        if (asked->question == FILE_BY_NAME ? same(weir_proto_find(files[i], NAME), asked->text)
                                            : declares(files[i], asked->text, &what)) {
            put_files(out, files, i);
            return;
        }
    }
    put_error(out, WEIR_GRPC_NOT_FOUND,
              asked->question == FILE_BY_NAME ? "there is no such file here"
                                              : "there is no such symbol here");
}

/* None of the messages here is extended. */
static void tell_extensions(struct weir_buffer *out, struct weir_bytes type)
{
    struct weir_bytes files[FILES_MAX];
    const size_t count = list_files(files);
    for (size_t i = 0; i < count; i++) {
        enum scope what;
        if (declares(files[i], type, &what) && what == IN_MESSAGE) {
            const size_t start = weir_proto_begin(out, 5);
            weir_proto_put_text(out, 1, type);
            weir_proto_end(out, start);
            return;
        }
    }
    put_error(out, WEIR_GRPC_NOT_FOUND, "there is no such message here");
}

static void put_service(struct weir_buffer *out, struct weir_bytes package, struct weir_bytes name)
{
    const size_t start = weir_proto_begin(out, 1);
    weir_proto_put_tag(out, 1, WEIR_PROTO_BYTES);
    weir_proto_put_varint(out, package.len + 1 + name.len);
    weir_buffer_put(out, package);
    weir_buffer_put(out, weir_bytes(".", 1));
    weir_buffer_put(out, name);
    weir_proto_end(out, start);
}

static void tell_services(struct weir_buffer *out)
{
    struct weir_bytes files[FILES_MAX];
    const size_t count = list_files(files);
    const size_t start = weir_proto_begin(out, 6);
    for (size_t i = 0; i < count; i++) {
        struct weir_bytes rest = files[i];
        struct weir_bytes service;
        while (next(&rest, FILE_SERVICE, &service)) {
            put_service(out, weir_proto_find(files[i], PACKAGE), weir_proto_find(service, NAME));
        }
    }
    weir_proto_end(out, start);
}

/* ---- A question ---------------------------------------------------------------------------- */

/* NULL, or what is wrong with it. */
static const char *read_question(struct weir_bytes message, struct asked *ret_asked)
{
    struct weir_proto_field field;
    *ret_asked = (struct asked){.question = NOTHING};
    while (message.len > 0) {
        if (!weir_proto_read(&message, &field)) {
            return "the message is no ServerReflectionRequest";
        }
        if (field.type != WEIR_PROTO_BYTES) {
            continue;
        }
        if (field.number != FILE_OF_EXTENSION && !weir_proto_is_utf8(field.bytes)) {
            return "a text is not UTF-8";
        }
        if (field.number == 1) {
            ret_asked->host = field.bytes;
        } else if (field.number >= FILE_BY_NAME && field.number <= SERVICES) {
            ret_asked->question = (enum question)field.number;
            ret_asked->text = field.bytes;
        }
    }
    return ret_asked->question == NOTHING ? "nothing is asked" : NULL;
}

static void put_answer(struct weir_buffer *out, const struct asked *asked)
{
    switch (asked->question) {
    case FILE_BY_NAME:
    case FILE_OF_SYMBOL:
        tell_file(out, asked);
        break;
    case FILE_OF_EXTENSION:
        put_error(out, WEIR_GRPC_NOT_FOUND, "there are no extensions here");
        break;
    case EXTENSIONS_OF_TYPE:
        tell_extensions(out, asked->text);
        break;
    case SERVICES:
        tell_services(out);
        break;
    case NOTHING:
        break;
    }
}

void weir_grpc_reflect(struct weir_grpc_visit *visit, struct weir_bytes message)
{
    struct asked asked;
    const char *wrong = read_question(message, &asked);
    if (wrong != NULL) {
        weir_grpc_end(visit, WEIR_GRPC_INVALID_ARGUMENT, wrong);
        return;
    }
    if (weir_grpc_backlog(visit->session->grpc) > BACKLOG_MAX) {
        weir_grpc_end(visit, WEIR_GRPC_RESOURCE_EXHAUSTED, "more is asked than is read");
        return;
    }
    struct weir_buffer answer = {.allocator = visit->session->base.desk->allocator};
    weir_proto_put_text(&answer, 1, asked.host);
    weir_proto_put_bytes(&answer, 2, message);
    put_answer(&answer, &asked);
    if (answer.failed) {
        weir_grpc_end(visit, WEIR_GRPC_RESOURCE_EXHAUSTED, "no memory");
    } else {
        weir_grpc_reply(visit->call, weir_bytes(answer.bytes, answer.len));
        weir_session_touch(&visit->session->base);
    }
    weir_buffer_deinit(&answer);
}
