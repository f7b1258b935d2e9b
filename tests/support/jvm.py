"""Programs on a Java virtual machine, for tests: which Java fits, and where tools/bootstrap --interop put them."""
import os
import re
import shutil
import subprocess

from sparks import ROOT
from tarn import skip

PLACES = "/usr/lib/jvm"


def place(name):
    return os.path.join(os.environ.get("TARN_INTEROP_CACHE") or os.path.join(ROOT, "build", "interop"), name)


def java(least, most=10 ** 9):
    """The first Java whose version lies between."""
    homes = sorted(os.listdir(PLACES)) if os.path.isdir(PLACES) else []
    for program in (os.path.join(os.environ.get("JAVA_HOME") or "/nowhere", "bin/java"), shutil.which("java"),
                    *(os.path.join(PLACES, home, "bin/java") for home in homes)):
        if program and os.access(program, os.X_OK):
            said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
            found = re.search(r'version "(\d+)', said)
            if found and least <= int(found.group(1)) <= most:
                return program
    return skip(f"there is no Java {least}" + (" or newer" if most > 1000 else f" to {most}"))
