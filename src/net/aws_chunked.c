/* The machine of aws_chunked.h. */
#include "aws_chunked.h"
#include "http_parse.h"
#include "tarn/base/mem.h"

void aws__framing_init(aws_framing *f, arena *a, const request_signature *signature,
                       int64_t declared_bytes, str announced)
{
    *f = (aws_framing){.declared_bytes = declared_bytes, .announced = announced, .memory = a};
    f->tail = buf_in(a, AWS_TAIL_MAX);
    f->scratch = arena_child(a);
    f->is_signed = signature->payload == PAYLOAD_STREAMING_SIGNED ||
                   signature->payload == PAYLOAD_STREAMING_SIGNED_TRAILER;
    f->unchecked = signature->unchecked;
    if (f->is_signed && signature->signature.size == SIGNATURE_HEX_SIZE) {
        memcpy(f->previous, signature->signature.data, SIGNATURE_HEX_SIZE);
    }
    if (f->is_signed) {
        f->timestamp = signature__timestamp(a, signature->signed_at_us);
        f->scope = signature__scope(a, signature->date, signature->region, signature->service);
    }
}

void aws__framing_release(aws_framing *f)
{
    digester_free(f->hash);
    f->hash = NULL;
    mem_wipe(f->key, sizeof f->key);
}

static status malformed(error *err, const char *why)
{
    return signature__refuse(err, STATUS_INVALID, "InvalidRequest",
                             "the body's chunks are malformed: %s", why);
}

static status wrong_length(const aws_framing *f, error *err)
{
    return signature__refuse(err, STATUS_INVALID, "IncompleteBody",
                             "the body has not the %lld bytes that x-amz-decoded-content-length "
                             "says",
                             (long long)f->declared_bytes);
}

/* ---- signatures ---- */

/* `kind`, time, scope, signature before, [digest of nothing,] digest: signed. */
static status check_link(aws_framing *f, const char *kind, bool with_empty,
                         const uint8_t sum[DIGEST_SIZE_MAX], str given, error *err)
{
    str hex = hex_encode(f->scratch, str_from((const char *)sum, 32));
    str text = str_printf(f->scratch, "%s\n%.*s\n%.*s\n%.*s\n%s%.*s", kind, STR_ARG(f->timestamp),
                          STR_ARG(f->scope), SIGNATURE_HEX_SIZE, f->previous,
                          with_empty ? SIGNATURE_EMPTY_SHA256 "\n" : "", STR_ARG(hex));
    str made = signature__sign(f->scratch, f->key, text);
    bool right = signature__equal(made, given);

    memcpy(f->previous, made.data, SIGNATURE_HEX_SIZE);
    arena_clear(f->scratch);
    if (!right && !f->unchecked) {
        return signature__refuse(err, STATUS_DENIED, "SignatureDoesNotMatch",
                                 "the signature of a %s of the body does not match",
                                 with_empty ? "chunk" : "trailer");
    }
    return STATUS_OK;
}

static status check_chunk(aws_framing *f, error *err)
{
    uint8_t sum[DIGEST_SIZE_MAX];

    if (!f->is_signed) {
        return STATUS_OK;
    }
    digester *hash = f->hash;
    f->hash = NULL;
    digester_finish(hash, sum);
    return check_link(f, "AWS4-HMAC-SHA256-PAYLOAD", true, sum,
                      str_from(f->given, SIGNATURE_HEX_SIZE), err);
}

