#!/usr/bin/env python3
"""cli_usage - wrong use, help, the manual pages, and the completions in the real shells."""

import contextlib
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import rig  # noqa: E402
from cli_support import COMMANDS, ROOT, expect, main, options_of  # noqa: E402


def refuses(weir, *arguments, message):
    """Wrong use: exit code 2, nothing on stdout, and one line that begins with the message."""
    done = weir.run(*arguments)
    expect((done.code, done.out), (2, ""), arguments)
    expect(done.err.splitlines()[0], message, arguments)
    return done.err.splitlines()[1:]


def test_version(weir):
    with open(os.path.join(ROOT, "include/weir/weir.h"), encoding="utf-8") as header:
        version = re.search(r'#define WEIR_VERSION "(.*)"', header.read())[1]
    for arguments in (["--version"], ["-V"], ["version"]):
        done = weir.run(*arguments)
        expect((done.code, done.out), (0, f"weir {version} (libweir {version})\n"))


def test_help_of_the_program(weir):
    done = weir.run("--help")
    expect(done.code, 0)
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w", done.out, re.MULTILINE), command
    expect(weir.run("help").out, done.out)
    without = weir.run()
    expect((without.code, without.out, without.err), (2, "", done.out))


def test_help_of_each_command(weir):
    for command in COMMANDS:
        done = weir.run(command, "--help")
        expect((done.code, done.err), (0, ""))
        assert done.out.startswith(f"usage: weir {command} "), done.out
        assert f"\nExamples:\n  weir {command}" in done.out or "| weir check" in done.out, done.out
        expect(weir.run(command, "-h").out, done.out)
        expect(weir.run("help", command).out, done.out)
        assert max(map(len, done.out.splitlines())) <= 100, command


def real_servers(line, stack):
    """The line with real servers of this test's own in place of those that it names."""
    kinds = {"": rig.Redis, "+cluster": rig.Cluster, "+sentinel": rig.Sentinel}
    return re.sub(r"redis(\+\w+)?://[^'? ]*",
                  lambda found: stack.enter_context(kinds[found[1] or ""]()).url, line)


def test_examples_of_the_help_are_right(weir):
    """Each example line, in a shell, with the paths of a fresh folder: it is no wrong use."""
    for command in COMMANDS:
        for line in weir.run(command, "--help").out.split("\nExamples:\n")[1].splitlines():
            # A server has to be there for these, or is what they are: cli_top.py and others try them.
            if command in ("top", "serve"):
                continue
            if "bench" in line or line.strip() == "weir demo" or "--every" in line:
                continue
            with open(weir.file("access.log"), "w", encoding="utf-8") as log:
                log.write("10.0.0.1 GET\n10.0.0.2 GET\n")
            shutil.copy(os.path.join(ROOT, "examples/weir.yaml"), weir.folder)
            store = f"shm:{weir.file('table')}"
            weir.run("check", "x", "--limit", "1/s", "--store", store + "?size=64KiB")
            with contextlib.ExitStack() as stack:
                script = real_servers(line.replace("shm:/run/weir.table", store), stack)
                done = subprocess.run(["bash", "-c", f'weir() {{ "{weir.path}" "$@"; }}; USER=me;{script}'],
                                      cwd=weir.folder, capture_output=True, env=weir.environment({}), check=False)
            expect((done.returncode, done.stderr), (0, b""), script)


def test_unknown_commands(weir):
    refuses(weir, "chek", message="weir: there is no command 'chek'; did you mean weir check?")
    refuses(weir, "xyzzy", message="weir: there is no command 'xyzzy'; see weir --help")
    refuses(weir, "", message="weir: there is no command ''; see weir --help")
    refuses(weir, "help", "limt", message="weir: there is no command 'limt'; did you mean weir limit?")
    refuses(weir, "--limit", "5/s", message="weir: '--limit' is no command; the command comes first: see weir --help")
    expect(weir.run("x" * 100000).code, 2)


def test_unknown_options(weir):
    refuses(weir, "check", "--limt", "5/s", message="weir check: there is no option --limt; did you mean --limit?")
    refuses(weir, "check", "--limt=5/s", message="weir check: there is no option --limt; did you mean --limit?")
    refuses(weir, "check", "a", "--xyzzy", message="weir check: there is no option --xyzzy; see weir check --help")
    refuses(weir, "check", "-jz", message="weir check: there is no option -z; see weir check --help")
    refuses(weir, "demo", "--json", message="weir demo: there is no option --json; see weir demo --help")
    refuses(weir, "check", "--re=3", "--every=1s", "--co=1", message="weir check: --co could be several options; see weir check --help")


