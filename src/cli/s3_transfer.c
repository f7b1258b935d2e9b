/* Moving bytes: uploads in blocks, several at once; downloads that are verified before they get their name; copies and
 * deletes that the server does.
 *
 * An upload reads its source in order, one block after the other, under the lock of its `upload`; whoever has read one
 * sends it. A source that ends within its first block is one PUT, any other an upload in parts, whose checksum as a
 * whole is combined from those of the parts and given at the end. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "s3.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"
#include "tarn/codec/checksum.h"

#define COPY_AT_ONCE_BYTES (INT64_C(5) << 30) /* S3's limit of one copy */
#define COPY_PART_BYTES (INT64_C(512) << 20)
#define PARTS_A_SIZE 2000 /* of a pipe; then parts become larger */

/* ---- checksums ---- */

/* As S3 writes them: the bytes of the number, highest first, in base64. */
static str crc_text(arena *a, uint64_t crc, int bytes)
{
    char out[8];

    for (int i = 0; i < bytes; i++) {
        out[i] = (char)(crc >> (8 * (bytes - 1 - i)));
    }
    return base64_encode(a, str_from(out, (size_t)bytes));
}

static http_header checksum_header(arena *a, uint64_t crc)
{
    return (http_header){.name = STR("x-amz-checksum-crc64nvme"), .value = crc_text(a, crc, 8)};
}

/* ---- uploads ---- */

typedef struct part {
    str etag;
    uint64_t crc;
    int64_t size_bytes;
} part;

typedef struct upload {
    s3_client *s;
    int fd;
    str bucket, key, id;
    progress *progress;
    int64_t part_bytes; /* 0: grows with the number of parts */
    arena *memory;      /* under the lock */
    mutex lock;
    char *first; /* a block that was read already */
    size_t first_size;
    bool ended;
    int next; /* part number, from 0 */
    part *parts;
    status result;
    error err;
} upload;

static int64_t part_bytes_of(const upload *u, int number)
{
    return u->part_bytes > 0 ? u->part_bytes : S3_BLOCK_BYTES << (number / PARTS_A_SIZE);
}

/* As much as there is, up to `size`. */
static status read_block(int fd, char *bytes, int64_t size, size_t *ret_size, error *err)
{
    size_t have = 0;

    while ((int64_t)have < size) {
        ssize_t got = read(fd, bytes + have, (size_t)size - have);
        if (got == 0) {
            break;
        }
        if (got > 0) {
            have += (size_t)got;
        } else if (errno != EINTR || interrupt_signal != 0) {
            return errno == EINTR ? error_set(err, STATUS_CANCELLED, "interrupted")
                                  : error_errno(err, STATUS_IO, errno, "cannot read the source");
        }
    }
    *ret_size = have;
    return STATUS_OK;
}

/* The next block, in memory of its own; size 0 at the end. */
static status next_block(upload *u, char **ret_bytes, size_t *ret_size, int *ret_number, error *err)
{
    *ret_bytes = u->first;
    *ret_size = u->first_size;
    *ret_number = u->next;
    if (u->first != NULL) {
        u->first = NULL;
        u->next++;
        return STATUS_OK;
    }
    if (u->next == S3_PARTS_MAX) {
        return error_set(err, STATUS_TOO_LARGE, "the source has more than %d parts", S3_PARTS_MAX);
    }
    int64_t wanted = part_bytes_of(u, u->next);
    *ret_bytes = mem_alloc((size_t)wanted);
    status result = read_block(u->fd, *ret_bytes, wanted, ret_size, err);
    if (result != STATUS_OK || *ret_size == 0) {
        mem_free(*ret_bytes);
        *ret_bytes = NULL;
        u->ended = true;
        return result;
    }
    u->ended = (int64_t)*ret_size < wanted;
    u->next++;
    return STATUS_OK;
}

