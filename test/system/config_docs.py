#!/usr/bin/python3
"""config_docs PROGRAM FORMS - holds the manual, the schema and all examples to what the reader takes.

PROGRAM is weir, FORMS the program that prints the reader's own tables (unit/config/forms.c). jsonschema and yaml are
Debian's, so this is run by Debian's Python.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

import jsonschema
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OURS = {"rules", "listen", "store", "caps", "include"}


class Loader(yaml.SafeLoader):
    """YAML with numbers in decimal, true, false and null, as an editor's language server has it."""


Loader.yaml_implicit_resolvers = {}
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^(0|[1-9][0-9]*)$"), list("0123456789"))
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), list("tf"))
Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(null|~|)$"), ["n", "~", ""])
Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def forms():
    """{form: {key: what the table says}}"""
    found = {}
    for line in subprocess.run([sys.argv[2]], check=True, capture_output=True, text=True).stdout.splitlines():
        form, key, kind, required, standard, least, most, words = line.split("\t")
        found.setdefault(form, {})[key] = {"kind": kind, "required": required == "1", "standard": int(standard),
                                           "least": int(least), "most": int(most), "words": words.split(",")}
    return found


def duration(us):
    for name, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if us % (size * 1000000) == 0 and us > 0:
            return f"{us // size // 1000000}{name}"
    return f"{us // 1000}ms" if us else "0s"


def size(number):
    unit = 0
    while number and number % 1024 == 0 and unit < 3:
        number, unit = number // 1024, unit + 1
    return f"{number}{('B', 'KiB', 'MiB', 'GiB')[unit]}"


def row_of(key):
    """Type, default and range as the manual has to say them; None: it is free to."""
    kind = key["kind"]
    if kind == "boolean":
        return "boolean", "true" if key["standard"] else "false", ""
    if kind == "choice":
        return "word", key["words"][key["standard"]], ", ".join(key["words"])
    if kind in ("number", "duration", "size"):
        write = {"number": str, "duration": duration, "size": size}[kind]
        default = write(key["standard"])
        if key["standard"] == 0 and key["least"] > 0:
            default = "0" if kind == "duration" else "none"
        return kind, default, f"{write(key['least'])} to {write(key['most'])}"
    return None, "required" if key["required"] else None, None


def test_the_manual_has_every_key_with_its_default_and_range():
    text = read("docs/manual/policy.md")
    tables = {}
    for name, table in re.findall(r"<!-- form: (\w+) -->\n\n((?:\|.*\n)+)", text):
        rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()[2:]]
        tables[name] = {row[0].strip("`"): row[1:4] for row in rows}
    expected = forms()
    assert set(tables) == set(expected), set(tables) ^ set(expected)
    for form, keys in expected.items():
        assert list(tables[form]) == list(keys) or set(tables[form]) == set(keys), (form, tables[form].keys())
        for name, key in keys.items():
            for said, meant in zip(tables[form][name], row_of(key)):
                assert meant is None or said == meant, f"{form}.{name}: {said!r} should be {meant!r}"
            assert key["required"] == (tables[form][name][1] == "required"), f"{form}.{name}"


def numbers_of(schema):
    """The integer among the alternatives of a property."""
    for part in schema.get("anyOf", [schema]):
        if part.get("type") == "integer":
            return part.get("minimum"), part.get("maximum")
    return None, None


