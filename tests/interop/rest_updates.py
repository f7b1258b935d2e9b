#!/usr/bin/env python3
"""Commits of random updates over the REST catalog, next to what PyIceberg's own update_table_metadata makes of the same
base and the same updates: every member of the metadata is compared, but for times and what the two are known to do
differently (NOT_ALIKE). Tables of all format versions, types, transforms, orders; snapshots, branches, tags, statistics."""
import copy
import json
import os
import random
import sys

from pydantic import BaseModel
from pyiceberg.catalog.rest import CreateTableRequest
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadataUtil, new_table_metadata
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER, NullOrder, SortDirection, SortField, SortOrder
from pyiceberg.table.statistics import BlobMetadata, PartitionStatisticsFile, StatisticsFile
from pyiceberg.table.update import (AddPartitionSpecUpdate, AddSchemaUpdate, AddSnapshotUpdate, AddSortOrderUpdate,
                                    RemovePartitionStatisticsUpdate, RemovePropertiesUpdate, RemoveSnapshotRefUpdate,
                                    RemoveSnapshotsUpdate, RemoveStatisticsUpdate, SetCurrentSchemaUpdate,
                                    SetDefaultSortOrderUpdate, SetDefaultSpecUpdate, SetPartitionStatisticsUpdate,
                                    SetPropertiesUpdate, SetSnapshotRefUpdate, SetStatisticsUpdate, update_table_metadata)
from pyiceberg.transforms import (BucketTransform, DayTransform, HourTransform, IdentityTransform, MonthTransform,
                                  TruncateTransform, YearTransform)
from pyiceberg.types import (BinaryType, BooleanType, DateType, DecimalType, DoubleType, FixedType, IntegerType, ListType,
                             LongType, MapType, NestedField, StringType, StructType, TimestampType, TimestamptzType,
                             UUIDType)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from restcatalog import commit, make_space, ok, space_path, table_path  # noqa: E402
from tarn import LONG, check, equal, main, seed, test  # noqa: E402

TABLES = 60 if LONG else 12
COMMITS = 10
PRIMITIVES = [IntegerType(), LongType(), StringType(), DoubleType(), DateType(), TimestampType(), TimestamptzType(),
              DecimalType(9, 2), UUIDType(), BinaryType(), FixedType(5), BooleanType()]
# Members that follow the clock, and those of version 1 that PyIceberg leaves at what they were.
NOT_ALIKE = ("last-updated-ms", "table-uuid", "metadata-log", "schema", "partition-spec")


class Ids:
    def __init__(self, last):
        self.last = last

    def next(self):
        self.last += 1
        return self.last


def random_type(r, ids, depth=0):
    kind = r.random() if depth < 2 else 1
    if kind < 0.12:
        return StructType(*[NestedField(ids.next(), f"f{i}", random_type(r, ids, depth + 1), required=False)
                            for i in range(r.randint(1, 3))])
    if kind < 0.2:
        return ListType(ids.next(), random_type(r, ids, depth + 1), element_required=r.random() < 0.3)
    if kind < 0.27:
        return MapType(ids.next(), StringType(), ids.next(), random_type(r, ids, depth + 1), value_required=False)
    return r.choice(PRIMITIVES)


def random_transform(r, kind):
    choices = [IdentityTransform()]
    if isinstance(kind, (IntegerType, LongType, StringType, DecimalType, BinaryType)):
        choices += [BucketTransform(r.choice([4, 16])), TruncateTransform(r.choice([3, 10]))]
    if isinstance(kind, (UUIDType, FixedType)):
        choices.append(BucketTransform(8))
    if isinstance(kind, (DateType, TimestampType, TimestamptzType)):
        choices += [YearTransform(), MonthTransform(), DayTransform()]
    if isinstance(kind, (TimestampType, TimestamptzType)):
        choices.append(HourTransform())
    return r.choice(choices)


def some_fields(r, schema, least):
    fields = [f for f in schema.fields if f.field_type.is_primitive]
    return r.sample(fields, min(len(fields), r.randint(least, 2)))


def random_order(r, schema, order_id):
    fields = [SortField(f.field_id, random_transform(r, f.field_type), r.choice(list(SortDirection)),
                        r.choice(list(NullOrder))) for f in some_fields(r, schema, 1)]
    return SortOrder(*fields, order_id=order_id) if fields else None