static status send_part(upload *u, arena *a, int number, str bytes, error *err)
{
    uint64_t crc = checksum_crc64nvme(0, bytes.data, bytes.size);
    const http_header headers[] = {checksum_header(a, crc)};
    const char *query = arena_printf(a, "partNumber=%d&uploadId=%.*s", number + 1, STR_ARG(u->id));
    const s3_request request = {.method = HTTP_PUT,
                                .target = s3cli_target(a, u->bucket, u->key, query),
                                .headers = headers,
                                .header_count = COUNT_OF(headers),
                                .body = bytes};
    http_answer answer;

    TRY(s3cli_send(u->s, &request, a, &answer, err));
    mutex_lock(&u->lock);
    u->parts[number] = (part){.etag = str_copy(u->memory, http_answer_header(&answer, "ETag")),
                              .crc = crc,
                              .size_bytes = (int64_t)bytes.size};
    mutex_unlock(&u->lock);
    if (u->progress != NULL) {
        u->progress->done += (int64_t)bytes.size;
    }
    return STATUS_OK;
}

static void note_failure(upload *u, status result, const error *err)
{
    mutex_lock(&u->lock);
    if (u->result == STATUS_OK) {
        u->result = result;
        u->err = *err;
    }
    mutex_unlock(&u->lock);
}

static void send_parts(void *context, size_t index)
{
    upload *u = context;
    arena *a = arena_create();
    bool more = true;

    (void)index;
    while (more) {
        error err = ERROR_INIT;
        char *bytes = NULL;
        size_t size = 0;
        int number = 0;
        status result = STATUS_OK;

        mutex_lock(&u->lock);
        more = u->result == STATUS_OK && (u->first != NULL || !u->ended);
        if (more) {
            result = next_block(u, &bytes, &size, &number, &err);
        }
        mutex_unlock(&u->lock);
        if (result == STATUS_OK && bytes != NULL) {
            result = send_part(u, a, number, str_from(bytes, size), &err);
        }
        if (result != STATUS_OK) {
            note_failure(u, result, &err);
        }
        mem_free(bytes);
        arena_clear(a);
    }
    arena_free(a);
}

static status begin_upload(s3_client *s, str bucket, str key, str content_type, arena *a,
                           str *ret_id, error *err)
{
    const http_header headers[] = {
        {STR("x-amz-checksum-algorithm"), STR("CRC64NVME")},
        {STR("x-amz-checksum-type"), STR("FULL_OBJECT")},
        {STR("content-type"), content_type},
    };
    const s3_request request = {.method = HTTP_POST,
                                .target = s3cli_target(a, bucket, key, "uploads="),
                                .headers = headers,
                                .header_count = str_is_null(content_type) ? 2 : 3};
    const xml_element *root = NULL;
    buf *id = buf_in(a, LIMIT_KIB);

    TRY(s3cli_send_xml(s, &request, a, &root, err));
    uri_encode(id, xml_child_text(root, "UploadId"), "");
    *ret_id = buf_str(id);
    return STATUS_OK;
}

static status end_upload(upload *u, arena *a, error *err)
{
    buf *body = buf_in(a, 4 * LIMIT_MIB);
    uint64_t crc = 0;

    xml_begin_document(body, "CompleteMultipartUpload", "http://s3.amazonaws.com/doc/2006-03-01/");
    for (int i = 0; i < u->next; i++) {
        xml_open(body, "Part");
        xml_add_int(body, "PartNumber", i + 1);
        xml_add_text(body, "ETag", u->parts[i].etag);
        xml_close(body, "Part");
        crc = i == 0 ? u->parts[i].crc
                     : checksum_crc64nvme_combine(crc, u->parts[i].crc, u->parts[i].size_bytes);
    }
    xml_close(body, "CompleteMultipartUpload");
    const http_header headers[] = {checksum_header(a, crc),
                                   {STR("x-amz-checksum-type"), STR("FULL_OBJECT")},
                                   {STR("content-type"), STR("application/xml")}};
    const char *query = arena_printf(a, "uploadId=%.*s", STR_ARG(u->id));
    const s3_request request = {.method = HTTP_POST,
                                .target = s3cli_target(a, u->bucket, u->key, query),
                                .headers = headers,
                                .header_count = COUNT_OF(headers),
                                .body = buf_str(body)};
    const xml_element *root = NULL;
    return s3cli_send_xml(u->s, &request, a, &root, err);
}

