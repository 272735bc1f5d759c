/* server_loop.c - a server's worker threads, all asking one limiter.
 *
 * The threads take requests from a queue, ask weir whether each may pass, and answer it. One limit
 * and one store serve them all: both may be used from any number of threads at once, without a lock
 * of the program's own. What there is to get right is the end: no thread may still be asking when
 * the store is closed, so the queue is closed first, the threads finish what is in it and are
 * joined, and only then are the store and the limit given back.
 *
 * Each of four clients sends 100 requests and is allowed 25 an hour. Which thread gets which
 * request differs from run to run; what each client is admitted does not. */

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

#define WORKERS 4
#define CLIENTS 4
#define REQUESTS_EACH 100
#define QUEUE_PLACES 16

static const char *const client_names[CLIENTS] = {"alice", "bob", "carol", "dave"};

/* ---- A queue of requests. A request is the number of the client that sent it. ---- */

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int places[QUEUE_PLACES];
    int first;
    int used;
    bool closed;
};

static void queue_put(struct queue *queue, int client)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->used == QUEUE_PLACES) {
        pthread_cond_wait(&queue->changed, &queue->lock);
    }
    queue->places[(queue->first + queue->used) % QUEUE_PLACES] = client;
    queue->used++;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

/* Waits for a request; false once the queue is closed and empty. */
static bool queue_take(struct queue *queue, int *ret_client)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->used == 0 && !queue->closed) {
        pthread_cond_wait(&queue->changed, &queue->lock);
    }
    const bool taken = queue->used > 0;
    if (taken) {
        *ret_client = queue->places[queue->first];
        queue->first = (queue->first + 1) % QUEUE_PLACES;
        queue->used--;
        pthread_cond_broadcast(&queue->changed);
    }
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

static void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

/* ---- The workers ---- */

struct server {
    struct weir *weir;
    const struct weir_limit *limit;
    struct queue queue;
};

/* What one thread has answered; each has its own, so they need no lock. */
struct worker {
    pthread_t thread;
    struct server *server;
    int admitted[CLIENTS];
    int refused[CLIENTS];
    int failed;
};

static void answer(struct worker *worker, int client)
{
    struct weir_decision decision;
    const enum weir_status status =
        weir_check(worker->server->weir, worker->server->limit, weir_text(client_names[client]), 1,
                   WEIR_CLOCK, &decision);
    if (status != WEIR_OK) {
        /* The limiter could not say. Whether such a request passes is the server's to decide: here
         * it does not, and is counted. */
        fprintf(stderr, "check: %s\n", weir_strerror(status));
        worker->failed++;
    } else if (decision.allowed) {
        worker->admitted[client]++; /* 200: do the work */
    } else {
        worker->refused[client]++; /* 429, with Retry-After: decision.retry_after_us */
    }
}

static void *work(void *context)
{
    struct worker *worker = context;
    int client;
    while (queue_take(&worker->server->queue, &client)) {
        answer(worker, client);
    }
    return NULL;
}

/* Starts the workers, sends every request, and waits until all are answered. */
static bool serve(struct server *server, struct worker *workers)
{
    int started = 0;
    while (started < WORKERS) {
        workers[started].server = server;
        if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0) {
            break;
        }
        started++;
    }
    if (started > 0) {
        for (int i = 0; i < CLIENTS * REQUESTS_EACH; i++) {
            queue_put(&server->queue, i % CLIENTS);
        }
    }
    queue_close(&server->queue);
    for (int i = 0; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    return started == WORKERS;
}

static int report(const struct worker *workers)
{
    int failed = 0;
    for (int client = 0; client < CLIENTS; client++) {
        int admitted = 0;
        int refused = 0;
        for (int i = 0; i < WORKERS; i++) {
            admitted += workers[i].admitted[client];
            refused += workers[i].refused[client];
        }
        printf("%-5s sent %d: %d admitted, %d refused\n", client_names[client], REQUESTS_EACH,
               admitted, refused);
    }
    for (int i = 0; i < WORKERS; i++) {
        failed += workers[i].failed;
    }
    return failed;
}

int main(void)
{
    struct server server = {
        .queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}};
    struct worker workers[WORKERS] = {0};
    struct weir_limit *limit = NULL;
    struct weir_error error;
    if (weir_limit_parse(weir_text("25/h fixed-window"), NULL, &limit, &error) != WEIR_OK ||
        weir_open("memory:?size=1MiB", NULL, &server.weir, &error) != WEIR_OK) {
        fprintf(stderr, "%s\n", error.message);
        weir_limit_free(limit);
        return EXIT_FAILURE;
    }
    server.limit = limit;

    const bool served = serve(&server, workers);
    const int failed = report(workers);

    weir_close(server.weir);
    weir_limit_free(limit);
    printf("%d threads have ended, the store is closed\n", WORKERS);
    return served && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
