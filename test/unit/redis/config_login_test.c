/* config_login_test.c - the users and passwords of a Redis store, from wherever they may come: each
 * from one place, none ever repeated. */

#include "support/fixture.h"
#include "unit/redis/config_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct weir_redis_options with_password(const char *password)
{
    return (struct weir_redis_options){
        .size = sizeof(struct weir_redis_options),
        .password = weir_text(password),
    };
}

static void check_login(const struct weir_login *login, const char *user, const char *password)
{
    assert_string_equal(login->user, user);
    assert_string_equal(login->password, password);
}

static void users_and_passwords_are_read(void **state)
{
    (void)state;
    read_good("redis://bob:hush@a", NULL);
    check_login(&config.login, "bob", "hush");
    read_good("redis://:hush@a", NULL);
    check_login(&config.login, "", "hush");
    read_good("redis://bob@a", NULL);
    check_login(&config.login, "bob", "");
    read_good("redis://bob:@a", NULL);
    check_login(&config.login, "bob", "");
    read_good("redis://@a", NULL);
    check_login(&config.login, "", "");
    read_good("redis://:@a", NULL);
    check_login(&config.login, "", "");
    read_good("redis://b%3Ao%40b:h:u%2fs@h%25@a", NULL);
    check_login(&config.login, "b:o@b", "h:u/s@h%");
    assert_string_equal(config.seeds[0].host, "a");
    read_good("redis+sentinel://bob:hush@a/s?sentinel_user=eve", NULL);
    check_login(&config.login, "bob", "hush");
    check_login(&config.sentinel_login, "eve", "");
    read_good("redis://:hush@a?user=b%20b", NULL);
    check_login(&config.login, "b b", "hush");
    read_bad("redis://bob@a?user=<eve>", WEIR_ERR_URL, "two users");
    read_bad("redis://a?user=<>", WEIR_ERR_URL, "expected a user's name");
    read_bad("redis://bob:<hu%sh>@a", WEIR_ERR_URL, "expected %XX");
    read_bad("redis://bob:<hush%00>@a", WEIR_ERR_URL, "expected %XX");
    read_bad("redis://<b%>:hush@a", WEIR_ERR_URL, "expected %XX");
    read_bad("redis://:hu</sh@a>", WEIR_ERR_URL, "written %2F");
}

static void users_and_passwords_have_1024_bytes_at_most(void **state)
{
    (void)state;
    char text[WEIR_SECRET_MAX + 2];
    char url[2 * WEIR_SECRET_MAX + 64];
    memset(text, 'x', sizeof(text));
    (void)snprintf(url, sizeof(url), "redis://%.*s:%.*s@a", WEIR_SECRET_MAX, text, WEIR_SECRET_MAX,
                   text);
    read_good(url, NULL);
    assert_int_equal(strlen(config.login.user), WEIR_SECRET_MAX);
    assert_int_equal(strlen(config.login.password), WEIR_SECRET_MAX);
    (void)snprintf(url, sizeof(url), "redis://<%.*s>:p@a", WEIR_SECRET_MAX + 1, text);
    read_bad(url, WEIR_ERR_URL, "too long");
    (void)snprintf(url, sizeof(url), "redis://u:<%.*s>@a", WEIR_SECRET_MAX + 1, text);
    read_bad(url, WEIR_ERR_URL, "too long");
}

static void a_program_may_give_the_password(void **state)
{
    (void)state;
    struct weir_redis_options options = with_password("hush");
    read_good("redis://bob@a", &options);
    check_login(&config.login, "bob", "hush");
    options.sentinel_password = weir_text("low");
    read_good("redis+sentinel://a/s", &options);
    check_login(&config.login, "", "hush");
    check_login(&config.sentinel_login, "", "low");
    struct weir_error error = {99, 99, ""};
    assert_int_equal(weir_redis_config_read("redis://a", &options, &config, &error),
                     WEIR_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "sentinel_password"));
    char text[WEIR_SECRET_MAX + 1];
    memset(text, 'x', sizeof(text));
    options = with_password("");
    options.password = weir_bytes(text, WEIR_SECRET_MAX);
    read_good("redis://a", &options);
    assert_int_equal(strlen(config.login.password), WEIR_SECRET_MAX);
    options.password = weir_bytes(text, WEIR_SECRET_MAX + 1);
    assert_int_equal(weir_redis_config_read("redis://a", &options, &config, &error),
                     WEIR_ERR_ARGUMENT);
    assert_int_equal(error.length, 0);
    options.password = weir_bytes("a\0b", 3);
    assert_int_equal(weir_redis_config_read("redis://a", &options, &config, &error),
                     WEIR_ERR_ARGUMENT);
    options = with_password("hush");
    options.size--;
    assert_int_equal(weir_redis_config_read("redis://a", &options, &config, &error),
                     WEIR_ERR_ARGUMENT);
}

