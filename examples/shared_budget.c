/* shared_budget.c - one budget for a whole fleet, over Redis.
 *
 * Four processes stand for four machines. Each asks on behalf of the same client as fast as it can;
 * together they are admitted what the limit says, no more and no less, as the budget is in Redis.
 * Each handle may be used from any number of threads; a process opens its own, after it was forked.
 *
 * What happens when Redis can't be asked is said in the URL, by on_error. Whoever wants to know
 * tells it from the decision: `source` is who answered, `failure` is why Redis did not.
 *
 *     shared_budget redis://127.0.0.1:6379?on_error=deny */

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/redis.h>

#define PROCESSES 4
#define REQUESTS_EACH 500

static int ask(const char *url, const struct weir_limit *limit)
{
    struct weir *weir = NULL;
    struct weir_error error;
    int admitted = 0;
    if (weir_redis_open(url, NULL, &weir, &error) != WEIR_OK) {
        fprintf(stderr, "%s\n", error.message);
        return -1;
    }
    for (int i = 0; i < REQUESTS_EACH; i++) {
        struct weir_decision decision;
        if (weir_check(weir, limit, weir_text("client-7"), 1, WEIR_CLOCK, &decision) != WEIR_OK) {
            admitted = -1;
            break;
        }
        if (decision.failure != WEIR_FAILURE_NONE) {
            fprintf(stderr, "Redis did not decide: %s\n",
                    weir_failure_text((enum weir_failure)decision.failure));
        }
        admitted += decision.allowed ? 1 : 0;
    }
    weir_close(weir);
    return admitted;
}

/* What one process was admitted, through a pipe, as an exit status has no room for it. */
static void run_process(const char *url, const struct weir_limit *limit, int pipe_end)
{
    const int admitted = ask(url, limit);
    const ssize_t written = write(pipe_end, &admitted, sizeof(admitted));
    _exit(written == (ssize_t)sizeof(admitted) && admitted >= 0 ? 0 : 1);
}

int main(int argc, char **argv)
{
    struct weir_limit *limit = NULL;
    int ends[2];
    int total = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: shared_budget URL\n");
        return 2;
    }
    if (weir_limit_parse(weir_text("1000/h"), NULL, &limit, NULL) != WEIR_OK || pipe(ends) != 0) {
        return 2;
    }
    for (int i = 0; i < PROCESSES; i++) {
        if (fork() == 0) {
            run_process(argv[1], limit, ends[1]);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        int admitted = 0;
        if (wait(&status) < 0 || status != 0 ||
            read(ends[0], &admitted, sizeof(admitted)) != (ssize_t)sizeof(admitted)) {
            fprintf(stderr, "a process failed\n");
            return 1;
        }
        total += admitted;
    }
    printf("%d processes asked %d times\n", PROCESSES, PROCESSES * REQUESTS_EACH);
    printf("admitted in all: %d of the 1000 that were allowed\n", total);
    weir_limit_free(limit);
    return 0;
}
