/* watch_test.c - changes of files that are told, in all the ways in which files are changed, and
 * what is not told. */

#include "server/watch.h"
#include "server/watch_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* Far longer than anything here takes. */
#define PATIENCE_MS 30000

/* How long nothing is heard of what is none of the watch's business: several times as long as it
 * waits for quiet. */
#define SILENCE_MS (4 * WEIR_WATCH_QUIET_MS)

static char folder[64]; /* in which every script runs; new for each test */

struct scene {
    uv_loop_t loop;
    uv_timer_t timer;
    struct weir_watch *watch;
    unsigned calls;
    bool late;
    const char *again; /* the file to watch from the next call on; NULL */
};

/* A script of the shell that can't fail. */
static void run(const char *script)
{
    char text[1024];
    (void)snprintf(text, sizeof(text), "set -e; cd %s; %s", folder, script);
    if (system(text) != 0) {
        fail_msg("%s", text);
    }
}

static const char *path_of(const char *name)
{
    static char path[2 * PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void on_changed(void *context)
{
    struct scene *scene = context;
    scene->calls++;
    if (scene->again != NULL) {
        const char *path = path_of(scene->again);
        assert_true(weir_watch_set(scene->watch, &path, 1));
        scene->again = NULL;
    }
}

static void on_late(uv_timer_t *timer)
{
    struct scene *scene = timer->data;
    scene->late = true;
}

/* Runs until there were so many calls in all, or `ms` are over. */
static void run_until(struct scene *scene, unsigned calls, uint64_t ms)
{
    scene->late = false;
    assert_int_equal(uv_timer_start(&scene->timer, on_late, ms, 0), 0);
    while (scene->calls < calls && !scene->late) {
        (void)uv_run(&scene->loop, UV_RUN_ONCE);
    }
    (void)uv_timer_stop(&scene->timer);
}

static void expect_call(struct scene *scene)
{
    const unsigned calls = scene->calls + 1;
    run_until(scene, calls, PATIENCE_MS);
    assert_int_equal(scene->calls, calls);
}

static void expect_silence(struct scene *scene)
{
    const unsigned calls = scene->calls;
    run_until(scene, calls + 1, SILENCE_MS);
    assert_int_equal(scene->calls, calls);
}

/* Watches `name`, and has had the first call. */
static void scene_open(struct scene *scene, const char *name)
{
    memset(scene, 0, sizeof(*scene));
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    assert_int_equal(uv_timer_init(&scene->loop, &scene->timer), 0);
    scene->timer.data = scene;
    const char *path = path_of(name);
    scene->watch = weir_watch_start(&scene->loop, &path, 1, on_changed, scene);
    assert_non_null(scene->watch);
    expect_call(scene);
}

static void scene_close(struct scene *scene)
{
    weir_watch_stop(scene->watch);
    uv_close((uv_handle_t *)&scene->timer, NULL);
    assert_int_equal(uv_run(&scene->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/weir-watch-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    char text[96];
    (void)state;
    (void)snprintf(text, sizeof(text), "rm -rf %s", folder);
    return system(text);
}

/* ---- Ways to change a file ----------------------------------------------------------------- */

/* Each has to be told, however often. */
static void expect_told(const char *before, const char *name, const char *const *changes,
                        size_t count)
{
    struct scene scene;
    run(before);
    scene_open(&scene, name);
    for (size_t i = 0; i < count; i++) {
        run(changes[i]);
        expect_call(&scene);
    }
    scene_close(&scene);
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void a_file_is_written(void **state)
{
    static const char *const changes[] = {"echo two > f", "echo six > f", "echo more >> f",
                                          "touch -d 2001-01-01 f"};
    (void)state;
    expect_told("echo one > f", "f", changes, COUNT(changes));
}

static void a_file_is_replaced(void **state)
{
    static const char *const changes[] = {"echo two > g; mv g f", "echo six > g; mv g f",
                                          "mv f f~; echo new > f"};
    (void)state;
    expect_told("echo one > f", "f", changes, COUNT(changes));
}

static void a_file_goes_and_comes_back(void **state)
{
    static const char *const changes[] = {"rm f", "echo one > f", "mv f g", "mv g f",
                                          "echo two > f"};
    (void)state;
    expect_told("echo one > f", "f", changes, COUNT(changes));
}

static void a_folder_goes_and_comes_back(void **state)
{
    static const char *const changes[] = {
        "rm -r a",          "mkdir -p a/b; echo one > a/b/f",
        "echo two > a/b/f", "mv a c",
        "mv c a",           "echo six > a/b/f",
        "rm -r a/b",        "mkdir a/b; touch a/b/f",
        "echo > a/b/f",
    };
    (void)state;
    expect_told("mkdir -p a/b; echo one > a/b/f", "a/b/f", changes, COUNT(changes));
}

/* As the kubelet does it, which knows only ..data to be swapped. */
#define SWAP(old, new)                                                                            \
    "mkdir .." new "; echo " new " > .." new "/f; ln -s .." new " ..data_tmp; "                   \
                                                                "mv -T ..data_tmp ..data; rm -r " \
                                                                ".." old

static void a_mounted_configuration_is_swapped(void **state)
{
    static const char *const changes[] = {SWAP("1", "2"), SWAP("2", "3"), "echo here > ..3/f",
                                          SWAP("3", "4")};
    (void)state;
    expect_told("mkdir ..1; echo 1 > ..1/f; ln -s ..1 ..data; ln -s ..data/f f", "f", changes,
                COUNT(changes));
}

static void a_symlink_leads_elsewhere(void **state)
{
    static const char *const changes[] = {"echo two > a/f",       "ln -sfn b current",
                                          "echo six > b/f",       "rm current",
                                          "ln -s $PWD/a current", "echo ten > a/f"};
    (void)state;
    expect_told("mkdir a b; echo a > a/f; echo bb > b/f; ln -s a current", "current/../current/./f",
                changes, COUNT(changes));
}

static void a_folder_gains_and_loses_files(void **state)
{
    static const char *const changes[] = {"echo one > d/f", "echo two > d/f", "mv d/f d/g",
                                          "rm d/g",         "rm -r d",        "mkdir d",
                                          "touch d/h"};
    (void)state;
    expect_told("mkdir d", "d", changes, COUNT(changes));
}

static void a_file_may_not_be_there_yet(void **state)
{
    static const char *const changes[] = {"mkdir -p a/b; echo one > a/b/f", "echo two > a/b/f"};
    (void)state;
    expect_told("true", "a/b/f", changes, COUNT(changes));
}

/* ---- What is told of them ------------------------------------------------------------------ */

static void what_is_none_of_its_files_is_not_told(void **state)
{
    struct scene scene;
    (void)state;
    run("echo one > f");
    scene_open(&scene, "f");
    run("echo one > g; mv g h; mkdir d; rm h");
    expect_silence(&scene);
    run("cat f >/dev/null");
    run("echo two > f");
    expect_call(&scene);
    expect_silence(&scene);
    scene_close(&scene);
}

static void many_changes_at_once_are_told_once(void **state)
{
    struct scene scene;
    (void)state;
    run("echo one > f");
    scene_open(&scene, "f");
    run("for i in $(seq 50); do echo $i > f; echo $i > g; mv g f; done");
    expect_call(&scene);
    expect_silence(&scene);
    scene_close(&scene);
}

static void write_file(uv_timer_t *timer)
{
    const char *path = timer->data;
    const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    (void)close(fd);
}

/* Where it is never quiet it is looked at all the same. */
static void a_file_that_is_written_all_the_time_is_told_of(void **state)
{
    struct scene scene;
    uv_timer_t writer;
    char path[96];
    (void)state;
    run("echo one > f");
    scene_open(&scene, "f");
    (void)snprintf(path, sizeof(path), "%s/f", folder);
    assert_int_equal(uv_timer_init(&scene.loop, &writer), 0);
    writer.data = path;
    assert_int_equal(uv_timer_start(&writer, write_file, 1, WEIR_WATCH_QUIET_MS / 10), 0);
    expect_call(&scene);
    expect_call(&scene);
    uv_close((uv_handle_t *)&writer, NULL);
    scene_close(&scene);
}

static void other_files_may_be_watched_instead(void **state)
{
    struct scene scene;
    (void)state;
    run("echo one > f; mkdir d; echo one > d/g");
    scene_open(&scene, "f");
    scene.again = "d/g";
    run("echo two > f");
    expect_call(&scene);
    expect_call(&scene); /* what was changed before it was watched is not missed */
    expect_silence(&scene);
    run("echo six > f");
    expect_silence(&scene);
    run("echo two > d/g");
    expect_call(&scene);
    scene_close(&scene);
}

/* Without the kernel's help it takes until the next look. */
static void nothing_is_missed_where_nothing_is_told(void **state)
{
    struct rlimit usual;
    struct rlimit none;
    struct scene scene;
    (void)state;
    run("echo one > f");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    memset(&scene, 0, sizeof(scene));
    assert_int_equal(uv_loop_init(&scene.loop), 0);
    assert_int_equal(uv_timer_init(&scene.loop, &scene.timer), 0);
    scene.timer.data = &scene;
    none = usual;
    none.rlim_cur = 3; /* none for inotify */
    const char *path = path_of("f");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    scene.watch = weir_watch_start(&scene.loop, &path, 1, on_changed, &scene);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_non_null(scene.watch);
    expect_call(&scene);
    run("echo two > f");
    expect_call(&scene);
    scene_close(&scene);
}

/* ---- Plans --------------------------------------------------------------------------------- */

/* Whether the plan of `path` is the names of `expected`, as "FOLDER NAME;", below the test's
 * folder; those above it are left out. */
static void expect_plan(const char *path, const char *expected)
{
    struct weir_watch_plan plan = {0};
    struct weir_watch_plan again = {0};
    char text[1024] = "";
    assert_true(weir_watch_plan_add(&plan, path));
    for (size_t i = 0; i < plan.count; i++) {
        const struct weir_watch_name *name = &plan.names[i];
        if (strncmp(name->folder, folder, strlen(folder)) == 0) {
            const size_t used = strlen(text);
            (void)snprintf(text + used, sizeof(text) - used, "%s %s;",
                           name->folder + strlen(folder), name->name);
        }
    }
    assert_string_equal(text, expected);
    assert_true(weir_watch_plan_add(&again, path));
    assert_true(weir_watch_plan_same(&plan, &again));
    const size_t count = again.count;
    assert_true(weir_watch_plan_add(&again, path)); /* what is there is not added */
    assert_int_equal(again.count, count);
    weir_watch_plan_deinit(&plan);
    weir_watch_plan_deinit(&again);
}

static void a_plan_has_every_name_on_the_way(void **state)
{
    (void)state;
    run("mkdir -p ..1 a/b c; echo > ..1/f; ln -s ..1 ..data; ln -s ..data/f f; ln -s ../../c "
        "a/b/up");
    run("echo > c/g; ln -s $PWD/c/g absolute; ln -s x y; ln -s y x");
    expect_plan(path_of("f"), " f; ..data; ..1;/..1 f;");
    expect_plan(path_of("a/b/up/g"), " a;/a b;/a/b up; c;/c g;");
    expect_plan(path_of("absolute"), " absolute; c;/c g;");
    expect_plan(path_of("a"), " a;/a ;");
    expect_plan(path_of("a//b/"), " a;/a b;/a/b ;");
    expect_plan(path_of("none/of/these"), " none;");
    expect_plan(path_of("f/below/a/file"), " f; ..data; ..1;/..1 f;");
    expect_plan(path_of("x"), " x; y;"); /* round and round */
}

static void a_plan_may_be_of_a_relative_path(void **state)
{
    char before[PATH_MAX];
    (void)state;
    run("mkdir -p a/b; echo > a/b/f");
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(path_of("a")), 0);
    expect_plan("b/f", "/a b;/a/b f;");
    expect_plan("../a/./b/f", " a;/a b;/a/b f;");
    expect_plan(".", "/a ;");
    assert_int_equal(chdir(before), 0);
}

static void a_plan_ends_where_a_path_is_too_long(void **state)
{
    char path[2 * PATH_MAX];
    struct weir_watch_plan plan = {0};
    (void)state;
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[NAME_MAX + 2] = '\0'; /* one name too long by one */
    assert_true(weir_watch_plan_add(&plan, path));
    assert_int_equal(plan.count, 0);
    path[NAME_MAX + 1] = '\0';
    assert_true(weir_watch_plan_add(&plan, path));
    assert_int_equal(plan.count, 1);
    for (size_t i = 1; i < sizeof(path); i += 2) {
        path[i] = '/';
        path[i + 1 < sizeof(path) ? i + 1 : i] = '.';
    }
    path[PATH_MAX] = '\0';
    assert_true(weir_watch_plan_add(&plan, path));
    assert_int_equal(plan.count, 1);
    weir_watch_plan_deinit(&plan);
}

static void stopping_nothing_is_fine(void **state)
{
    (void)state;
    weir_watch_stop(NULL);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        CASE(a_file_is_written),
        CASE(a_file_is_replaced),
        CASE(a_file_goes_and_comes_back),
        CASE(a_folder_goes_and_comes_back),
        CASE(a_mounted_configuration_is_swapped),
        CASE(a_symlink_leads_elsewhere),
        CASE(a_folder_gains_and_loses_files),
        CASE(a_file_may_not_be_there_yet),
        CASE(what_is_none_of_its_files_is_not_told),
        CASE(many_changes_at_once_are_told_once),
        CASE(a_file_that_is_written_all_the_time_is_told_of),
        CASE(other_files_may_be_watched_instead),
        CASE(nothing_is_missed_where_nothing_is_told),
        CASE(a_plan_has_every_name_on_the_way),
        CASE(a_plan_may_be_of_a_relative_path),
        CASE(a_plan_ends_where_a_path_is_too_long),
        cmocka_unit_test(stopping_nothing_is_fine),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
