/* kill_step_test.c - a process killed at any instruction leaves nothing broken: tried at each of
 * them.
 *
 * A child stops itself just before a call; this process lets it run N instructions, kills it, and
 * looks at what it left; then again with N + 1, until the child gets to the end of the call. The
 * processor's single steps make that exact, so this is for native Linux only. */

#include "base/pair.h"
#include "store/slot.h"
#include "store/table_format.h"
#include "support/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SLOTS 512
#define TABLE_BYTES (2048 + SLOTS * 16)
#define STEPS_MAX 100000
#define CHANGES_MAX 64

/* A table of 64 sets that all processes here see, and what the child is to do with it. */
struct scene {
    const char *url;
    struct weir *weir;
    const struct weir_limit *limit;
    struct weir_pair *slots;
    void (*act)(struct scene *scene);
    int64_t now_us;
};

/* Starts a child that has stopped just before scene->act. */
static pid_t start_child(struct scene *scene)
{
    int status = 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0) {
            _exit(1);
        }
        scene->act(scene);
        (void)raise(SIGSTOP);
        _exit(2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    return child;
}

/* One instruction; false where the child has come to the end of scene->act. */
static bool step_child(pid_t child)
{
    int status = 0;
    assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    return WSTOPSIG(status) != SIGSTOP;
}

static void kill_child(pid_t child)
{
    int status = 0;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void run_and_kill(struct scene *scene, unsigned steps)
{
    const pid_t child = start_child(scene);
    for (unsigned i = 0; i < steps && step_child(child); i++) {
    }
    kill_child(child);
}

static unsigned count_kind(const struct scene *scene, enum weir_kind kind)
{
    unsigned count = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        count += weir_slot_kind(weir_pair_load(&scene->slots[i])) == kind ? 1 : 0;
    }
    return count;
}

static void set_scene(struct scene *scene, void (*prepare)(struct scene *scene))
{
    for (unsigned i = 0; i < SLOTS; i++) {
        scene->slots[i] = (struct weir_pair){0, 0};
    }
    if (prepare != NULL) {
        prepare(scene);
    }
}

/* After how many instructions a child has changed the table, each time it does. */
static unsigned find_changes(struct scene *scene, unsigned *changes)
{
    struct weir_pair before[SLOTS];
    unsigned count = 0;
    const pid_t child = start_child(scene);
    memcpy(before, scene->slots, sizeof(before));
    for (unsigned steps = 1; step_child(child); steps++) {
        assert_true(steps < STEPS_MAX);
        if (memcmp(before, scene->slots, sizeof(before)) != 0) {
            assert_true(count < CHANGES_MAX);
            changes[count++] = steps;
            memcpy(before, scene->slots, sizeof(before));
        }
    }
    kill_child(child);
    return count;
}

/* Calls `judge` after each kill that can leave something else than the one before, and returns how
 * often a claim was left behind. */
static unsigned kill_at_each_step(struct scene *scene, void (*prepare)(struct scene *scene),
                                  void (*judge)(struct scene *scene))
{
    unsigned changes[CHANGES_MAX];
    unsigned orphans = 0;
    set_scene(scene, prepare);
    const unsigned count = find_changes(scene, changes);
    assert_true(count > 0);
    for (unsigned i = 0; i < 2 * count; i++) {
        set_scene(scene, prepare);
        run_and_kill(scene, changes[i / 2] - (i + 1) % 2);
        orphans += count_kind(scene, WEIR_KIND_PENDING) > 0 ? 1 : 0;
        judge(scene);
    }
    return orphans;
}

static void run_scene(void (*act)(struct scene *scene), void (*prepare)(struct scene *scene),
                      void (*judge)(struct scene *scene), bool claims)
{
    struct fixture_folder folder = fixture_folder_make();
    struct weir_limit *limit = fixture_limit("2/d");
    struct scene scene = {.limit = limit, .act = act, .now_us = FIXTURE_NOW};
    scene.weir = fixture_open(fixture_url(&folder, "table", "size=8KiB"));
    const int file = open(fixture_path(&folder, "table"), O_RDWR | O_CLOEXEC);
    assert_true(file >= 0);
    char *memory = mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    assert_true(memory != MAP_FAILED);
    scene.slots = (struct weir_pair *)(void *)(memory + sizeof(struct weir_table_header));
    const unsigned orphans = kill_at_each_step(&scene, prepare, judge);
    /* Else this test would no longer reach what it is about. */
    assert_true(claims ? orphans > 0 : orphans == 0);
    assert_int_equal(munmap(memory, TABLE_BYTES), 0);
    assert_int_equal(close(file), 0);
    weir_close(scene.weir);
    weir_limit_free(limit);
    fixture_folder_remove(&folder);
}

