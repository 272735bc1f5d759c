/* flight.h - what the client's files share: a client, a call's record, a flight.
 *
 * client.h says what they do. Read client.c next (a call comes in), then flight.c (its questions go
 * out), answer.c (answers come back), together.c (all or none over several slots).
 *
 * Invariants: a question is in exactly one flight, from boarding until it is answered, and whoever
 * answers it takes it out of there first (weir_flight_take). A flight is in the client's list from
 * its making until all of its questions are answered and it is in nobody else's hands. */

#ifndef WEIR_REDIS_FLIGHT_H
#define WEIR_REDIS_FLIGHT_H

#include "redis/client.h"
#include "redis/denials.h"
#include "redis/fallback.h"
#include "redis/route.h"
#include "redis/script.h"

struct weir_together;

/* What the client keeps in weir_call.internal while the call is with it. */
struct weir_record {
    struct weir_call *next; /* among those taken in this turn */
    int64_t deadline_us;
    size_t left;    /* questions not yet answered */
    size_t stopped; /* the lowest index that failed, or (together) was denied; else count */
    bool part;      /* a call of together.c: failures are its own business */
    enum weir_failure failure; /* of a part */
    enum weir_status status;
};
_Static_assert(sizeof(struct weir_record) <= sizeof(((struct weir_call *)0)->internal),
               "a call has room for its record");

static inline struct weir_record *weir_record_of(struct weir_call *call)
{
    return (struct weir_record *)(void *)call->internal;
}

/* Who is to be told the answer to a question: `call` is NULL once it has been. */
struct weir_passenger {
    struct weir_call *call;
    size_t index;
};

enum weir_flight_place {
    WEIR_FLIGHT_SPARE = 0,
    WEIR_FLIGHT_BOARDING, /* in the client's `open` */
    WEIR_FLIGHT_PARKED,   /* in `parked`, until again_us or the route knows more */
    WEIR_FLIGHT_SENT,     /* with a node */
    WEIR_FLIGHT_HELD      /* being looked at by a function on the stack */
};

struct weir_flight {
    struct weir_command command;
    struct weir_client *client;
    struct weir_flight *next; /* of all there are, or of the spare ones */
    struct weir_flight *previous;
    struct weir_flight *next_parked;
    enum weir_flight_place place;
    int64_t deadline_us;
    int64_t again_us;          /* parked */
    enum weir_failure failure; /* parked: what to say of it if its time runs out there */
    uint16_t slot;             /* of a cluster; else 0 */
    uint16_t groups;
    unsigned weight; /* of its questions: weir_script_weight */
    unsigned attempts;
    bool with_text;
    bool asking;
    struct weir_script_call script;
    struct weir_buffer names;
    struct weir_script_question questions[WEIR_SCRIPT_QUESTIONS_MAX];
    struct weir_passenger passengers[WEIR_SCRIPT_QUESTIONS_MAX];
    uint32_t hashes[WEIR_SCRIPT_QUESTIONS_MAX]; /* of the names, where a call has several; else 0 */
};

/* Flights that still take questions. More kinds at once than this are rare, and cost a script call
 * more. */
#define WEIR_FLIGHTS_OPEN_MAX 16

#define WEIR_LOST_PLACES 64

struct weir_client {
    struct weir_client_options options;
    struct weir_bytes prefix;
    struct weir_tls_context *tls;
    struct weir_scripts *scripts;
    struct weir_denials *denials;
    struct weir_fallback *fallback;
    struct weir_route *route;
    bool cluster;
    bool closing;

    uv_idle_t turn;   /* goes off in the loop's next turn */
    uv_timer_t clock; /* for what is parked */
    unsigned handles;
    void (*closed)(void *context);
    void *closed_context;

    struct weir_call *taken_first;
    struct weir_call *taken_last;
    int64_t turn_us;                                 /* when the first of these came; 0: none has */
    struct weir_flight *open[WEIR_FLIGHTS_OPEN_MAX]; /* in the order in which they were opened */
    size_t open_count;
    struct weir_flight *flights; /* all that are under way */
    struct weir_flight *spare;
    size_t spare_count;
    struct weir_flight *parked;
    int64_t wake_us; /* when the clock is set to go off */
    bool route_changed;
    struct weir_together *spare_together;

