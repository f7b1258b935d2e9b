/* The end of an upload: its parts become one object. Where they lie in their places, what is left is to copy the last
 * one; else all are copied into a file of their order. The object's row, the end of the parts' rows and what was
 * answered are one transaction; who asks again gets that answer for a day. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "rows.h"
#include "tarn/base/clock.h"
#include "tarn/base/fault.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/codec/json.h"
#include "uploads.h"

#define REMEMBERED_US (INT64_C(24) * 3600 * 1000000)

typedef struct completion {
    storage *st;
    live_upload *live;
    const object_part *list; /* as the client says */
    size_t count;
    const upload_claims *whole;
    const object_conditions *conditions;
    arena *a;      /* of the result */
    arena *memory; /* of all else */
    object_info *ret_info;
    upload_row row;
    bool found;
    part_row *rows; /* all that were uploaded */
    size_t row_count;
    part_row **parts; /* those that are listed */
    bool busy;        /* somebody still writes to the upload's file */
    store_staged *staged;
    object_info info;
    bool handed_over;
    bool published;
} completion;

static status refuse(error *err, const char *code, int number, const char *reason)
{
    (void)error_set(err, STATUS_INVALID, "part %d %s", number, reason);
    error_set_s3_code(err, code);
    return STATUS_INVALID;
}

/* --- what was asked --- */

static status read_upload(void *context, state_txn *txn, error *err)
{
    completion *c = context;

    TRY(store__find_upload(txn, c->live->bucket, c->live->key, c->live->id, c->memory, &c->row,
                           &c->found, err));
    if (!c->found || c->row.completed_us != 0) {
        return STATUS_OK;
    }
    return store__read_parts(txn, c->live->id, 0, PARTS_MAX, c->memory, &c->rows, &c->row_count,
                             err);
}