/* ---- chunk headers ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static status read_size(const aws_framing *f, str text, int64_t *ret_size, error *err)
{
    int64_t size = 0;

    if (text.size == 0 || text.size > 16) {
        return malformed(err, "a chunk has no size");
    }
    for (size_t i = 0; i < text.size; i++) {
        int digit = hex_digit(text.data[i]);
        if (digit < 0) {
            return malformed(err, "a chunk's size is no hexadecimal number");
        }
        if (size > (INT64_MAX >> 4)) {
            return wrong_length(f, err);
        }
        size = size << 4 | digit;
    }
    if (size > f->declared_bytes - f->seen_bytes) {
        return wrong_length(f, err);
    }
    *ret_size = size;
    return STATUS_OK;
}

static status read_chunk_signature(aws_framing *f, str extensions, error *err)
{
    static const char name[] = "chunk-signature=";

    for (str rest = extensions; !str_is_null(rest);) {
        str one = str_trim(str_cut(rest, ';', &rest));
        if (str_starts_with(one, STR(name)) && one.size == sizeof name - 1 + SIGNATURE_HEX_SIZE) {
            memcpy(f->given, one.data + sizeof name - 1, SIGNATURE_HEX_SIZE);
            f->hash = digester_create(DIGEST_SHA256);
            return STATUS_OK;
        }
    }
    return signature__refuse(err, STATUS_DENIED, "SignatureDoesNotMatch",
                             "a chunk of the body has no signature");
}

static status read_header(aws_framing *f, error *err)
{
    str line = str_from(f->line, f->line_size);
    str extensions = STR_NULL;

    f->line_size = 0;
    if (!str_ends_with(line, STR("\r"))) {
        return malformed(err, "a line does not end in CR LF");
    }
    line = str_slice(line, 0, line.size - 1);
    TRY(read_size(f, str_cut(line, ';', &extensions), &f->left, err));
    if (f->is_signed) {
        TRY(read_chunk_signature(f, extensions, err));
    }
    f->seen_bytes += f->left;
    f->state = AWS_DATA;
    if (f->left == 0) {
        f->state = AWS_TAIL;
        return check_chunk(f, err);
    }
    return STATUS_OK;
}

status aws__framing_next(aws_framing *f, const char *bytes, size_t size, size_t *ret_used,
                         error *err)
{
    size_t at = 0;

    while (at < size && f->state != AWS_DATA) {
        char c = bytes[at];
        switch (f->state) {
        case AWS_HEADER:
            at++;
            if (c == '\n') {
                TRY(read_header(f, err));
            } else if (f->line_size == sizeof f->line) {
                return malformed(err, "a line is too long");
            } else {
                f->line[f->line_size++] = c;
            }
            break;
        case AWS_DATA_CR:
        case AWS_DATA_LF:
            if (c != (f->state == AWS_DATA_CR ? '\r' : '\n')) {
                return malformed(err, "a chunk is longer than its size");
            }
            at++;
            f->state = f->state == AWS_DATA_CR ? AWS_DATA_LF : AWS_HEADER;
            break;
        case AWS_TAIL:
            buf_add(f->tail, bytes + at, size - at);
            if (f->tail->failed) {
                return malformed(err, "what follows the last chunk is too long");
            }
            at = size;
            break;
        case AWS_DATA:
            break;
        }
    }
    *ret_used = at;
    return STATUS_OK;
}

status aws__framing_took(aws_framing *f, const void *bytes, size_t size, error *err)
{
    ASSERT(f->state == AWS_DATA && (int64_t)size <= f->left);
    if (f->is_signed) {
        digester_add(f->hash, bytes, size);
    }
    f->left -= (int64_t)size;
    if (f->left == 0) {
        f->state = AWS_DATA_CR;
        return check_chunk(f, err);
    }
    return STATUS_OK;
}

/* ---- trailers ---- */

static status bad_trailer(error *err, const char *why, str name)
{
    return signature__refuse(err, STATUS_INVALID, "MalformedTrailerError",
                             "the body's trailer \"%.*s\" %s", STR_ARG(name), why);
}

static bool has_trailer(const aws_framing *f, str name)
{
    for (size_t i = 0; i < f->trailer_count; i++) {
        if (str_equal_nocase(f->trailers[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Lines up to the end; empty ones say nothing. `ret_signature` is STR_NULL where there is none. */
static status read_trailers(aws_framing *f, str *ret_signature, error *err)
{
    for (str rest = buf_str(f->tail); !str_is_null(rest);) {
        str value = STR_NULL;
        str line = str_trim(str_cut(rest, '\n', &rest));
        if (line.size == 0) {
            continue;
        }
        str name = str_lower(f->memory, str_trim(str_cut(line, ':', &value)));
        if (str_is_null(value) || !http__is_token(name)) {
            return bad_trailer(err, "is no line of name and value", str_slice(line, 0, 40));
        }
        if (!str_is_null(*ret_signature)) {
            return bad_trailer(err, "follows the signature", name);
        }
        if (f->is_signed && str_equal(name, STR("x-amz-trailer-signature"))) {
            *ret_signature = str_trim(value);
            continue;
        }
        if (!http__list_has(f->announced, name)) {
            return bad_trailer(err, "was not announced by x-amz-trailer", name);
        }
        if (has_trailer(f, name) || f->trailer_count == AWS_TRAILERS_MAX) {
            return bad_trailer(err, "comes twice", name);
        }
        f->trailers[f->trailer_count++] = (http_header){.name = name, .value = str_trim(value)};
    }
    return STATUS_OK;
}

static status check_trailer_signature(aws_framing *f, str given, error *err)
{
    buf *text = buf_in(f->memory, 2 * AWS_TAIL_MAX);
    uint8_t sum[DIGEST_SIZE_MAX];

    for (size_t i = 0; i < f->trailer_count; i++) {
        buf_add_str(text, f->trailers[i].name);
        buf_add_char(text, ':');
        buf_add_str(text, f->trailers[i].value);
        buf_add_char(text, '\n');
    }
    digest(DIGEST_SHA256, buf_str(text), sum);
    return check_link(f, "AWS4-HMAC-SHA256-TRAILER", false, sum, given, err);
}

status aws__framing_end(aws_framing *f, error *err)
{
    str given = STR_NULL;

    if (f->state != AWS_TAIL || f->seen_bytes != f->declared_bytes) {
        return wrong_length(f, err);
    }
    TRY(read_trailers(f, &given, err));
    for (str rest = f->announced; !str_is_null(rest);) {
        str name = str_trim(str_cut(rest, ',', &rest));
        if (name.size > 0 && !has_trailer(f, name)) {
            return bad_trailer(err, "was announced and is missing", name);
        }
    }
    if (f->is_signed && (f->trailer_count > 0 || !str_is_null(given))) {
        TRY(check_trailer_signature(f, given, err));
    }
    return STATUS_OK;
}
