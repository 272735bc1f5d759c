/* brute_force.c - a login that cannot be guessed at: two limits, both must agree.
 *
 * A guesser tries many passwords on one account, or one password on many accounts, so a login is
 * counted twice: against the account and against the address it comes from. weir_check_all takes
 * from both or from neither, and says which of them denied. `block` turns a denial into a
 * quarter of an hour of silence: for that long the right password doesn't help either.
 *
 * A login takes from both limits before the password is looked at, so that a hundred guesses at
 * once are a hundred guesses; one that turns out to be right gives back what it took, and so costs
 * nothing.
 *
 * The clock is supplied, and so all of this happens at once. A server passes WEIR_CLOCK. */

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define NINE_O_CLOCK (INT64_C(1767603600) * SECOND) /* 2026-01-05 09:00 UTC */

enum {
    ACCOUNT,
    ADDRESS,
    LIMITS
};

struct door {
    struct weir *weir;
    struct weir_limit *limits[LIMITS];
};

static void must(enum weir_status status, const char *what)
{
    if (status != WEIR_OK) {
        fprintf(stderr, "%s: %s\n", what, weir_strerror(status));
        exit(EXIT_FAILURE);
    }
}

static struct weir_limit *named_limit(const char *name, const char *text)
{
    /* The names keep the two apart, also where an account is called like an address, and keep
     * everybody's state when a number in the text is changed one day. */
    const struct weir_limit_options options = {.size = sizeof(options), .name = weir_text(name)};
    struct weir_limit *limit;
    struct weir_error error;
    const enum weir_status status = weir_limit_parse(weir_text(text), &options, &limit, &error);
    if (status != WEIR_OK) {
        fprintf(stderr, "%s, at \"%.*s\": %s\n", name, (int)error.length, text + error.offset,
                error.message);
        exit(EXIT_FAILURE);
    }
    return limit;
}

/* Passwords are not weir's business. */
static bool password_is_right(const char *password)
{
    return strcmp(password, "correct horse") == 0;
}

struct attempt {
    int64_t at_us; /* since nine o'clock */
    const char *account;
    const char *address;
    const char *password;
};

/* What came of it. `denied` is LIMITS where both limits admitted it, else which of them did not. */
struct outcome {
    bool welcome;
    size_t denied;
    struct weir_decision denial;
};

/* One attempt to log in. */
static struct outcome login(struct door *door, const struct attempt *attempt)
{
    const int64_t now_us = NINE_O_CLOCK + attempt->at_us;
    const struct weir_request requests[LIMITS] = {
        [ACCOUNT] = {door->limits[ACCOUNT], weir_text(attempt->account), 1},
        [ADDRESS] = {door->limits[ADDRESS], weir_text(attempt->address), 1},
    };
    struct weir_decision decisions[LIMITS];
    struct outcome outcome = {0};
    must(weir_check_all(door->weir, requests, LIMITS, now_us, decisions, &outcome.denied), "check");
    if (outcome.denied < LIMITS) {
        outcome.denial = decisions[outcome.denied];
        return outcome;
    }
    outcome.welcome = password_is_right(attempt->password);
    for (int i = 0; outcome.welcome && i < LIMITS; i++) {
        must(weir_refund(door->weir, requests[i].limit, requests[i].key, 1, now_us, NULL),
             "refund");
    }
    return outcome;
}

/* The same, told in a line. */
static void login_told(struct door *door, struct attempt attempt)
{
    const struct outcome outcome = login(door, &attempt);
    printf("  %2" PRId64 ":%02" PRId64 "  %-6s from %-12s  ", attempt.at_us / MINUTE,
           attempt.at_us % MINUTE / SECOND, attempt.account, attempt.address);
    if (outcome.denied == LIMITS) {
        puts(outcome.welcome ? "welcome" : "wrong password");
    } else if (outcome.denial.retry_after_us == WEIR_NEVER) {
        puts("can never pass"); /* a cost over the limit's count; not with a cost of 1 */
    } else {
        printf("%s %s, try again in %" PRId64 " s\n",
               outcome.denied == ACCOUNT ? "account" : "address",
               outcome.denial.blocked ? "blocked" : "limited",
               (outcome.denial.retry_after_us + SECOND - 1) / SECOND);
    }
}

/* Guesses at one account until the account is blocked; its owner has to wait, too. */
static void guess_at_one_account(struct door *door)
{
    puts("A guesser tries a password on alice's account every 10 s:");
    for (int i = 0; i < 7; i++) {
        login_told(door, (struct attempt){i * 10 * SECOND, "alice", "198.51.100.7", "123456"});
    }
    /* The wait is longer than the block alone where the guesses still weigh when it ends. */
    puts("Alice comes: too soon; and when the block is over and the guesses are forgotten:");
    login_told(door, (struct attempt){5 * MINUTE, "alice", "192.0.2.1", "correct horse"});
    login_told(door, (struct attempt){30 * MINUTE, "alice", "192.0.2.1", "correct horse"});
}

/* One password on many accounts: no account notices, but the address does. */
static void guess_at_many_accounts(struct door *door)
{
    int tried = 0;
    int denied = 0;
    for (int i = 0; i < 100; i++) {
        char account[16];
        snprintf(account, sizeof(account), "user%d", i);
        const struct attempt attempt = {40 * MINUTE + i * SECOND, account, "203.0.113.9", "123456"};
        const struct outcome outcome = login(door, &attempt);
        tried += outcome.denied == LIMITS;
        denied += outcome.denied == ADDRESS;
    }
    puts("Another tries one password on 100 accounts from one address, one a second:");
    printf("  %d passwords were looked at, %d times the address was denied\n", tried, denied);
    puts("An owner of one of those accounts does not notice:");
    login_told(door, (struct attempt){42 * MINUTE, "user3", "192.0.2.44", "correct horse"});
}

/* Who logs in all day with the right password is never counted. */
static void log_in_all_day(struct door *door)
{
    int welcome = 0;
    for (int i = 0; i < 1000; i++) {
        const struct attempt attempt = {60 * MINUTE + i * 30 * SECOND, "bob", "192.0.2.2",
                                        "correct horse"};
        welcome += login(door, &attempt).welcome;
    }
    printf("Bob's mail program logs in every 30 s: welcome %d times of 1000\n", welcome);
}

int main(void)
{
    struct door door = {0};
    door.limits[ACCOUNT] = named_limit("login-account", "5/15m sliding-window block 15m");
    door.limits[ADDRESS] = named_limit("login-address", "20/15m sliding-window block 15m");
    must(weir_open("memory:?size=1MiB", NULL, &door.weir, NULL), "open");

    guess_at_one_account(&door);
    guess_at_many_accounts(&door);
    log_in_all_day(&door);

    weir_close(door.weir);
    weir_limit_free(door.limits[ACCOUNT]);
    weir_limit_free(door.limits[ADDRESS]);
    return EXIT_SUCCESS;
}