static part_row *find_part(const completion *c, int number)
{
    size_t low = 0;
    size_t high = c->row_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (c->rows[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < c->row_count && c->rows[low].number == number ? &c->rows[low] : NULL;
}

static status check_part(const completion *c, size_t index, error *err)
{
    const object_part *asked = &c->list[index];
    const part_row *part = find_part(c, asked->number);

    if (part == NULL || !str_equal_nocase(part->etag, asked->etag)) {
        return refuse(err, "InvalidPart", asked->number, "was not uploaded, or is another one");
    }
    if (asked->checksum.kind != CHECKSUM_NONE &&
        (asked->checksum.kind != part->checksum.kind ||
         !str_equal(asked->checksum.value, part->checksum.value))) {
        return refuse(err, "InvalidPart", asked->number, "has another checksum");
    }
    if (index + 1 < c->count && part->size_bytes < PART_BYTES_MIN) {
        return refuse(err, "EntityTooSmall", asked->number,
                      "has less than 5 MiB and is not the last");
    }
    return STATUS_OK;
}

static status check_list(completion *c, error *err)
{
    if (c->count == 0 || c->count > PARTS_MAX) {
        (void)error_set(err, STATUS_INVALID, "an upload is completed from 1 to %d parts, not %zu",
                        PARTS_MAX, c->count);
        error_set_s3_code(err, "MalformedXML");
        return STATUS_INVALID;
    }
    for (size_t i = 1; i < c->count; i++) {
        if (c->list[i].number <= c->list[i - 1].number) {
            return refuse(err, "InvalidPartOrder", c->list[i].number, "is out of order");
        }
    }
    c->parts = ARENA_ARRAY(c->memory, part_row *, c->count);
    for (size_t i = 0; i < c->count; i++) {
        TRY(check_part(c, i, err));
        c->parts[i] = find_part(c, c->list[i].number);
    }
    return STATUS_OK;
}

/* --- one file --- */

/* Each part but the last fills its place, nothing behind them lies in place, and nobody writes there any more. */
static bool lies_in_order(const completion *c)
{
    if (c->busy || c->row.blob.text[0] == '\0') {
        return false;
    }
    for (size_t i = 0; i < c->count; i++) {
        const part_row *p = c->parts[i];

        if (p->number != (int)i + 1 || (i + 1 < c->count && p->size_bytes != c->row.part_bytes)) {
            return false;
        }
    }
    for (size_t i = 0; i < c->row_count; i++) {
        if (c->rows[i].number > (int)c->count && c->rows[i].blob.text[0] == '\0') {
            return false; /* it would be cut off, and whether this succeeds is not known yet */
        }
    }
    return true;
}

static int64_t place_bytes(const completion *c)
{
    return c->row.info.attributes.encrypted ? store__sealed_size(c->row.part_bytes)
                                            : c->row.part_bytes;
}

/* Copies a part to `offset` of `to`; what was written is compared with its checksums on the way. */
static status copy_part(const completion *c, const part_row *p, int to, int64_t offset, char *chunk,
                        error *err)
{
    bool in_place = p->blob.text[0] == '\0';
    int64_t from_offset = in_place ? (p->number - 1) * place_bytes(c) : 0;
    int64_t left = p->disk_bytes;
    int from = c->live->fd;
    status copied = STATUS_OK;
    block_hash h;
    str crcs;

    if (!in_place) {
        TRY(fs_open(store__blob_path(c->st, c->memory, p->blob), O_RDONLY, 0, &from, err));
    }
    block_hash_init(&h);
    while (copied == STATUS_OK && left > 0) {
        size_t step = left < (int64_t)STORE_CHUNK_BYTES ? (size_t)left : STORE_CHUNK_BYTES;

        copied = fs_pread_all(from, chunk, step, from_offset, err);
        if (copied == STATUS_OK) {
            block_hash_add(&h, chunk, step);
            copied = fs_pwrite_all(to, chunk, step, offset, err);
        }
        from_offset += (int64_t)step;
        offset += (int64_t)step;
        left -= (int64_t)step;
    }
    if (copied == STATUS_OK) {
        copied = block_hash_finish(&h, c->memory, &crcs, err);
    }
    if (copied == STATUS_OK && !str_equal(crcs, p->crcs)) {
        copied = error_set(err, STATUS_CORRUPT,
                           "part %d is corrupt: its bytes do not match their checksums", p->number);
    }
    block_hash_release(&h);
    if (!in_place) {
        fs_close(from);
    }
    return copied;
}

/* From the parts' own lists where each begins with a block; else the file is read again. */
static status collect_crcs(completion *c, error *err)
{
    store_staged *staged = c->staged;
    int64_t size_bytes;
    bool known = true;
    buf *crcs = buf_in(c->memory, STORE_CRCS_MAX);

    for (size_t i = 0; i < c->count; i++) {
        known = known &&
                (i + 1 == c->count || c->parts[i]->disk_bytes % (int64_t)STORE_BLOCK_BYTES == 0);
        buf_add_str(crcs, c->parts[i]->crcs);
    }
    if (known) {
        TRY(buf_check(crcs, "list of checksums", err));
        staged->crcs = str_copy(staged->memory, buf_str(crcs));
        return STATUS_OK;
    }
    TRY(store__hash_file(staged->fd, staged->memory, &staged->crcs, &size_bytes, err));
    return size_bytes == staged->size_bytes
               ? STATUS_OK
               : error_set(err, STATUS_CORRUPT, "the file of an upload has another size");
}

/* The upload's own file becomes the object's; should that fail in the end, it is the upload's as before. */
static status take_file(completion *c, char *chunk, error *err)
{
    store_staged *staged = c->staged;
    int64_t offset = 0;
    status opened;
    int fd;

    mutex_lock(&c->st->upload_lock);
    opened = store__open_upload_file(c->st, c->live, err);
    mutex_unlock(&c->st->upload_lock);
    TRY(opened);
    fd = dup(c->live->fd);
    if (fd < 0) {
        return error_errno(err, STATUS_IO, errno, "could not open the file of an upload");
    }
    staged->fd = fd;
    staged->id = c->row.blob;
    staged->path = store__blob_path(c->st, staged->memory, staged->id);
    staged->folder =
        arena_strndup(staged->memory, staged->path, str_find_last_char(str_c(staged->path), '/'));
    staged->named = true;
    staged->stays = true;
    (void)fs_remove(store__sidecar_path(c->memory, staged->path), NULL);
    for (size_t i = 0; i < c->count; i++) {
        if (c->parts[i]->blob.text[0] != '\0') {
            TRY(copy_part(c, c->parts[i], fd, offset, chunk, err));
        }
        offset += c->parts[i]->disk_bytes;
    }
    if (ftruncate(fd, (off_t)offset) != 0) {
        return error_errno(err, STATUS_IO, errno, "could not cut the file of an upload");
    }
    staged->size_bytes = offset;
    return STATUS_OK;
}

/* All parts into another file. */
static status write_file(completion *c, char *chunk, error *err)
{
    store_staged *staged = c->staged;
    int64_t total = 0;
    int64_t offset = 0;

    if (c->row.blob.text[0] != '\0') {
        status opened;

        mutex_lock(&c->st->upload_lock);
        opened = store__open_upload_file(c->st, c->live, err);
        mutex_unlock(&c->st->upload_lock);
        TRY(opened);
    }
    for (size_t i = 0; i < c->count; i++) {
        total += c->parts[i]->disk_bytes;
    }
    TRY(staged->ops->create(c->st, staged, total, err));
    for (size_t i = 0; i < c->count; i++) {
        TRY(copy_part(c, c->parts[i], staged->fd, offset, chunk, err));
        offset += c->parts[i]->disk_bytes;
    }
    staged->size_bytes = offset;
    return STATUS_OK;
}

/* --- what is said of it --- */

/* S3's rule: the MD5 of the parts' MD5s, and how many they were. */
static status etag_of_parts(completion *c, error *err)
{
    digester *d = digester_create(DIGEST_MD5);
    uint8_t md5[DIGEST_SIZE_MAX];
    status done = STATUS_OK;

    for (size_t i = 0; i < c->count && done == STATUS_OK; i++) {
        str bytes = STR("");

        done = str_from_hex(c->memory, c->parts[i]->etag, &bytes, err);
        digester_add(d, bytes.data, bytes.size);
    }
    digester_finish(d, md5);
    TRY(done);
    c->staged->etag = str_printf(c->staged->memory, "%.*s-%zu",
                                 STR_ARG(store__etag_of_digest(c->memory, md5)), c->count);
    return STATUS_OK;
}

/* Of one kind, the upload's; of the parts' own bytes. */
static status raw_checksum(completion *c, size_t index, object_checksum_kind kind, str *ret_bytes,
                           error *err)
{
    const part_row *p = c->parts[index];

    if (p->checksum.kind != kind) {
        return refuse(err, "InvalidPart", p->number,
                      "has no checksum of the kind that the upload was begun with");
    }
    return base64_decode(c->memory, p->checksum.value, ret_bytes, err);
}

/* The checksum of the parts' checksums. */
static status composite_checksum(completion *c, object_checksum_kind kind, object_checksum *ret_sum,
                                 error *err)
{
    buf *all = buf_in(c->memory, (size_t)PARTS_MAX * DIGEST_SIZE_MAX);
    uint8_t sum[DIGEST_SIZE_MAX];
    char text[64];
    str bytes;

    for (size_t i = 0; i < c->count; i++) {
        TRY(raw_checksum(c, i, kind, &bytes, err));
        buf_add_str(all, bytes);
    }
    if (kind == CHECKSUM_SHA1 || kind == CHECKSUM_SHA256) {
        digest_kind digested = kind == CHECKSUM_SHA1 ? DIGEST_SHA1 : DIGEST_SHA256;

        digest(digested, buf_str(all), sum);
        bytes = base64_encode(c->memory, str_from((const char *)sum, digest_size(digested)));
    } else {
        uint64_t crc = kind == CHECKSUM_CRC32    ? checksum_crc32(0, all->data, all->size)
                       : kind == CHECKSUM_CRC32C ? checksum_crc32c(0, all->data, all->size)
                                                 : checksum_crc64nvme(0, all->data, all->size);

        store__format_crc(kind, crc, text);
        bytes = str_c(text);
    }
    *ret_sum = (object_checksum){.kind = kind,
                                 .composite = true,
                                 .value = str_printf(c->a, "%.*s-%zu", STR_ARG(bytes), c->count)};
    return STATUS_OK;
}

static uint64_t crc_of_bytes(str bytes)
{
    uint64_t crc = 0;

    for (size_t i = 0; i < bytes.size; i++) {
        crc = crc << 8 | (uint8_t)bytes.data[i];
    }
    return crc;
}

static uint64_t combine(object_checksum_kind kind, uint64_t first, uint64_t second, int64_t bytes)
{
    switch (kind) {
    case CHECKSUM_CRC32:
        return checksum_crc32_combine((uint32_t)first, (uint32_t)second, bytes);
    case CHECKSUM_CRC32C:
        return checksum_crc32c_combine((uint32_t)first, (uint32_t)second, bytes);
    default:
        return checksum_crc64nvme_combine(first, second, bytes);
    }
}

/* A CRC of the whole, from those of the parts. */
static status full_checksum(completion *c, object_checksum_kind kind, object_checksum *ret_sum,
                            error *err)
{
    bool declared = c->row.info.checksum != CHECKSUM_NONE;
    uint64_t crc = 0;
    char text[64];

    for (size_t i = 0; i < c->count; i++) {
        uint64_t next = c->parts[i]->crc64;
        str bytes;

        if (declared) {
            TRY(raw_checksum(c, i, kind, &bytes, err));
            next = crc_of_bytes(bytes);
        }
        crc = i == 0 ? next : combine(kind, crc, next, c->parts[i]->size_bytes);
    }
    store__format_crc(kind, crc, text);
    *ret_sum = (object_checksum){.kind = kind, .value = str_copy(c->a, str_c(text))};
    return STATUS_OK;
}

static status compute_checksum(completion *c, error *err)
{
    const upload_info *upload = &c->row.info;
    object_checksum *sum = &c->info.checksum;

    if (upload->checksum == CHECKSUM_NONE) {
        TRY(full_checksum(c, CHECKSUM_CRC64NVME, sum, err));
    } else if (upload->composite) {
        TRY(composite_checksum(c, upload->checksum, sum, err));
    } else {
        TRY(full_checksum(c, upload->checksum, sum, err));
    }
    if (c->whole != NULL && c->whole->checksum.kind == sum->kind &&
        !str_equal(c->whole->checksum.value, sum->value)) {
        (void)error_set(err, STATUS_INVALID,
                        "the whole object has another checksum than was claimed");
        error_set_s3_code(err, "BadDigest");
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

static status check_size(const completion *c, int64_t size_bytes, error *err)
{
    if (c->whole == NULL || c->whole->size_bytes < 0 || c->whole->size_bytes == size_bytes) {
        return STATUS_OK;
    }
    (void)error_set(err, STATUS_INVALID,
                    "the parts have %" PRId64 " bytes together, not %" PRId64 " as claimed",
                    size_bytes, c->whole->size_bytes);
    error_set_s3_code(err, "InvalidRequest");
    return STATUS_INVALID;
}

static int64_t total_bytes(const completion *c)
{
    int64_t total = 0;

    for (size_t i = 0; i < c->count; i++) {
        total += c->parts[i]->size_bytes;
    }
    return total;
}

static void describe_parts(completion *c)
{
    object_part *parts = ARENA_ARRAY(c->a, object_part, c->count);

    for (size_t i = 0; i < c->count; i++) {
        const part_row *p = c->parts[i];

        parts[i] = (object_part){
            .number = p->number, .size_bytes = p->size_bytes, .etag = str_copy(c->a, p->etag)};
        if (c->row.info.checksum != CHECKSUM_NONE) {
            parts[i].checksum = (object_checksum){.kind = p->checksum.kind,
                                                  .value = str_copy(c->a, p->checksum.value)};
        }
    }
    c->info.size_bytes = total_bytes(c);
    c->info.parts = parts;
    c->info.part_count = c->count;
}

static void propose_version(completion *c)
{
    const bucket_ref *bucket;

    if (bucket_acquire(c->st, c->live->bucket, &bucket, NULL) == STATUS_OK) {
        if (bucket_ref_info(bucket)->versioning == VERSIONING_ENABLED) {
            c->staged->version = store__new_version(c->staged->memory);
        }
        bucket_release(bucket);
    }
}

static void collect_seal(completion *c)
{
    buf *pieces;

    if (!c->row.info.attributes.encrypted) {
        return;
    }
    pieces = buf_in(c->staged->memory, (size_t)PARTS_MAX * SEAL_PIECE_BYTES);
    for (size_t i = 0; i < c->count; i++) {
        buf_add_str(pieces, c->parts[i]->seal);
    }
    c->staged->seal = buf_str(pieces);
}

/* --- again --- */

/* What the client listed, so that the same list gets the same answer. */
static str digest_of_list(const completion *c)
{
    digester *d = digester_create(DIGEST_SHA256);
    uint8_t sum[DIGEST_SIZE_MAX];
    char number[16];

    for (size_t i = 0; i < c->count; i++) {
        int size = snprintf(number, sizeof(number), "%d:", c->list[i].number);
        str etag = str_lower(c->memory, c->list[i].etag);

        digester_add(d, number, (size_t)size);
        digester_add(d, etag.data, etag.size);
    }
    digester_finish(d, sum);
    return str_to_hex(c->memory, sum, 16);
}

static str format_result(const completion *c, const object_info *info)
{
    buf *out = buf_in(c->memory, LIMIT_MIB);
    json_writer w;

    json_writer_init(&w, out);
    json_begin_object(&w);
    json_member_str(&w, "list", digest_of_list(c));
    json_member_str(&w, "version", info->version);
    json_member_str(&w, "etag", info->etag);
    json_member_int(&w, "size", info->size_bytes);
    json_member_int(&w, "modified_us", info->modified_us);
    json_member_int(&w, "kind", info->checksum.kind);
    json_member_str(&w, "sum", info->checksum.value);
    json_member_bool(&w, "composite", info->checksum.composite);
    json_member_bool(&w, "encrypted", info->attributes.encrypted);
    json_end_object(&w);
    return buf_str(out);
}

static status replay(completion *c, error *err)
{
    const json *tree;
    object_info info;

    TRY(json_parse(c->row.result, c->a, &tree, err));
    if (!str_equal(json_str_or(json_get(tree, "list"), STR("")), digest_of_list(c))) {
        return store__no_upload(c->live->id, err);
    }
    info = (object_info){
        .bucket = str_copy(c->a, c->live->bucket),
        .key = str_copy(c->a, c->live->key),
        .version = json_str_or(json_get(tree, "version"), STR("")),
        .etag = json_str_or(json_get(tree, "etag"), STR("")),
        .size_bytes = json_int64_or(json_get(tree, "size"), 0),
        .modified_us = json_int64_or(json_get(tree, "modified_us"), 0),
        .attributes = store__copy_attributes(&c->row.info.attributes, c->a),
        .checksum = {.kind = (object_checksum_kind)json_int64_or(json_get(tree, "kind"), 0),
                     .value = json_str_or(json_get(tree, "sum"), STR("")),
                     .composite = json_bool_or(json_get(tree, "composite"), false)}};
    TRY(check_size(c, info.size_bytes, err));
    *c->ret_info = info;
    return STATUS_OK;
}

/* --- all --- */

static status publish(void *context, state_txn *txn, error *err)
{
    completion *c = context;
    const live_upload *live = c->live;
    bool taken = c->staged->stays;
    object_info info;
    int64_t now_us = clock_now_us();

    c->handed_over = true;
    TRY(store__publish_version(c->st, txn, c->staged, &c->info, c->conditions, c->a, &info, err));
    TRY(store__drop_parts(c->st, txn, live->id, taken ? STR("") : str_c(c->row.blob.text), err));
    TRY(STATE_EXEC(txn,
                   "UPDATE uploads SET completed_us = ?4, result = ?5, blob = NULL "
                   "WHERE bucket = ?1 AND key = ?2 AND id = ?3",
                   NULL, err, SV_TEXT(live->bucket), SV_TEXT(live->key), SV_TEXT(live->id),
                   SV_INT(now_us), SV_TEXT(format_result(c, &info))));
    TRY(STATE_EXEC(txn, "DELETE FROM uploads WHERE completed_us > 0 AND completed_us < ?1", NULL,
                   err, SV_INT(now_us - REMEMBERED_US)));
    *c->ret_info = info;
    return STATUS_OK;
}

static status join(completion *c, char *chunk, error *err)
{
    store_staged *staged = c->staged;

    TRY(lies_in_order(c) ? take_file(c, chunk, err) : write_file(c, chunk, err));
    TRY(collect_crcs(c, err));
    collect_seal(c);
    TRY(etag_of_parts(c, err));
    propose_version(c);
    describe_parts(c);
    c->info.bucket = c->live->bucket;
    c->info.key = c->live->key;
    c->info.version = str_copy(c->a, staged->version);
    c->info.etag = str_copy(c->a, staged->etag);
    c->info.modified_us = clock_now_us();
    c->info.attributes = store__copy_attributes(&c->row.info.attributes, c->a);
    staged->details = store__format_details(&c->info, staged->memory);
    TRY(staged->ops->seal(c->st, staged, err));
    TRY(store__sync_round(c->st, &staged, 1, err));
    return FAULT(FAULT_UPLOAD_JOINED, err);
}

static status complete(completion *c, error *err)
{
    char *chunk;
    status done;

    TRY(state_read(c->st->state, read_upload, c, err));
    if (!c->found) {
        return store__no_upload(c->live->id, err);
    }
    if (c->row.completed_us != 0) {
        return replay(c, err);
    }
    TRY(check_list(c, err));
    TRY(check_size(c, total_bytes(c), err));
    TRY(compute_checksum(c, err));
    TRY(store__load_upload(c->st, c->live, err));
    TRY(store__staged_for(c->st, c->live->bucket, c->live->key, c->row.info.attributes.content_type,
                          &c->staged, err));
    chunk = mem_alloc(STORE_CHUNK_BYTES);
    done = join(c, chunk, err);
    mem_free(chunk);
    if (done == STATUS_OK) {
        done = state_submit(c->st->state, publish, c, err);
        c->published = done == STATUS_OK;
    }
    if (!c->handed_over) {
        store_discard(c->st, c->staged);
    }
    return done;
}

status upload_complete(storage *st, str bucket, str key, str id, const object_part *parts,
                       size_t count, const upload_claims *whole,
                       const object_conditions *conditions, arena *a, object_info *ret_info,
                       error *err)
{
    completion c = {.st = st,
                    .list = parts,
                    .count = count,
                    .whole = whole,
                    .conditions = conditions,
                    .a = a,
                    .ret_info = ret_info};
    status done;

    c.memory = arena_create();
    c.live = store__enter_upload(st, bucket, key, id);
    store__begin_alone(st, c.live);
    mutex_lock(&st->upload_lock);
    c.busy = c.live->writing > 0;
    mutex_unlock(&st->upload_lock);
    done = complete(&c, err);
    store__end_alone(st, c.live, c.published);
    store__leave_upload(st, c.live);
    arena_free(c.memory);
    return done;
}