def test_options_and_their_values(weir):
    refuses(weir, "check", "a", "--limit", message="weir check: --limit needs a value, TEXT; see weir check --help")
    refuses(weir, "check", "a", "-l", message="weir check: --limit needs a value, TEXT; see weir check --help")
    refuses(weir, "check", "a", "--json=1", message="weir check: --json takes no value")
    for value in ("", "-1", "1.5", "0x10", " 1", "1 ", "18446744073709551616"):
        refuses(weir, "check", "a", "-l", "5/s", "--cost", value,
                message=f"weir check: --cost: '{value}' is no number from 0 to 18446744073709551615; see weir check --help")
    for value in ("0", "1000000001"):
        refuses(weir, "check", "a", "-l", "5/s", "--repeat", value,
                message=f"weir check: --repeat: '{value}' is no number from 1 to 1000000000; see weir check --help")
    refuses(weir, "check", "a", "-l", "5/s", "--color", "blue",
            message="weir check: --color: 'blue' is none of auto, always, never")
    refuses(weir, "check", "a", "-l", "5/s", "--only", "Denied",
            message="weir check: --only: 'Denied' is none of allowed, denied")
    refuses(weir, "bench", "--seconds", "61", message="weir bench: --seconds: '61' is no number from 1 to 60; see weir bench --help")
    refuses(weir, "bench", "--keys", "1000000001",
            message="weir bench: --keys: '1000000001' is no number from 1 to 1000000000; see weir bench --help")


def test_every_is_a_duration(weir):
    for value in ("1", "x", "1x", "", "0s", "-1s", "1s burst 5", "367d", "9" * 100 + "s", "month"):
        done = weir.run("check", "a", "-l", "5/s", "--repeat", "2", "--every", value)
        expect((done.code, done.out), (2, ""), value)
        assert done.err.startswith("weir check: --every: "), done.err
    rest = refuses(weir, "check", "a", "-l", "5/s", "--repeat", "2", "--every", "10x",
                   message="weir check: --every: 'x' is no unit of time: write us, ms, s, m (minute), h, d or w")
    expect(rest, ["    10x", "      ^"])
    expect(weir.run("check", "a", "-l", "5/s", "--repeat", "2", "--every", "1ms").code, 0)


def test_what_does_not_go_together(weir):
    refuses(weir, "check", "a", "-l", "5/s", "--every", "1s",
            message="weir check: --every is how long --repeat waits: say --repeat N too")
    refuses(weir, "check", "-l", "5/s", "--every", "1s", "--repeat", "2",
            message="weir check: --every goes with keys on the command line, not stdin")
    refuses(weir, "check", "a", "-", "-l", "5/s",
            message="weir check: '-', keys from standard input, goes with no other key")


def test_what_is_needed(weir):
    refuses(weir, "check", "a", message="weir check: --limit is needed, as --limit 5/10s; see weir check --help")
    refuses(weir, "limit", message="weir limit: a limit is needed, as weir limit 5/10s fixed-window")
    refuses(weir, "reset", "--limit", "5/s", "--store", "memory:", message="weir reset: a KEY is needed; see weir reset --help")
    refuses(weir, "refund", "a", "--limit", "5/s", message="weir refund: --store is needed, as --store shm:/run/weir.table")
    refuses(weir, "stats", message="weir stats: --store is needed, as --store shm:/run/weir.table")
    for command in ("stats", "bench", "demo"):
        refuses(weir, command, "x", message=f"weir {command}: 'x' is one word too many; see weir {command} --help")


def test_bad_limit_is_pointed_at(weir):
    rest = refuses(weir, "check", "a", "--limit", "5/10s bursty 3",
                   message="weir check: 'bursty' is neither an algorithm nor burst nor block: did you mean 'burst'?")
    expect(rest, ["    5/10s bursty 3", "          ^^^^^^"])


def test_bad_store_is_pointed_at(weir):
    rest = refuses(weir, "check", "a", "-l", "5/s", "-s", "radis://x",
                   message="weir check: store: expected redis://, rediss://, redis+unix://, redis+sentinel://, "
                           "redis+cluster:// (the last two also as rediss+...), memory: or shm:")
    expect(rest, ["    radis://x", "    ^^^^^"])
    expect(weir.run("check", "a", "-l", "5/s", "-s", "shm:/nonexistent/folder/table").code, 2)
    expect(weir.run("check", "a", "-l", "5/s", "-s", "").code, 2)


def test_name_longest_and_past_it(weir):
    expect(weir.run("check", "a", "-l", "5/s", "--name", "n" * 128).code, 0)
    refuses(weir, "check", "a", "-l", "5/s", "--name", "n" * 129, message="weir check: --name: at most 128 bytes")


def test_sliding_log_in_a_shared_store_is_refused(weir):
    done = weir.run("check", "a", "-l", "5/s sliding-log", "-s", weir.store())
    expect((done.code, done.out), (2, ""))
    assert done.err.startswith("weir check: "), done.err


# ---- Manual pages and completions say what the help says ----


def page(name):
    with open(os.path.join(ROOT, "man", name), encoding="utf-8") as file:
        return file.read()


def documented(text):
    """The options that a page, or a section of one, has as list items: long name -> letter or None."""
    found = re.findall(r"^\.It (?:Fl (\w) , )?Fl -([a-z-]+)", text, re.MULTILINE)
    return {name: letter or None for letter, name in found}