static void check_once(struct scene *scene)
{
    struct weir_decision decision;
    if (weir_check(scene->weir, scene->limit, weir_text("key"), 1, scene->now_us, &decision) !=
        WEIR_OK) {
        _exit(1);
    }
}

static unsigned take_all(struct scene *scene, const char *key)
{
    unsigned taken = 0;
    while (fixture_check(scene->weir, scene->limit, key, 1, FIXTURE_NOW).allowed) {
        taken++;
    }
    return taken;
}

/* The child took one or none; the rest is there, and no claim is left once the key was asked for.
 */
static void the_key_has_its_limit_less_at_most_one(struct scene *scene)
{
    const unsigned left = take_all(scene, "key");
    assert_in_range(left, 1, 2);
    assert_int_equal(count_kind(scene, WEIR_KIND_PENDING), 0);
    assert_int_equal(count_kind(scene, WEIR_KIND_FINE), 1);
}

static void a_kill_while_a_key_is_inserted_leaves_it_whole(void **state)
{
    (void)state;
    run_scene(check_once, NULL, the_key_has_its_limit_less_at_most_one, true);
}

/* ---- In full sets ---- */

#define OTHERS 4096

static void fill_every_set(struct scene *scene)
{
    static struct weir_pair filled[SLOTS];
    static bool made;
    if (!made) {
        char name[32];
        for (unsigned i = 0; i < OTHERS; i++) {
            (void)snprintf(name, sizeof(name), "other-%u", i);
            (void)fixture_check(scene->weir, scene->limit, name, 2, FIXTURE_NOW);
        }
        for (unsigned i = 0; i < SLOTS; i++) {
            filled[i] = scene->slots[i];
        }
        made = true;
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        scene->slots[i] = filled[i];
    }
}

static void only_one_made_room(struct scene *scene)
{
    const unsigned left = take_all(scene, "key");
    assert_in_range(left, 1, 2);
    assert_int_equal(count_kind(scene, WEIR_KIND_PENDING), 0);
    assert_int_equal(count_kind(scene, WEIR_KIND_FINE), SLOTS);
}

static void a_kill_while_a_key_is_evicted_costs_that_key_alone(void **state)
{
    (void)state;
    run_scene(check_once, fill_every_set, only_one_made_room, true);
}

/* ---- Of a key that is there ---- */

static void take_one(struct scene *scene)
{
    assert_true(fixture_check(scene->weir, scene->limit, "key", 1, FIXTURE_NOW).allowed);
}

static void one_is_left_or_none(struct scene *scene)
{
    assert_int_equal(count_kind(scene, WEIR_KIND_FINE), 1);
    assert_in_range(take_all(scene, "key"), 0, 1);
}

static void a_kill_while_a_key_is_charged_charges_it_once_or_not(void **state)
{
    (void)state;
    run_scene(check_once, take_one, one_is_left_or_none, false);
}

static void reset_key(struct scene *scene)
{
    if (weir_reset(scene->weir, scene->limit, weir_text("key")) != WEIR_OK) {
        _exit(1);
    }
}

static void one_is_left_or_all(struct scene *scene)
{
    assert_in_range(take_all(scene, "key"), 1, 2);
}

static void a_kill_while_a_key_is_forgotten_forgets_it_or_not(void **state)
{
    (void)state;
    run_scene(reset_key, take_one, one_is_left_or_all, false);
}

/* ---- A claim that a killed process left is adopted, and the adopter is killed ---- */

/* Claims of the key in all slots of its set. */
static void leave_orphans(struct scene *scene)
{
    unsigned at = 0;
    take_one(scene);
    while (weir_slot_kind(scene->slots[at]) == WEIR_KIND_EMPTY) {
        at++;
    }
    const uint64_t tag = scene->slots[at].low & WEIR_TAG_MASK;
    for (unsigned i = 0; i < WEIR_SET_SLOTS; i++) {
        scene->slots[at / WEIR_SET_SLOTS * WEIR_SET_SLOTS + i] = (struct weir_pair){
            tag | (uint64_t)WEIR_KIND_PENDING << WEIR_KIND_SHIFT, UINT64_MAX - i};
    }
}

static void a_kill_while_orphans_are_adopted_leaves_the_key_whole(void **state)
{
    (void)state;
    run_scene(check_once, leave_orphans, the_key_has_its_limit_less_at_most_one, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_while_a_key_is_inserted_leaves_it_whole),
        cmocka_unit_test(a_kill_while_a_key_is_evicted_costs_that_key_alone),
        cmocka_unit_test(a_kill_while_a_key_is_charged_charges_it_once_or_not),
        cmocka_unit_test(a_kill_while_a_key_is_forgotten_forgets_it_or_not),
        cmocka_unit_test(a_kill_while_orphans_are_adopted_leaves_the_key_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