/* What is in a file, and the password that it gives; NULL: refused with `message`. */
static const struct {
    const char *content;
    size_t length;
    const char *password;
    const char *message;
} files[] = {
    {"hush\n", 5, "hush", NULL},          {"hush", 4, "hush", NULL},
    {"hush\r\nmore\n", 11, "hush", NULL}, {" \t hu sh \t\r\n", 12, "hu sh", NULL},
    {"h%20u\n", 6, "h%20u", NULL},        {"", 0, NULL, "no password"},
    {"\nhush\n", 6, NULL, "no password"}, {"  \t\r\n", 5, NULL, "no password"},
    {"hu\0sh\n", 6, NULL, "NUL"},
};

static void write_file(const char *path, const char *content, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void a_file_may_have_the_password(void **state)
{
    (void)state;
    const struct fixture_folder folder = fixture_folder_make();
    char path[128];
    char url[512];
    (void)snprintf(path, sizeof(path), "%s", fixture_path(&folder, "secret"));
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        write_file(path, files[i].content, files[i].length);
        if (files[i].password != NULL) {
            (void)snprintf(url, sizeof(url),
                           "redis+sentinel://a/s?password_file=%s&sentinel_password_file=%s", path,
                           path);
            read_good(url, NULL);
            check_login(&config.login, "", files[i].password);
            check_login(&config.sentinel_login, "", files[i].password);
        } else {
            (void)snprintf(url, sizeof(url), "redis://a?password_file=<%s>", path);
            read_bad(url, WEIR_ERR_URL, files[i].message);
        }
    }
    assert_int_equal(unlink(path), 0);
    (void)snprintf(url, sizeof(url), "redis://a?password_file=<%s>", path);
    read_bad(url, WEIR_ERR_SYSTEM, "can't be read: No such file");
    (void)snprintf(url, sizeof(url), "redis://a?password_file=<%s>", folder.path);
    read_bad(url, WEIR_ERR_SYSTEM, "can't be read: Is a directory");
    read_bad("redis://a?password_file=<>", WEIR_ERR_SYSTEM, "can't be read");
    fixture_folder_remove(&folder);
}

static void a_password_in_a_file_has_1024_bytes_at_most(void **state)
{
    (void)state;
    const struct fixture_folder folder = fixture_folder_make();
    char path[128];
    char url[512];
    static char content[65536];
    (void)snprintf(path, sizeof(path), "%s", fixture_path(&folder, "secret"));
    memset(content, 'x', sizeof(content));
    content[WEIR_SECRET_MAX] = '\n';
    write_file(path, content, sizeof(content));
    (void)snprintf(url, sizeof(url), "redis://a?password_file=%s", path);
    read_good(url, NULL);
    assert_int_equal(strlen(config.login.password), WEIR_SECRET_MAX);
    content[WEIR_SECRET_MAX] = 'x';
    (void)snprintf(url, sizeof(url), "redis://a?password_file=<%s>", path);
    static const size_t lengths[] = {WEIR_SECRET_MAX + 1, 2 * WEIR_SECRET_MAX, sizeof(content)};
    for (size_t i = 0; i < 3; i++) {
        write_file(path, content, lengths[i]);
        read_bad(url, WEIR_ERR_URL, "longer than 1024");
    }
    fixture_folder_remove(&folder);
}

