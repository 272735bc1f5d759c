/* ten_lines.c - the smallest program that limits something: one limit, one store, one check a
 * request.
 *
 * Seven requests come at once, where five per ten seconds are allowed. */

#include <stdio.h>
#include <weir/weir.h>

int main(void)
{
    struct weir_limit *limit = NULL; /* what is allowed */
    struct weir *weir = NULL;        /* who has used how much of it */
    enum weir_status status = weir_limit_parse(weir_text("5/10s"), NULL, &limit, NULL);
    if (status == WEIR_OK) {
        status = weir_open("memory:", NULL, &weir, NULL);
    }
    for (int i = 0; i < 7 && status == WEIR_OK; i++) {
        struct weir_decision decision;
        status = weir_check(weir, limit, weir_text("user123"), 1, WEIR_CLOCK, &decision);
        if (status == WEIR_OK) {
            puts(decision.allowed ? "allowed" : "denied");
        }
    }
    if (status != WEIR_OK) {
        fprintf(stderr, "%s\n", weir_strerror(status));
    }
    weir_close(weir);
    weir_limit_free(limit);
    return status == WEIR_OK ? 0 : 1;
}