/* Also after Ctrl-C: what was sent would be kept by the server. */
static void give_up(s3_client *s, str bucket, str key, str id, arena *a)
{
    http_answer answer;
    int signal = atomic_exchange(&interrupt_signal, 0);
    const char *query = arena_printf(a, "uploadId=%.*s", STR_ARG(id));
    const s3_request request = {.method = HTTP_DELETE,
                                .target = s3cli_target(a, bucket, key, query)};

    (void)s3cli_send(s, &request, a, &answer, NULL);
    atomic_store(&interrupt_signal, signal);
}

static status upload_parts(upload *u, str content_type, arena *a, error *err)
{
    status result = begin_upload(u->s, u->bucket, u->key, content_type, a, &u->id, err);

    if (result != STATUS_OK) {
        mem_free(u->first);
        return result;
    }
    u->parts = ARENA_ARRAY(a, part, S3_PARTS_MAX);
    u->memory = arena_child(a);
    mutex_init(&u->lock);
    parallel_for(S3_STREAMS, S3_STREAMS, send_parts, u);
    mutex_release(&u->lock);
    mem_free(u->first); /* where nobody took it */
    result = u->result;
    if (result == STATUS_OK) {
        result = end_upload(u, a, err);
    } else if (err != NULL) {
        *err = u->err;
    }
    if (result != STATUS_OK) {
        give_up(u->s, u->bucket, u->key, u->id, a);
    }
    return result;
}

static status upload_whole(s3_client *s, str bucket, str key, str content_type, str bytes, arena *a,
                           error *err)
{
    const http_header headers[] = {
        checksum_header(a, checksum_crc64nvme(0, bytes.data, bytes.size)),
        {STR("content-type"), content_type},
    };
    const s3_request request = {.method = HTTP_PUT,
                                .target = s3cli_target(a, bucket, key, NULL),
                                .headers = headers,
                                .header_count = str_is_null(content_type) ? 1 : 2,
                                .body = bytes};
    http_answer answer;

    return s3cli_send(s, &request, a, &answer, err);
}

status s3cli_upload(s3_client *s, int fd, int64_t size_bytes, str bucket, str key, str content_type,
                    progress *p, error *err)
{
    arena *a = arena_create();
    upload u = {.s = s, .fd = fd, .bucket = bucket, .key = key, .progress = p};
    status result = STATUS_OK;

    if (size_bytes >= 0) {
        int64_t least = size_bytes / S3_PARTS_MAX + 1;
        u.part_bytes =
            least <= S3_BLOCK_BYTES ? S3_BLOCK_BYTES : (least + 0xfffff) & ~INT64_C(0xfffff);
    }
    int64_t block = part_bytes_of(&u, 0);
    u.first = mem_alloc((size_t)(size_bytes >= 0 && size_bytes < block ? size_bytes + 1 : block));
    block = size_bytes >= 0 && size_bytes < block ? size_bytes + 1 : block;
    result = read_block(fd, u.first, block, &u.first_size, err);
    if (result != STATUS_OK) {
        mem_free(u.first);
    } else if ((int64_t)u.first_size < block) {
        result =
            upload_whole(s, bucket, key, content_type, str_from(u.first, u.first_size), a, err);
        mem_free(u.first);
        if (p != NULL && result == STATUS_OK) {
            p->done += (int64_t)u.first_size;
        }
    } else {
        result = upload_parts(&u, content_type, a, err);
    }
    arena_free(a);
    return result;
}

/* ---- downloads ---- */

typedef enum proof_kind {
    PROOF_NONE,
    PROOF_CRC64NVME,
    PROOF_CRC32,
    PROOF_CRC32C,
    PROOF_SHA256,
    PROOF_SHA1,
    PROOF_MD5,
} proof_kind;

/* What the bytes have to be, as the door says. */
typedef struct proof {
    proof_kind kind;
    str wanted; /* base64; of MD5 hex */
    uint64_t crc;
    digester *hash;
} proof;

