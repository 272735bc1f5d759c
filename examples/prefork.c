/* prefork.c - a pre-forking server: many processes, one table, one exact count.
 *
 * The parent opens a shared table and forks its workers, which use the handle they inherit: the
 * table is mapped shared, so what one takes is taken for all. No process holds a lock in it, ever,
 * so a worker that is killed in the middle of a check harms nobody. (With "memory:" each worker
 * would get a copy of its own at the fork, and four times the limit would pass.)
 *
 * Four workers try 500 times each, as fast as they can, under one limit of 1000 an hour. How many
 * each gets is the scheduler's affair; together it is 1000, whatever happens. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/weir.h>

#define WORKERS 4
#define TRIES_EACH 500

/* A worker's life: asks, counts, and tells the parent through the pipe. */
static int work(struct weir *weir, const struct weir_limit *limit, int pipe_out)
{
    int admitted = 0;
    for (int i = 0; i < TRIES_EACH; i++) {
        struct weir_decision decision;
        const enum weir_status status =
            weir_check(weir, limit, weir_text("api"), 1, WEIR_CLOCK, &decision);
        if (status != WEIR_OK) {
            fprintf(stderr, "check: %s\n", weir_strerror(status));
            return EXIT_FAILURE;
        }
        admitted += decision.allowed ? 1 : 0;
    }
    const ssize_t written = write(pipe_out, &admitted, sizeof(admitted));
    return written == (ssize_t)sizeof(admitted) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Forks the workers; the answer is how many could be. */
static int fork_workers(struct weir *weir, const struct weir_limit *limit, int pipe_out)
{
    for (int i = 0; i < WORKERS; i++) {
        const pid_t pid = fork();
        if (pid == 0) {
            /* _exit, so that what the parent has buffered for its output is not printed twice. The
             * worker need not close the store: its mapping ends with it. */
            _exit(work(weir, limit, pipe_out));
        }
        if (pid < 0) {
            perror("fork");
            return i;
        }
    }
    return WORKERS;
}

/* Adds up what the workers say until the last of them has closed the pipe. */
static int add_up(int pipe_in)
{
    int total = 0;
    int admitted;
    while (read(pipe_in, &admitted, sizeof(admitted)) == (ssize_t)sizeof(admitted)) {
        total += admitted;
    }
    return total;
}

static int run(const char *url)
{
    int pipe_ends[2];
    struct weir *weir = NULL;
    struct weir_limit *limit = NULL;
    struct weir_error error;
    if (weir_limit_parse(weir_text("1000/h fixed-window"), NULL, &limit, &error) != WEIR_OK ||
        weir_open(url, NULL, &weir, &error) != WEIR_OK) {
        fprintf(stderr, "%s\n", error.message);
        weir_limit_free(limit);
        return EXIT_FAILURE;
    }
    if (pipe(pipe_ends) != 0) {
        perror("pipe");
        weir_close(weir);
        weir_limit_free(limit);
        return EXIT_FAILURE;
    }
    const int forked = fork_workers(weir, limit, pipe_ends[1]);
    close(pipe_ends[1]);
    const int total = add_up(pipe_ends[0]);
    close(pipe_ends[0]);
    int failed = WORKERS - forked;
    for (int i = 0; i < forked; i++) {
        int outcome;
        failed += wait(&outcome) < 0 || outcome != 0;
    }
    printf("%d workers asked %d times\n", WORKERS, WORKERS * TRIES_EACH);
    printf("admitted in all: %d of the 1000 that were allowed\n", total);
    weir_close(weir);
    weir_limit_free(limit);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(void)
{
    /* A server would keep its table in one place, as "shm:/var/lib/server/limits": it outlives the
     * server, so a restart forgives nobody. This one is thrown away. */
    char folder[] = "/tmp/weir-prefork-XXXXXX";
    char path[64];
    char url[96];
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return EXIT_FAILURE;
    }
    snprintf(path, sizeof(path), "%s/table", folder);
    snprintf(url, sizeof(url), "shm:%s?size=1MiB", path);
    const int outcome = run(url);
    unlink(path);
    rmdir(folder);
    return outcome;
}