def test_manual_pages_have_every_option(weir):
    for command in ("check", "limit", "top", "validate", "explain"):
        expect(documented(page(f"weir-{command}.1")), options_of(weir, command), command)
    whole = page("weir.1")
    for command in ("bench", "demo"):
        section = re.search(rf"^\.Ss Options of {command}$(.*?)^\.S[sh]", whole, re.MULTILINE | re.DOTALL)[1]
        expect({**documented(section), "help": "h"}, options_of(weir, command), command)
    section = re.search(r"^\.Ss Options of reset.*?$(.*?)^\.S[sh]", whole, re.MULTILINE | re.DOTALL)[1]
    together = {}
    for command in ("reset", "refund", "stats"):
        together.update(options_of(weir, command))
    expect({**documented(section), "help": "h"}, together)


def test_manual_page_names_every_command(weir):
    expect(sorted(set(re.findall(r"^\.It Cm (\w+)$", page("weir.1"), re.MULTILINE))), sorted(COMMANDS))


def shell(weir, arguments, script):
    """What a shell prints, with the program's folder first in its path."""
    path = os.path.dirname(weir.path) + ":" + os.environ["PATH"]
    done = subprocess.run([*arguments, script], capture_output=True, cwd=weir.folder, timeout=60, check=False,
                          env={"PATH": path, "HOME": weir.folder, "TERM": "xterm", "LC_ALL": "C.UTF-8"})
    expect(done.stderr, b"")
    return done.stdout.decode().splitlines()


def bash_completions(weir, line):
    """As the shell parts the words of a line, at '=' and ':' too."""
    words = [word for part in line.split(" ") for word in (re.findall(r"[=:]|[^=:]+", part) or [""])]
    quoted = " ".join(f"'{word}'" for word in words)
    return shell(weir, ["bash", "--norc", "-c"], f"""
        source '{ROOT}/completions/bash/weir'
        complete -p weir >/dev/null
        COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}
        _weir; printf '%s\\n' "${{COMPREPLY[@]}}" """)


def fish_completions(weir, line):
    found = shell(weir, ["fish", "--no-config", "-c"],
                  f"source '{ROOT}/completions/fish/weir.fish'; complete -C '{line}'")
    return [word.split("\t")[0] for word in found]


def zsh_completions(weir, line):
    """zsh completes in its line editor alone: one on a terminal of its own, whose compadd tells instead.

    What is written to it comes back as an echo, too. So what is waited for is written in two pieces, or the echo,
    on a busy machine, is taken for the answer."""
    script = """
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "PROMPT= ; stty -echo; fpath=(FOLDER \\$fpath); autoload -Uz compinit; compinit -u -d DUMP"
        zpty -w shell "zstyle ':completion:*' verbose no; bindkey '^I' complete-word"
        zpty -w shell 'zstyle ":completion:*" completer _complete'
        zpty -w shell 'compadd () {
            if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return $?; fi
            local -a __hits; builtin compadd -A __hits "$@"
            local __hit; for __hit in $__hits; do print -r -- "H""IT:$IPREFIX$__hit"; done
            builtin compadd "$@"
        }'
        zpty -w shell 'after () { print -r -- DO""NE; exit }; comppostfuncs=(after)'
        zpty -w shell 'print REA""DY'
        zpty -r -m shell got '*READY*'
        zpty -n -w shell "LINE"$'\\t'
        zpty -r -m shell got '*DONE*'
        print -r -- $got
    """
    script = script.replace("FOLDER", f"{ROOT}/completions/zsh").replace("DUMP", weir.file("dump"))
    found = shell(weir, ["zsh", "-f", "-c"], script.replace("LINE", line))
    return [re.search(r"HIT:(.*)", text)[1].strip() for text in found if "HIT:" in text]


def offers(complete, weir):
    """Holds one shell's completion to the help of the program."""
    expect(set(complete(weir, "weir ")) - {"--help", "--version"}, {*COMMANDS, "help"})
    expect(complete(weir, "weir che"), ["check"])
    for command in COMMANDS:
        found = {word.rstrip("=") for word in complete(weir, f"weir {command} --")}
        expect(found, {"--" + name for name in options_of(weir, command)}, command)
    expect({word.removeprefix("--color=") for word in complete(weir, "weir check --color=")},
           {"auto", "always", "never"})
    expect(set(complete(weir, "weir check --only ")), {"allowed", "denied"})
    with open(weir.file("a.table"), "wb"):
        pass
    found = complete(weir, f"weir stats --store shm:{weir.folder}/a")
    expect([os.path.basename(word).removeprefix("shm:") for word in found], ["a.table"])
    assert "sliding-log" in complete(weir, "weir limit 5/s sliding-")


def test_completion_in_bash(weir):
    offers(bash_completions, weir)


def test_completion_in_fish(weir):
    offers(fish_completions, weir)


def test_completion_in_zsh(weir):
    offers(zsh_completions, weir)


if __name__ == "__main__":
    sys.exit(main(globals()))
