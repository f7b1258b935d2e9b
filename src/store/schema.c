/* The tables of the built-in store, step by step. A step that was released is never changed. */
#include "internal.h"

const state_migration store_migrations[] = {
    {"store", 1,
     "CREATE TABLE store_properties (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);"
     "CREATE TABLE store_totals (id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1), objects BIGINT NOT NULL,"
     "  bytes BIGINT NOT NULL);"
     "INSERT INTO store_totals (id, objects, bytes) VALUES (1, 0, 0);"
     "CREATE TABLE buckets (name TEXT PRIMARY KEY NOT NULL, created_us BIGINT NOT NULL);"
     /* owners: objects that share the bytes. crcs: CRC-32C of each 64 KiB, little-endian. */
     "CREATE TABLE blobs (id TEXT PRIMARY KEY NOT NULL, size_bytes BIGINT NOT NULL, crcs BLOB NOT NULL,"
     "  owners BIGINT NOT NULL);"
     "CREATE TABLE objects ("
     "  bucket TEXT NOT NULL REFERENCES buckets (name),"
     "  key TEXT NOT NULL,"
     "  version TEXT NOT NULL," /* '' is the only one so far */
     "  blob TEXT NOT NULL,"
     "  size_bytes BIGINT NOT NULL,"
     "  etag TEXT NOT NULL,"
     "  content_type TEXT NOT NULL,"
     "  modified_us BIGINT NOT NULL,"
     "  metadata TEXT," /* JSON; NULL for none */
     "  PRIMARY KEY (bucket, key, version));"
     /* Blobs whose row is gone and whose file has to go. */
     "CREATE TABLE blob_drops (blob TEXT PRIMARY KEY NOT NULL)"},
    {"store", 2,
     /* Rows lie in the order of their keys, so that a new one is one page and not two. parts: sizes of the objects that
        share the file, 4 bytes each, little-endian; each has checksums of its own blocks, one after another. NULL: the
        blob is one object. */
     "CREATE TABLE blobs_2 (id TEXT PRIMARY KEY NOT NULL, size_bytes BIGINT NOT NULL, crcs BLOB NOT NULL,"
     "  owners BIGINT NOT NULL, parts BLOB) WITHOUT ROWID;"
     "INSERT INTO blobs_2 (id, size_bytes, crcs, owners)"
     "  SELECT id, size_bytes, crcs, owners FROM blobs ORDER BY id;"
     "DROP TABLE blobs;"
     "ALTER TABLE blobs_2 RENAME TO blobs;"
     "CREATE TABLE objects_2 ("
     "  bucket TEXT NOT NULL REFERENCES buckets (name),"
     "  key TEXT NOT NULL,"
     "  version TEXT NOT NULL,"
     "  blob TEXT NOT NULL,"
     "  blob_offset BIGINT NOT NULL,"
     "  size_bytes BIGINT NOT NULL,"
     "  etag TEXT NOT NULL,"
     "  content_type TEXT NOT NULL,"
     "  modified_us BIGINT NOT NULL,"
     "  metadata TEXT,"
     "  PRIMARY KEY (bucket, key, version)) WITHOUT ROWID;"
     "INSERT INTO objects_2 (bucket, key, version, blob, blob_offset, size_bytes, etag, content_type,"
     "  modified_us, metadata) SELECT bucket, key, version, blob, 0, size_bytes, etag, content_type,"
     "  modified_us, metadata FROM objects ORDER BY bucket, key, version;"
     "DROP TABLE objects;"
     "ALTER TABLE objects_2 RENAME TO objects;"
     "CREATE TABLE blob_drops_2 (blob TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID;"
     "INSERT INTO blob_drops_2 SELECT blob FROM blob_drops;"
     "DROP TABLE blob_drops;"
     "ALTER TABLE blob_drops_2 RENAME TO blob_drops"},
    {"store", 3,
     /* versioning: bucket_versioning. owner '' is root's: of buckets that tarn made by itself. */
     "ALTER TABLE buckets ADD COLUMN owner TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE buckets ADD COLUMN region TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE buckets ADD COLUMN versioning BIGINT NOT NULL DEFAULT 0;"
     "ALTER TABLE buckets ADD COLUMN lock_enabled BIGINT NOT NULL DEFAULT 0;"
     "CREATE TABLE bucket_documents (bucket TEXT NOT NULL REFERENCES buckets (name), name TEXT NOT NULL,"
     "  text TEXT NOT NULL, PRIMARY KEY (bucket, name)) WITHOUT ROWID;"
     /* Rows of objects, rows of object_versions, bytes of both. */
     "CREATE TABLE bucket_totals (bucket TEXT PRIMARY KEY NOT NULL, objects BIGINT NOT NULL,"
     "  versions BIGINT NOT NULL, bytes BIGINT NOT NULL) WITHOUT ROWID;"
     "INSERT INTO bucket_totals (bucket, objects, versions, bytes)"
     "  SELECT bucket, count(*), 0, sum(size_bytes) FROM objects GROUP BY bucket;"
     "DROP TABLE store_totals;"
     /* The current version of a key, where that is no delete marker. version '' is the null version. metadata: JSON
        of what no column holds (details.c), NULL where that is nothing. */
     "CREATE TABLE objects_3 ("
     "  bucket TEXT NOT NULL REFERENCES buckets (name),"
     "  key TEXT NOT NULL,"
     "  version TEXT NOT NULL,"
     "  blob TEXT NOT NULL,"
     "  blob_offset BIGINT NOT NULL,"
     "  size_bytes BIGINT NOT NULL,"
     "  etag TEXT NOT NULL,"
     "  content_type TEXT NOT NULL,"
     "  modified_us BIGINT NOT NULL,"
     "  metadata TEXT,"
     "  PRIMARY KEY (bucket, key)) WITHOUT ROWID;"
     "INSERT INTO objects_3 (bucket, key, version, blob, blob_offset, size_bytes, etag, content_type,"
     "  modified_us, metadata) SELECT bucket, key, version, blob, blob_offset, size_bytes, etag, content_type,"
     "  modified_us, metadata FROM objects ORDER BY bucket, key;"
     "DROP TABLE objects;"
     "ALTER TABLE objects_3 RENAME TO objects;"
     /* Older versions, and all delete markers. place falls with each change of the key, so that its newest comes
        first. */
     "CREATE TABLE object_versions ("
     "  bucket TEXT NOT NULL REFERENCES buckets (name),"
     "  key TEXT NOT NULL,"
     "  place BIGINT NOT NULL,"
     "  version TEXT NOT NULL,"
     "  is_marker BIGINT NOT NULL,"
     "  blob TEXT NOT NULL,"
     "  blob_offset BIGINT NOT NULL,"
     "  size_bytes BIGINT NOT NULL,"
     "  etag TEXT NOT NULL,"
     "  content_type TEXT NOT NULL,"
     "  modified_us BIGINT NOT NULL,"
     "  metadata TEXT,"
     "  PRIMARY KEY (bucket, key, place)) WITHOUT ROWID;"
     "CREATE UNIQUE INDEX object_version_ids ON object_versions (bucket, key, version)"},
    {"store", 4,
     /* seal: keys of encrypted bytes (seal.c), NULL: plain; size_bytes and crcs are of what lies on the disk. file: the
        segment that holds the bytes, from file_offset on, with a record of file_bytes; NULL: a file of its own. */
     "ALTER TABLE blobs ADD COLUMN seal BLOB;"
     "ALTER TABLE blobs ADD COLUMN file TEXT;"
     "ALTER TABLE blobs ADD COLUMN file_offset BIGINT NOT NULL DEFAULT 0;"
     "ALTER TABLE blobs ADD COLUMN file_bytes BIGINT NOT NULL DEFAULT 0;"
     "CREATE INDEX blobs_by_file ON blobs (file) WHERE file IS NOT NULL;"
     /* size_bytes is known once it is sealed; live_bytes: of the records that blobs have. */
     "CREATE TABLE segments (id TEXT PRIMARY KEY NOT NULL, size_bytes BIGINT NOT NULL,"
     "  live_bytes BIGINT NOT NULL, sealed BIGINT NOT NULL) WITHOUT ROWID;"
     /* blob: the file of parts in place, each at a multiple of part_bytes; NULL before the first. completed_us: 0 while
        it is open; then result says what was answered. */
     "CREATE TABLE uploads ("
     "  bucket TEXT NOT NULL,"
     "  key TEXT NOT NULL,"
     "  id TEXT NOT NULL,"
     "  created_us BIGINT NOT NULL,"
     "  details TEXT NOT NULL,"
     "  blob TEXT,"
     "  part_bytes BIGINT NOT NULL,"
     "  completed_us BIGINT NOT NULL,"
     "  result TEXT,"
     "  PRIMARY KEY (bucket, key, id)) WITHOUT ROWID;"
     "CREATE INDEX uploads_by_blob ON uploads (blob) WHERE blob IS NOT NULL;"
     "CREATE INDEX uploads_completed ON uploads (completed_us) WHERE completed_us > 0;"
     /* blob: the part's own file; NULL: in place. crc64 beside the checksum that the client asked for. */
     "CREATE TABLE upload_parts ("
     "  upload TEXT NOT NULL,"
     "  number BIGINT NOT NULL,"
     "  size_bytes BIGINT NOT NULL,"
     "  disk_bytes BIGINT NOT NULL,"
     "  etag TEXT NOT NULL,"
     "  checksum_kind BIGINT NOT NULL,"
     "  checksum TEXT NOT NULL,"
     "  crc64 BIGINT NOT NULL,"
     "  modified_us BIGINT NOT NULL,"
     "  blob TEXT,"
     "  crcs BLOB NOT NULL,"
     "  seal BLOB,"
     "  PRIMARY KEY (upload, number)) WITHOUT ROWID;"
     "CREATE INDEX upload_parts_by_blob ON upload_parts (blob) WHERE blob IS NOT NULL"},
};
const size_t store_migration_count = COUNT_OF(store_migrations);