static void the_environment_may_have_the_password(void **state)
{
    (void)state;
    assert_int_equal(setenv("WEIR_TEST_SECRET", "hush", 1), 0);
    read_good("redis+sentinel://a/s?password_env=WEIR_TEST_SECRET", NULL);
    check_login(&config.login, "", "hush");
    check_login(&config.sentinel_login, "", "");
    read_good("redis+sentinel://a/s?sentinel_password_env=WEIR_TEST_SECRET", NULL);
    check_login(&config.sentinel_login, "", "hush");
    assert_int_equal(setenv("WEIR_TEST_SECRET", " h ", 1), 0);
    read_good("redis://a?password_env=WEIR_TEST_SECRET", NULL);
    check_login(&config.login, "", " h ");
    assert_int_equal(setenv("WEIR_TEST_SECRET", "", 1), 0);
    read_bad("redis://a?password_env=<WEIR_TEST_SECRET>", WEIR_ERR_URL, "no password");
    assert_int_equal(unsetenv("WEIR_TEST_SECRET"), 0);
    read_bad("redis://a?password_env=<WEIR_TEST_SECRET>", WEIR_ERR_URL, "no variable");
    read_bad("redis://a?password_env=<>", WEIR_ERR_URL, "no variable");
    char name[300];
    char url[400];
    memset(name, 'N', sizeof(name));
    (void)snprintf(url, sizeof(url), "redis://a?password_env=<%.256s>", name);
    read_bad(url, WEIR_ERR_URL, "too long");
}

static void two_passwords_are_refused(void **state)
{
    (void)state;
    const struct weir_redis_options options = with_password("hush");
    struct weir_error error = {0, 0, ""};
    read_bad("redis://:hush@a?password_env=<X>", WEIR_ERR_URL, "two passwords");
    read_bad("redis://:hush@a?password_file=</x>", WEIR_ERR_URL, "two passwords");
    read_bad("redis://a?password_env=<X>&password_file=/x", WEIR_ERR_URL, "two passwords");
    read_bad("redis+sentinel://a/s?sentinel_password_env=<X>&sentinel_password_file=/x",
             WEIR_ERR_URL, "two passwords");
    assert_int_equal(weir_redis_config_read("redis://:low@a", &options, &config, &error),
                     WEIR_ERR_URL);
    assert_non_null(strstr(error.message, "two passwords"));
    assert_int_equal(error.offset, 9);
    assert_int_equal(error.length, 3);
}

/* A password is where it may be mistaken for anything else; no message may repeat it. */
static void no_message_has_the_password(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "redis://:Secret7@",
        "redis://:Secret7",
        "redis://Secret7:x@a:y",
        "redis://:Secr%Secret7@a",
        "redis://:/Secret7@a",
        "redis://:x?Secret7@a",
        "redis://:?Secret7=@a",
        "redis://:x&Secret7@a/q",
        "redis://:#Secret7@a/x",
        "Secret7://a",
        "redis://a:Secret7",
        "redis://a,Secret7",
        "redis://[Secret7]",
        "redis://a/Secret7",
        "redis://a?password=Secret7",
        "redis://a?deadline=Secret7",
        "redis://a?local=Secret7",
        "redis://a?on_error=Secret7",
        "redis://a?password_env=Secret7",
        "redis://a?password_file=Secret7",
        "redis+unix://:Secret7@/s",
        "redis://:Secret7@a?password_env=X",
    };
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct weir_error error = {0, 0, ""};
        if (weir_redis_config_read(urls[i], NULL, &config, &error) == WEIR_OK ||
            strstr(error.message, "ecret") != NULL) {
            fail_msg("%s: %s", urls[i], error.message);
        }
    }
}

static void *refuse_to_allocate(void *context, size_t size, size_t alignment)
{
    (void)context;
    (void)size;
    (void)alignment;
    return NULL;
}

static void no_memory_is_said(void **state)
{
    (void)state;
    const struct weir_allocator none = {refuse_to_allocate, NULL, NULL};
    const struct weir_redis_options options = {
        .size = sizeof(options),
        .allocator = &none,
    };
    assert_int_equal(weir_redis_config_read("redis://a", &options, &config, NULL),
                     WEIR_ERR_NO_MEMORY);
}

static void wiping_leaves_no_secret(void **state)
{
    (void)state;
    static const struct weir_login empty;
    read_good("redis://bob:hush@a", NULL);
    weir_redis_config_wipe(&config);
    assert_memory_equal(&config.login, &empty, sizeof(empty));
    assert_memory_equal(&config.sentinel_login, &empty, sizeof(empty));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_and_passwords_are_read),
        cmocka_unit_test(users_and_passwords_have_1024_bytes_at_most),
        cmocka_unit_test(a_program_may_give_the_password),
        cmocka_unit_test(a_file_may_have_the_password),
        cmocka_unit_test(a_password_in_a_file_has_1024_bytes_at_most),
        cmocka_unit_test(the_environment_may_have_the_password),
        cmocka_unit_test(two_passwords_are_refused),
        cmocka_unit_test(no_message_has_the_password),
        cmocka_unit_test(no_memory_is_said),
        cmocka_unit_test(wiping_leaves_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