static void proof_add(proof *p, const void *bytes, size_t size)
{
    switch (p->kind) {
    case PROOF_CRC64NVME:
        p->crc = checksum_crc64nvme(p->crc, bytes, size);
        break;
    case PROOF_CRC32:
        p->crc = checksum_crc32((uint32_t)p->crc, bytes, size);
        break;
    case PROOF_CRC32C:
        p->crc = checksum_crc32c((uint32_t)p->crc, bytes, size);
        break;
    case PROOF_SHA256:
    case PROOF_SHA1:
    case PROOF_MD5:
        digester_add(p->hash, bytes, size);
        break;
    case PROOF_NONE:
        break;
    }
}

static status proof_check(proof *p, arena *a, str key, error *err)
{
    uint8_t sum[DIGEST_SIZE_MAX];
    str made = STR_NULL;

    if (p->kind == PROOF_NONE) {
        return STATUS_OK;
    }
    if (p->hash != NULL) {
        digester_finish(p->hash, sum);
        p->hash = NULL;
        str bytes = str_from((const char *)sum, p->kind == PROOF_SHA256 ? 32
                                                : p->kind == PROOF_SHA1 ? 20
                                                                        : 16);
        made = p->kind == PROOF_MD5 ? hex_encode(a, bytes) : base64_encode(a, bytes);
    } else {
        made = crc_text(a, p->crc, p->kind == PROOF_CRC64NVME ? 8 : 4);
    }
    if (!str_equal(made, p->wanted)) {
        return error_set(err, STATUS_CORRUPT,
                         "the bytes of \"%.*s\" do not agree with its checksum", STR_ARG(key));
    }
    return STATUS_OK;
}

static void proof_of(const http_answer *head, proof *ret_proof)
{
    static const struct {
        const char *header;
        proof_kind kind;
        digest_kind digest;
    } kinds[] = {
        {"x-amz-checksum-crc64nvme", PROOF_CRC64NVME, DIGEST_MD5},
        {"x-amz-checksum-crc32c", PROOF_CRC32C, DIGEST_MD5},
        {"x-amz-checksum-crc32", PROOF_CRC32, DIGEST_MD5},
        {"x-amz-checksum-sha256", PROOF_SHA256, DIGEST_SHA256},
        {"x-amz-checksum-sha1", PROOF_SHA1, DIGEST_SHA1},
    };
    proof p = {.kind = PROOF_NONE};
    str etag = http_answer_header(head, "ETag");

    for (size_t i = 0; i < COUNT_OF(kinds) && p.kind == PROOF_NONE; i++) {
        str value = http_answer_header(head, kinds[i].header);
        if (value.size > 0 && str_find_char(value, '-') == STR_NPOS) { /* not of parts */
            p.kind = kinds[i].kind;
            p.wanted = value;
            p.hash = p.kind >= PROOF_SHA256 ? digester_create(kinds[i].digest) : NULL;
        }
    }
    if (p.kind == PROOF_NONE && etag.size == 34) {
        p = (proof){.kind = PROOF_MD5, .wanted = str_slice(etag, 1, 33)};
        p.hash = digester_create(DIGEST_MD5);
    }
    *ret_proof = p;
}

typedef struct download {
    proof proof;
    int fd; /* -1: stdout */
    cli *c;
    progress *progress;
} download;

static status on_bytes(void *context, const void *bytes, size_t size, error *err)
{
    download *d = context;

    proof_add(&d->proof, bytes, size);
    if (d->progress != NULL) {
        d->progress->done += (int64_t)size;
    }
    return d->fd >= 0 ? fs_write_all(d->fd, bytes, size, err) : out_write(d->c, bytes, size, err);
}

