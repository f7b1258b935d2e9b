"""Every header compiles alone, with nothing included before it: whoever includes it needs to know
nothing else. Public headers see only what their module may see.
"""
import concurrent.futures
import os
import subprocess

import tree

FLAGS = ["-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-x", "c"]


def compile_alone(job):
    path, includes = job
    command = [os.environ.get("CC", "cc"), *FLAGS, *(f"-I{place}" for place in includes), "-include", path, "/dev/null"]
    result = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True)
    return path, result.returncode, result.stderr


def main():
    findings = tree.Findings(["headers"])
    modules = tree.modules()
    generated = os.path.join(os.environ.get("TARN_BUILD", ""), "generated")
    jobs = []
    for path in tree.c_files():
        if not path.endswith(".h"):
            continue
        parts = path.split("/")
        if parts[0] == "src" and parts[1] in modules:
            name = parts[1]
            places = [name, *modules[name].depends]
            includes = [f"src/{place}/include" for place in places] + [f"src/{name}", os.path.dirname(path)]
        else:
            includes = ["tests", "bench"] + [f"src/{name}/include" for name in modules]
        jobs.append((path, includes + [generated]))
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for path, code, output in pool.map(compile_alone, jobs):
            if code != 0:
                first = next((line for line in output.splitlines() if "error" in line), output.strip())
                findings.add("headers", path, 1, f"does not compile alone: {first}; include what it uses")
    findings.finish(f"{len(jobs)} headers alone")


main()
