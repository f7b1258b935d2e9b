#!/usr/bin/env python3
"""Theta sketches that tarn writes are those of Apache DataSketches: read by it, with the same estimate, and with the same
hashes as sketches that it makes of the same values."""
import gzip
import json
import os
import struct
import sys

import datasketches

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Server, check, equal, main, test  # noqa: E402


def lake_server():
    server = Server(start=False)
    folder = os.path.join(server.work, "lake")
    os.mkdir(folder)
    server.settings = {"warehouse.roots": folder, "warehouse.location": "file://" + folder}
    return server.start()


def read(location):
    with open(location.removeprefix("file://"), "rb") as file:
        data = file.read()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def sketches(server, table):
    """Column -> (ndv, sketch); the Puffin file is read by the specification."""
    location = server.request("GET", f"/api/v1/namespaces/main/tables/{table}").ok().json["metadata_location"]
    document = json.loads(read(location))
    entry = document["statistics"][0]
    data = read(entry["statistics-path"])
    equal(len(data), entry["file-size-in-bytes"])
    equal((data[:4], data[-4:]), (b"PFA1", b"PFA1"))
    size = struct.unpack("<i", data[-12:-8])[0]
    equal(size + 16, entry["file-footer-size-in-bytes"], "the footer is payload, size, flags and two magics")
    footer = json.loads(data[-12 - size:-12])
    names = {field["id"]: field["name"] for field in document["schemas"][-1]["fields"]}
    found = {}
    for blob, told in zip(footer["blobs"], entry["blob-metadata"]):
        equal({key: blob[key] for key in told}, told)
        equal(blob["type"], "apache-datasketches-theta-v1")
        part = data[blob["offset"]:blob["offset"] + blob["length"]]
        found[names[blob["fields"][0]]] = int(blob["properties"]["ndv"]), datasketches.compact_theta_sketch.deserialize(part)
    return found


@test
def datasketches_reads_them_and_makes_the_same():
    with lake_server() as server, server.client() as client:
        for count in (0, 1, 2, 4096, 4097, 200000):
            name = f"t{count}"
            client.query(f"CREATE TABLE {name} AS SELECT i AS n, 'v' || i AS s, i * 1.5::DOUBLE AS d, (i % 50)::INTEGER AS small "
                         f"FROM range({count}) r(i)")
            if count == 0:
                client.query(f"INSERT INTO {name} VALUES (NULL, NULL, NULL, NULL)")
            client.query(f"ANALYZE {name}")
            theirs = {column: datasketches.update_theta_sketch(12) for column in ("n", "s", "d")}
            for i in range(count):
                theirs["n"].update(i)
                theirs["s"].update(f"v{i}")
                theirs["d"].update(i * 1.5)
            found = sketches(server, name)
            equal(sorted(found), ["d", "n", "s", "small"])
            equal(found["small"][0], min(count, 50))
            for column, sketch in theirs.items():
                ndv, ours = found[column]
                equal(int(ours.get_estimate()), ndv, f"{name}.{column}")
                if count <= 4096:
                    equal(ndv, count)
                check(ours.get_lower_bound(3) <= count <= ours.get_upper_bound(3), f"{name}.{column}: {ndv} for {count}")
                theta = min(ours.theta64, sketch.theta64)
                equal([h for h in sorted(ours) if h < theta], [h for h in sorted(sketch) if h < theta], f"{name}.{column}")


main()