class Writer:
    """One client: what it asks in a commit, from the metadata that it loaded."""

    def __init__(self, r, name, version):
        self.r, self.name, self.version = r, name, version
        self.time_ms = 0

    # ---- creating ----

    def create(self):
        r, ids = self.r, Ids(self.r.choice([0, 5, 100]))
        fields = [NestedField(ids.next(), f"c{i}", random_type(r, ids), required=r.random() < 0.3,
                              doc=r.choice([None, "d\u00e9\U0001F600"])) for i in range(r.randint(1, 6))]
        identifiers = [f.field_id for f in fields if f.required and f.field_type.is_primitive
                       and not isinstance(f.field_type, DoubleType)][:r.randint(0, 2)]
        schema = Schema(*fields, identifier_field_ids=identifiers)
        parts = []
        for f in some_fields(r, schema, 0):
            transform = random_transform(r, f.field_type)
            name = f.name if isinstance(transform, IdentityTransform) else f.name + "_p"
            parts.append(PartitionField(f.field_id, 1000 + len(parts), transform, name))
        spec, order = PartitionSpec(*parts), random_order(r, schema, 1) or UNSORTED_SORT_ORDER
        properties = {"format-version": str(self.version), "owner": "x"}
        request = CreateTableRequest(name=self.name, location=None, table_schema=schema, partition_spec=spec,
                                     write_order=order, stage_create=False, properties=dict(properties))
        made = ok("POST", space_path("ns") + "/tables", json.loads(request.model_dump_json()))["metadata"]
        self.time_ms = made["last-updated-ms"]
        if self.version < 3:  # PyIceberg makes none of version 3
            wanted = new_table_metadata(schema, spec, order, made["location"], dict(properties))
            self.compare(dumped(wanted), made, [], "created")
        return made

    # ---- updates ----

    def schema(self, table):
        new = NestedField(table.last_column_id + 1, f"n{table.last_column_id + 1}", self.r.choice(PRIMITIVES),
                          required=False)
        old = table.schema()
        added = Schema(*old.fields, new, schema_id=max(s.schema_id for s in table.schemas) + 1,
                       identifier_field_ids=old.identifier_field_ids)
        current = [SetCurrentSchemaUpdate(schema_id=-1)] if self.r.random() < 0.8 else []
        return [AddSchemaUpdate(schema_=added), *current]

    def spec(self, table):
        known = {(f.source_id, str(f.transform)): f.field_id for s in table.partition_specs for f in s.fields}
        following = max(999, table.last_partition_id) + 1
        fields = []
        for f in some_fields(self.r, table.schema(), 0):
            transform = random_transform(self.r, f.field_type)
            field_id = known.get((f.field_id, str(transform)), following)
            if self.version == 1:
                field_id = 1000 + len(fields)
            following = max(following, field_id + 1)
            name = f.name if isinstance(transform, IdentityTransform) else f"{f.name}_{field_id}"
            fields.append(PartitionField(f.field_id, field_id, transform, name))
        spec = PartitionSpec(*fields, spec_id=max(s.spec_id for s in table.partition_specs) + 1)
        if any(old.compatible_with(spec) for old in table.partition_specs):
            return []  # PyIceberg's client would not send it
        return [AddPartitionSpecUpdate(spec=spec), SetDefaultSpecUpdate(spec_id=-1)]

    def order(self, table):
        order = random_order(self.r, table.schema(), max(o.order_id for o in table.sort_orders) + 1)
        if order is None or any(list(old.fields) == list(order.fields) for old in table.sort_orders):
            return []
        return [AddSortOrderUpdate(sort_order=order), SetDefaultSortOrderUpdate(sort_order_id=-1)]

    def snapshot(self, table):
        self.time_ms += self.r.randint(1, 50)
        snapshot_id = self.r.getrandbits(60) | 1
        rows = {"first_row_id": table.next_row_id or 0, "added_rows": 10} if self.version == 3 else {}
        snapshot = Snapshot(snapshot_id=snapshot_id, parent_snapshot_id=table.current_snapshot_id,
                            sequence_number=table.last_sequence_number + 1 if self.version > 1 else 0,
                            timestamp_ms=self.time_ms, manifest_list=f"{table.location}/metadata/snap-{snapshot_id}.avro",
                            summary=Summary(Operation.APPEND, **{"added-records": "10"}),
                            schema_id=table.current_schema_id, **rows)
        return [AddSnapshotUpdate(snapshot=snapshot),
                SetSnapshotRefUpdate(ref_name="main", type="branch", snapshot_id=snapshot_id)]

    def reference(self, table):
        name = self.r.choice(["b1", "b2", "t1"])
        return [SetSnapshotRefUpdate(ref_name=name, type="tag" if name == "t1" else "branch",
                                     snapshot_id=self.r.choice(table.snapshots).snapshot_id,
                                     max_ref_age_ms=self.r.choice([None, 100]))] if table.snapshots else []

    def drop_reference(self, table):
        names = [name for name in table.refs if name != "main"]
        return [RemoveSnapshotRefUpdate(ref_name=self.r.choice(names))] if names else []

    def expire(self, table):
        kept = {ref.snapshot_id for ref in table.refs.values()}
        free = [s.snapshot_id for s in table.snapshots if s.snapshot_id not in kept]
        return [RemoveSnapshotsUpdate(snapshot_ids=[self.r.choice(free)])] if free else []

    def properties(self, table):
        old = [key for key in table.properties if key.startswith("k")]
        if old and self.r.random() < 0.4:
            return [RemovePropertiesUpdate(removals=[self.r.choice(old)])]
        return [SetPropertiesUpdate(updates={f"k{self.r.randint(0, 4)}": str(self.r.random())})]

    def statistics(self, table):
        if table.statistics and self.r.random() < 0.4:
            return [RemoveStatisticsUpdate(snapshot_id=table.statistics[0].snapshot_id)]
        if not table.current_snapshot_id:
            return []
        blob = BlobMetadata(type="apache-datasketches-theta-v1", snapshot_id=table.current_snapshot_id, sequence_number=1,
                            fields=[1], properties=self.r.choice([None, {"ndv": "4"}]))
        return [SetStatisticsUpdate(statistics=StatisticsFile(
            snapshot_id=table.current_snapshot_id, statistics_path=f"{table.location}/metadata/s{self.r.randint(0, 9)}",
            file_size_in_bytes=5, file_footer_size_in_bytes=2, blob_metadata=[blob]))]

    def partition_statistics(self, table):
        if table.partition_statistics and self.r.random() < 0.4:
            return [RemovePartitionStatisticsUpdate(snapshot_id=table.partition_statistics[0].snapshot_id)]
        if not table.current_snapshot_id:
            return []
        path = f"{table.location}/metadata/p{self.r.randint(0, 9)}"
        return [SetPartitionStatisticsUpdate(partition_statistics=PartitionStatisticsFile(
            snapshot_id=table.current_snapshot_id, statistics_path=path, file_size_in_bytes=5))]

    # ---- commits ----

    def step(self, base, what):
        table = TableMetadataUtil.parse_obj(copy.deepcopy(base))
        kinds = [self.schema, self.spec, self.order, self.snapshot, self.snapshot, self.reference, self.drop_reference,
                 self.properties, self.statistics, self.partition_statistics]
        if self.r.random() < 0.2:
            kinds = [self.expire]  # alone: it may take away what the others speak of
        updates = [u for kind in self.r.sample(kinds, min(len(kinds), self.r.randint(1, 4))) for u in kind(table)]
        if sum(isinstance(u, AddSnapshotUpdate) for u in updates) > 1 or not updates:
            return base
        requirements = [{"type": "assert-table-uuid", "uuid": base["table-uuid"]}]
        commit(self.name, requirements, [json.loads(u.model_dump_json()) for u in updates]).ok()
        made = ok("GET", table_path(self.name))["metadata"]
        self.compare(dumped(update_table_metadata(table, tuple(updates))), made, updates, what)
        self.time_ms = max(self.time_ms, made["last-updated-ms"])
        return made

    def compare(self, wanted, made, updates, what):
        what = f"{what}, {[u.action for u in updates]}"
        wanted, made = comparable(wanted), comparable(made)
        if any(isinstance(u, RemoveSnapshotsUpdate) for u in updates):
            # PyIceberg keeps a log with holes, and statistics of snapshots that are gone
            there = [s["snapshot-id"] for s in made["snapshots"]]
            check(all(entry["snapshot-id"] in there for entry in made["snapshot-log"]), what)
            for member in ("snapshot-log", "partition-statistics", "statistics"):
                wanted.pop(member, None)
                made.pop(member, None)
        equal(sorted(made), sorted(wanted), what)
        for member in sorted(made):
            equal(made[member], wanted[member], f"{what}: {member}")