def test_the_schema_has_every_key_and_no_other():
    schema = json.loads(read("share/weir.schema.json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for form, keys in forms().items():
        here = schema["$defs"][form]
        assert here["additionalProperties"] is False, form
        assert set(here["properties"]) == set(keys), (form, set(here["properties"]) ^ set(keys))
        assert sorted(here.get("required", [])) == sorted(k for k, v in keys.items() if v["required"]), form
        for name, key in keys.items():
            place = here["properties"][name]
            if key["kind"] == "number":
                assert numbers_of(place) == (key["least"], key["most"]), (form, name)
                assert place.get("default", 0) == key["standard"], (form, name)
            if key["kind"] == "boolean":
                assert place.get("default", False) == bool(key["standard"]), (form, name)
            if key["kind"] == "choice":
                assert place["enum"] == key["words"], (form, name)
                assert place["default"] == key["words"][key["standard"]], (form, name)


def configurations():
    """(where, text) of every configuration in the manual and the examples."""
    for folder, _, names in os.walk(os.path.join(ROOT, "docs")):
        for name in sorted(names):
            if name.endswith(".md"):
                path = os.path.relpath(os.path.join(folder, name), ROOT)
                yield from blocks_of(path)
    yield from blocks_of("README.md")
    for name in sorted(os.listdir(os.path.join(ROOT, "examples"))):
        if name.endswith(".yaml"):
            yield "examples/" + name, read("examples", name)


def blocks_of(path):
    text = read(path)
    for found in re.finditer(r"^( *)```ya?ml\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        lines = [line.removeprefix(found[1]) for line in found[2].splitlines(keepends=True)]
        block = "".join(lines)
        top = set(re.findall(r"^([\w-]+):", block, re.MULTILINE))
        if top & OURS and not top - OURS - {"workers", "log", "top", "ad_hoc", "ipv6_prefix", "watch"} \
                - {name for name in top if name.startswith("x-")}:
            yield f"{path}:{text.count(chr(10), 0, found.start()) + 1}", block


def validate(text):
    """What the program says of a configuration in a folder with the files that it names."""
    with tempfile.TemporaryDirectory(prefix="weir-test-") as folder:
        text = text.replace("/etc/weir/", folder + "/")
        for name in re.findall(r"file: ([\w./-]+)", text):
            path = os.path.join(folder, name)
            if os.path.dirname(path) == folder:
                with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
                    file.write("0123456789abcdef\n")
        path = os.path.join(folder, "weir.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        kept = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS") or k == "PATH"}
        variables = {name: "0123456789abcdef" for name in re.findall(r"env: (\w+)", text)}
        return subprocess.run([sys.argv[1], "validate", path], capture_output=True, text=True, check=False, timeout=100,
                              env={**kept, **variables})


def test_every_example_is_right():
    count = 0
    for where, text in configurations():
        done = validate(text)
        assert (done.returncode, done.stderr) == (0, ""), f"{where}: {done.stderr}"
        count += 1
    assert count >= 10, count


def test_the_schema_takes_every_example():
    validator = jsonschema.Draft202012Validator(json.loads(read("share/weir.schema.json")))
    for where, text in configurations():
        errors = [f"{where}: {list(error.absolute_path)}: {error.message}"
                  for error in validator.iter_errors(yaml.load(text, Loader))]
        assert not errors, "\n".join(errors)


def test_the_schema_refuses_what_the_reader_refuses():
    validator = jsonschema.Draft202012Validator(json.loads(read("share/weir.schema.json")))
    rule = "rules: [{name: a, key: ip, limit: 1/s, %s}]"
    refused = ["listn: []", "workers: 257", "watch: yes", "caps: {idle: 60}", "log: {level: loud}", "listen: []",
               "listen: [{}]", "listen: [{http: a, resp: b}]", "rules: [{name: a, key: ip}]",
               "rules: [{name: a, limit: 1/s}]", rule % "limits: 1/s", rule % "cost: 0", rule % "match: {a: {}}",
               rule % "match: {a: {not: {prefix: b, glob: c}}}", rule % "match: {a: []}",
               rule % "allow: [{ip: 10.0.0.0/8}]", rule % "key: {attribut: ip}", rule % "on_error: x"]
    for text in refused:
        assert list(validator.iter_errors(yaml.load(text, Loader))), text
        assert validate(text).returncode == 2, text


def main():
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    print(f"1..{len(tests)}", flush=True)
    failed = False
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {name}", flush=True)
        except Exception as error:  # whatever went wrong, the next test is to run
            failed = True
            text = f"{type(error).__name__}: {error}".replace("\n", "\n# ")
            print(f"not ok {number} - {name}\n# {text}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
