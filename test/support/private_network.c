/* private_network.c - see private_network.h. */

#include "support/private_network.h"

#include "support/rig_process.h"

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Set for the program that runs inside. */
#define INSIDE "WEIR_TEST_PRIVATE_NETWORK"
#define TABLE "inet", "weir"

/* Runs a program, or, where it is not in PATH, the one in /usr/sbin, and waits for its end; the
 * process ends where it fails. */
static void run(const char *const *words)
{
    char elsewhere[64];
    rig_format(elsewhere, sizeof(elsewhere), "/usr/sbin/%s", words[0]);
    char *const *arguments = (char *const *)(uintptr_t)words;
    pid_t process = 0;
    int status = posix_spawnp(&process, words[0], NULL, NULL, arguments, environ);
    if (status == ENOENT) {
        status = posix_spawn(&process, elsewhere, NULL, NULL, arguments, environ);
    }
    if (status != 0) {
        rig_fail("%s: %s", words[0], strerror(status));
    }
    while (waitpid(process, &status, 0) < 0) {
        if (errno != EINTR) {
            rig_fail("%s: %s", words[0], strerror(errno));
        }
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        rig_fail("%s %s %s failed", words[0], words[1], words[2]);
    }
}

static void start_inside(char *const *words)
{
    char self[4096];
    const ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (len <= 0 || setenv(INSIDE, "1", 1) != 0) {
        rig_fail("/proc/self/exe: %s", strerror(errno));
    }
    self[len] = '\0';
    /* Root of a namespace of users, where this is not root anyway: a network is root's. */
    const char *inside[8] = {"unshare", "--net"};
    size_t count = 2;
    if (geteuid() != 0) {
        inside[count++] = "--map-root-user";
    }
    inside[count++] = "--";
    inside[count++] = self;
    inside[count] = words[1];
    (void)execvp(inside[0], (char *const *)(uintptr_t)inside);
    rig_fail("unshare: %s", strerror(errno));
}

void private_network_enter(char *const *words)
{
    if (getenv(INSIDE) == NULL) {
        start_inside(words);
    }
    private_network_plug(true);
    run((const char *const[]){"nft", "add", "table", TABLE, NULL});
    run((const char *const[]){"nft", "add", "chain", TABLE, "way",
                              "{ type filter hook input priority 0; }", NULL});
}

void private_network_rule(const char *format, ...)
{
    char rule[256];
    va_list arguments;
    va_start(arguments, format);
    const int len = vsnprintf(rule, sizeof(rule), format, arguments);
    va_end(arguments);
    if (len < 0 || (size_t)len >= sizeof(rule)) {
        rig_fail("a rule that is too long");
    }
    run((const char *const[]){"nft", "add", "rule", TABLE, "way", rule, NULL});
}

void private_network_heal(void)
{
    run((const char *const[]){"nft", "flush", "chain", TABLE, "way", NULL});
}

void private_network_plug(bool in)
{
    run((const char *const[]){"ip", "link", "set", "lo", in ? "up" : "down", NULL});
}