/* Asked for first: what the bytes have to be, and which version they are of. */
static status fetch(s3_client *s, str bucket, str key, download *d, arena *a, error *err)
{
    static const http_header asking[] = {{STR_INIT("x-amz-checksum-mode"), STR_INIT("ENABLED")}};
    const s3_request ask = {.method = HTTP_HEAD,
                            .target = s3cli_target(a, bucket, key, NULL),
                            .headers = asking,
                            .header_count = 1};
    http_answer head;
    http_answer answer;

    TRY(s3cli_send(s, &ask, a, &head, err));
    const http_header same[] = {{STR("if-match"), http_answer_header(&head, "ETag")}};
    const s3_request get = {.method = HTTP_GET,
                            .target = s3cli_target(a, bucket, key, NULL),
                            .headers = same,
                            .header_count = same[0].value.size > 0 ? 1 : 0,
                            .write = on_bytes,
                            .write_context = d};
    proof_of(&head, &d->proof);
    status result = s3cli_send(s, &get, a, &answer, err);
    if (result == STATUS_OK) {
        result = proof_check(&d->proof, a, key, err);
    }
    digester_free(d->proof.hash);
    return result;
}

/* The folders above it. */
static status make_place(arena *a, const char *path, error *err)
{
    str whole = str_c(path);
    size_t slash = str_find_last_char(whole, '/');

    if (slash == STR_NPOS || slash == 0) {
        return STATUS_OK;
    }
    return fs_make_dirs(str_to_c(a, str_slice(whole, 0, slash)), 0777, err);
}

status s3cli_download(s3_client *s, str bucket, str key, const char *path, progress *p, error *err)
{
    arena *a = arena_create();
    char unique[37];
    download d = {.fd = -1, .progress = p};

    random_uuid(unique);
    const char *partial = arena_printf(a, "%s.%.8s.part", path, unique);
    status result = make_place(a, path, err);
    if (result == STATUS_OK) {
        result = fs_open(partial, O_WRONLY | O_CREAT | O_EXCL, 0666, &d.fd, err);
    }
    if (result == STATUS_OK) {
        result = fetch(s, bucket, key, &d, a, err);
        fs_close(d.fd);
        if (result == STATUS_OK) {
            result = fs_rename(partial, path, err);
        }
        if (result != STATUS_OK) {
            (void)fs_remove(partial, NULL);
        }
    }
    arena_free(a);
    return result;
}

status s3cli_print(s3_client *s, str bucket, str key, error *err)
{
    arena *a = arena_create();
    download d = {.fd = -1, .c = s3cli_cli(s)};
    status result = fetch(s, bucket, key, &d, a, err);

    arena_free(a);
    return result;
}

/* ---- what the server does ---- */

static str copy_source(arena *a, const s3_uri *from)
{
    return str_c(s3cli_target(a, from->bucket, from->key, NULL));
}

static status copy_whole(s3_client *s, const s3_uri *from, str bucket, str key, arena *a,
                         error *err)
{
    const http_header headers[] = {{STR("x-amz-copy-source"), copy_source(a, from)}};
    const s3_request request = {.method = HTTP_PUT,
                                .target = s3cli_target(a, bucket, key, NULL),
                                .headers = headers,
                                .header_count = 1};
    const xml_element *root = NULL;

    return s3cli_send_xml(s, &request, a, &root, err);
}

static status copy_part(upload *u, const s3_uri *from, int64_t offset, int64_t size, arena *a,
                        error *err)
{
    arena *own = arena_child(a);
    const http_header headers[] = {
        {STR("x-amz-copy-source"), copy_source(own, from)},
        {STR("x-amz-copy-source-range"),
         str_printf(own, "bytes=%lld-%lld", (long long)offset, (long long)(offset + size - 1))}};
    const char *query =
        arena_printf(own, "partNumber=%d&uploadId=%.*s", u->next + 1, STR_ARG(u->id));
    const s3_request request = {.method = HTTP_PUT,
                                .target = s3cli_target(own, u->bucket, u->key, query),
                                .headers = headers,
                                .header_count = COUNT_OF(headers)};
    const xml_element *root = NULL;
    status result = s3cli_send_xml(u->s, &request, own, &root, err);

    if (result == STATUS_OK) {
        u->parts[u->next].etag = str_copy(a, xml_child_text(root, "ETag"));
        u->next++;
    }
    arena_free(own);
    return result;
}

