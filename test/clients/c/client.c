/* client.c - asks a server what test/system/resp_clients.py expects, by hiredis: PORT TOKEN. Prints
 * what was answered as JSON. */

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static redisContext *context;

static redisReply *must(redisReply *reply)
{
    if (reply == NULL) {
        (void)fprintf(stderr, "hiredis: %s\n", context->errstr);
        exit(1);
    }
    return reply;
}

/* NOLINTNEXTLINE(misc-no-recursion): two levels deep, an answer with a list in it */
static void print_reply(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER) {
        (void)printf("%lld", reply->integer);
    } else if (reply->type == REDIS_REPLY_NIL) {
        (void)printf("null");
    } else if (reply->type != REDIS_REPLY_ARRAY) {
        (void)printf("\"%s\"", reply->str);
    } else {
        (void)printf("[");
        for (size_t i = 0; i < reply->elements; i++) {
            (void)printf("%s", i > 0 ? ", " : "");
            print_reply(reply->element[i]);
        }
        (void)printf("]");
    }
}

/* Asks, and prints the answer after `before`. */
static void ask(const char *before, const char *command)
{
    redisReply *reply = must(redisCommand(context, command));
    (void)printf("%s", before);
    print_reply(reply);
    freeReplyObject(reply);
}

static long long ask_together(void)
{
    long long allowed = 0;
    for (int i = 0; i < 100; i++) {
        redisAppendCommand(context, "THROTTLE hiredisp 50 1 86400");
    }
    for (int i = 0; i < 100; i++) {
        void *answer = NULL;
        if (redisGetReply(context, &answer) != REDIS_OK) {
            (void)must(NULL);
        }
        const redisReply *reply = answer;
        allowed += reply->element[0]->integer;
        freeReplyObject(answer);
    }
    return allowed;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    context = redisConnect("127.0.0.1", (int)strtol(argv[1], NULL, 10));
    if (context == NULL || context->err != 0) {
        return 1;
    }
    redisReply *reply = must(redisCommand(context, "AUTH %s", argv[2]));
    freeReplyObject(reply);
    ask("{\"ping\": ", "PING");
    for (int i = 0; i < 4; i++) {
        ask(i == 0 ? ", \"throttle\": [" : ", ", "CL.THROTTLE hiredis2 2 1 86400");
    }
    ask("], \"check\": ", "WEIR.CHECK ATTRS 1 ip hiredis2");
    (void)printf(", \"allowed\": %lld", ask_together());
    ask(", \"error\": ", "CL.THROTTLE hiredis2 x 1 1");
    (void)printf("}\n");
    redisFree(context);
    return 0;
}
