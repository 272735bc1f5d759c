/* uv_loop.c - a program with a libuv loop of its own asks Redis without waiting, and without a
 * thread.
 *
 * Each request is a call that is handed to weir_submit; when the answer is there, its `done` runs
 * on the loop, like any other callback. Calls that are submitted in one turn of the loop leave for
 * Redis in one write. Here ten requests of a client that may make three are submitted at once; each
 * call is freed in its `done`. At the end the store is closed, and the loop runs on until the
 * store's handles are gone too.
 *
 *     uv_loop redis://127.0.0.1:6379 */

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>
#include <weir/redis.h>

#define REQUESTS 10

/* What is being asked, with the call and all that it points at. */
struct question {
    struct weir_call call;
    struct weir_request request;
    struct weir_decision decision;
};

struct program {
    struct weir *weir;
    struct weir_limit *limit;
    int waiting;
    int admitted;
};

static void answered(struct weir_call *call)
{
    struct question *question = (struct question *)call;
    struct program *program = call->context;
    if (call->status == WEIR_OK && question->decision.allowed) {
        program->admitted++;
    }
    free(question);
    if (--program->waiting == 0) {
        weir_close(program->weir);
    }
}

static int ask(struct program *program, const char *key)
{
    struct question *question = calloc(1, sizeof(*question));
    if (question == NULL) {
        return -1;
    }
    question->request = (struct weir_request){program->limit, weir_text(key), 1};
    question->call = (struct weir_call){
        .verb = WEIR_VERB_CHECK,
        .requests = &question->request,
        .count = 1,
        .now_us = WEIR_CLOCK,
        .decisions = &question->decision,
        .done = answered,
        .context = program,
    };
    program->waiting++;
    weir_submit(program->weir, &question->call);
    return 0;
}

int main(int argc, char **argv)
{
    uv_loop_t loop;
    struct program program = {.waiting = 0};
    struct weir_redis_options options = {.size = sizeof(options), .loop = &loop};
    struct weir_error error;
    if (argc != 2) {
        fprintf(stderr, "usage: uv_loop URL\n");
        return 2;
    }
    if (uv_loop_init(&loop) != 0 ||
        weir_limit_parse(weir_text("3/h"), NULL, &program.limit, NULL) != WEIR_OK) {
        return 2;
    }
    if (weir_redis_open(argv[1], &options, &program.weir, &error) != WEIR_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 2;
    }
    for (int i = 0; i < REQUESTS; i++) {
        if (ask(&program, "client-8") != 0) {
            return 2;
        }
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    weir_limit_free(program.limit);
    printf("%d asked, %d admitted, the loop is %s\n", REQUESTS, program.admitted,
           uv_loop_close(&loop) == 0 ? "empty" : "not empty");
    return 0;
}
