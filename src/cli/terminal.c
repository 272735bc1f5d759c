/* terminal.c - see terminal.h. */

#include "cli/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool cli_locale_is_utf8(void)
{
    const locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (locale == (locale_t)0) {
        return false;
    }
    const bool utf8 = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    freelocale(locale);
    return utf8;
}

/* The program has one thread, and changes its environment never. */
static const char *environment(const char *name)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): see above */
    const char *value = getenv(name);
    return value != NULL ? value : "";
}

bool cli_colour_wanted(int fd, enum cli_when when)
{
    if (when != CLI_AUTO) {
        return when == CLI_ALWAYS;
    }
    const char *terminal = environment("TERM");
    return isatty(fd) && *environment("NO_COLOR") == '\0' && *terminal != '\0' &&
           strcmp(terminal, "dumb") != 0;
}
