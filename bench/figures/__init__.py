"""The figures, in the order in which they are measured. Each module measures with `measure(bench)`."""
from figures import arrow, catalog, changes, commits, deletes, idle, load, planning, s3, scan, sessions, short, small, snapshots, sqllogic

FIGURES = {"idle": idle, "commits": commits, "load": load, "scan": scan, "deletes": deletes, "changes": changes, "arrow": arrow,
           "small": small, "short": short, "planning": planning, "snapshots": snapshots,
           "sessions": sessions, "s3": s3, "catalog": catalog, "sqllogic": sqllogic}