def dumped(metadata):
    """The model's JSON, of version 3 too."""
    return json.loads(BaseModel.model_dump_json(metadata, by_alias=True, exclude_none=True))


def without_nothing(value):
    if isinstance(value, dict):
        return {key: without_nothing(member) for key, member in value.items() if member is not None}
    return [without_nothing(item) for item in value] if isinstance(value, list) else value


def comparable(metadata):
    metadata = without_nothing(metadata)
    for key in NOT_ALIKE:
        metadata.pop(key, None)
    for key in ("statistics", "partition-statistics"):
        metadata.setdefault(key, [])
    if metadata.get("current-snapshot-id") == -1:
        del metadata["current-snapshot-id"]
    for schema in metadata["schemas"]:
        schema["identifier-field-ids"] = sorted(schema.get("identifier-field-ids", []))
    there = {s["snapshot-id"] for s in metadata.get("snapshots", [])}
    for snapshot in metadata.get("snapshots", []):
        if snapshot.get("parent-snapshot-id") not in there:
            snapshot.pop("parent-snapshot-id", None)  # PyIceberg forgets a parent that is gone
    return metadata


@test
def random_commits_make_the_metadata_that_pyiceberg_makes():
    make_space("ns")
    commits, seeds = 0, seed()
    for i in range(TABLES):
        r = random.Random(seeds.random())
        writer = Writer(r, f"t{i}", r.choice([1, 2, 2, 3]))
        now = writer.create()
        for step in range(COMMITS):
            after = writer.step(now, f"table {i}, step {step}")
            commits += after is not now
            now = after
    check(commits > TABLES * 5, f"{commits} commits")


main()