/* Without a checksum of the whole: the server has verified what it copies. */
static status copy_parts(s3_client *s, const s3_uri *from, str bucket, str key, int64_t size_bytes,
                         arena *a, error *err)
{
    upload u = {.s = s, .bucket = bucket, .key = key, .parts = ARENA_ARRAY(a, part, S3_PARTS_MAX)};
    const s3_request begin = {.method = HTTP_POST,
                              .target = s3cli_target(a, bucket, key, "uploads=")};
    const xml_element *root = NULL;
    status result = STATUS_OK;

    TRY(s3cli_send_xml(s, &begin, a, &root, err));
    u.id = xml_child_text(root, "UploadId");
    for (int64_t at = 0; result == STATUS_OK && at < size_bytes; at += COPY_PART_BYTES) {
        int64_t left = size_bytes - at;
        result = copy_part(&u, from, at, left < COPY_PART_BYTES ? left : COPY_PART_BYTES, a, err);
    }
    if (result == STATUS_OK) {
        buf *body = buf_in(a, 4 * LIMIT_MIB);
        xml_begin_document(body, "CompleteMultipartUpload", NULL);
        for (int i = 0; i < u.next; i++) {
            xml_open(body, "Part");
            xml_add_int(body, "PartNumber", i + 1);
            xml_add_text(body, "ETag", u.parts[i].etag);
            xml_close(body, "Part");
        }
        xml_close(body, "CompleteMultipartUpload");
        const char *query = arena_printf(a, "uploadId=%.*s", STR_ARG(u.id));
        const s3_request end = {.method = HTTP_POST,
                                .target = s3cli_target(a, bucket, key, query),
                                .body = buf_str(body)};
        result = s3cli_send_xml(s, &end, a, &root, err);
    }
    if (result != STATUS_OK) {
        give_up(s, bucket, key, u.id, a);
    }
    return result;
}

status s3cli_copy(s3_client *s, const s3_uri *from, str to_bucket, str to_key, int64_t size_bytes,
                  error *err)
{
    arena *a = arena_create();
    status result = size_bytes <= COPY_AT_ONCE_BYTES
                        ? copy_whole(s, from, to_bucket, to_key, a, err)
                        : copy_parts(s, from, to_bucket, to_key, size_bytes, a, err);

    arena_free(a);
    return result;
}

static status first_refusal(const xml_element *root, error *err)
{
    const xml_element *e = xml_child(root, "Error");

    if (e == NULL) {
        return STATUS_OK;
    }
    str key = xml_child_text(e, "Key");
    str text = xml_child_text(e, "Message");
    str code = xml_child_text(e, "Code");
    return error_set(err, STATUS_DENIED, "\"%.*s\" was not deleted: %.*s (%.*s)", STR_ARG(key),
                     STR_ARG(text), STR_ARG(code));
}

status s3cli_delete(s3_client *s, str bucket, const s3_entry *entries, size_t count, error *err)
{
    arena *a = arena_create();
    buf *body = buf_in(a, 8 * LIMIT_MIB);
    const xml_element *root = NULL;

    xml_begin_document(body, "Delete", "http://s3.amazonaws.com/doc/2006-03-01/");
    xml_add_bool(body, "Quiet", true);
    for (size_t i = 0; i < count; i++) {
        xml_open(body, "Object");
        xml_add_text(body, "Key", entries[i].name);
        if (!str_is_null(entries[i].version)) {
            xml_add_text(body, "VersionId", entries[i].version);
        }
        xml_close(body, "Object");
    }
    xml_close(body, "Delete");
    status result = buf_check(body, "keys to delete", err);
    if (result == STATUS_OK) {
        const http_header headers[] = {
            checksum_header(a, checksum_crc64nvme(0, body->data, body->size)),
            {STR("content-type"), STR("application/xml")}};
        const s3_request request = {.method = HTTP_POST,
                                    .target = s3cli_target(a, bucket, STR(""), "delete="),
                                    .headers = headers,
                                    .header_count = COUNT_OF(headers),
                                    .body = buf_str(body)};
        result = s3cli_send_xml(s, &request, a, &root, err);
    }
    if (result == STATUS_OK) {
        result = first_refusal(root, err);
    }
    arena_free(a);
    return result;
}