    /* A denial that was asked for before this is not kept: a refund went out whose fate is unknown.
     */
    int64_t distrust_us;
    /* How far the servers' clocks are ahead of ours, as far as anybody had to ask: for guessing. */
    int64_t clock_ahead_us;
    /* Since when nobody is known to have a slot, by the slot's rest of this; 0: somebody is. */
    int64_t lost_us[WEIR_LOST_PLACES];
    struct weir_buffer name; /* of the question that is being looked at */
    struct weir_script_answer answers[WEIR_SCRIPT_QUESTIONS_MAX];
    struct weir_stats stats;
};

static inline int64_t weir_steady_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

/* ---- client.c ---- */

/* As weir_client_submit, of a call of together.c, with a deadline on uv_hrtime's clock. */
void weir_client_submit_part(struct weir_client *client, struct weir_call *call,
                             int64_t deadline_us);

/* Sees to it that weir_flights_look is called at `at_us` at the latest. */
void weir_client_wake_at(struct weir_client *client, int64_t at_us);

/* Writes the name of a request's key to client->name; false where there is no memory. The slot is
 * 0 where there is no cluster. */
bool weir_client_name(struct weir_client *client, const struct weir_request *request,
                      uint16_t *ret_slot);

/* What is asked of Redis for a request: a cost of 0 only looks, for a cost of 1. */
enum weir_verb weir_client_verb(const struct weir_call *call, const struct weir_request *request);
static inline uint64_t weir_client_cost(const struct weir_request *request)
{
    return request->cost > 0 ? request->cost : 1;
}

/* ---- flight.c ---- */

/* Puts a question, whose name is in client->name, or all those of a `together` call, of which all
 * are in `slot`, into a flight. */
void weir_flight_board(struct weir_client *client, struct weir_call *call, size_t index,
                       uint16_t slot);
void weir_flight_board_together(struct weir_client *client, struct weir_call *call, uint16_t slot);

/* Sends all that are still open. */
void weir_flights_depart(struct weir_client *client);

/* Looks at those that are parked: some have run out of time, some may go on. */
void weir_flights_look(struct weir_client *client);

/* Ends all that there are. */
void weir_flights_end(struct weir_client *client);

/* Gives their memory back, once none is under way. */
void weir_flights_free(struct weir_client *client);

/* The passenger of a question, which is then nobody's but the caller's. */
static inline struct weir_passenger weir_flight_take(struct weir_flight *flight, size_t i)
{
    const struct weir_passenger passenger = flight->passengers[i];
    flight->passengers[i].call = NULL;
    return passenger;
}

/* ---- answer.c ---- */

/* Answers all questions of a flight by what Redis said of each. */
void weir_answer_flight(struct weir_flight *flight, const struct weir_script_answer *answers,
                        int64_t sent_us);

/* Answers all that are unanswered by on_error. `retry_us`: how long until Redis is tried again. */
void weir_answer_failure(struct weir_flight *flight, enum weir_failure failure, int64_t retry_us);

/* One question of a call: on_error decides; a decision is there; it came to nothing. */
void weir_answer_on_error(struct weir_client *client, struct weir_passenger passenger,
                          enum weir_failure failure, int64_t retry_us);
void weir_answer_decision(struct weir_passenger passenger, const struct weir_decision *decision);
/* All of a `together` call: on_error decides, and it is done. */
void weir_answer_together_on_error(struct weir_client *client, struct weir_call *call,
                                   enum weir_failure failure, int64_t retry_us);

/* Ends a call: it is the caller's again. */
void weir_answer_done(struct weir_call *call, enum weir_status status, size_t answered);

/* ---- together.c ---- */

/* A check_all whose keys are in several slots of a cluster. */
void weir_together_begin(struct weir_client *client, struct weir_call *call);
void weir_together_free_spare(struct weir_client *client);

#endif
