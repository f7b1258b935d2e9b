/* What no column of an object's row holds, as compact JSON: headers, tags, lock, owner, checksum, parts. Names of
 * members are short, for there is one text for each version. Bytes that are no UTF-8 (in headers, as sent) are kept in
 * hex. */
#include "objects.h"
#include "tarn/base/limits.h"
#include "tarn/codec/json.h"

#define DETAILS_SIZE_MAX (4 * LIMIT_MIB)

static const char *const checksum_names[CHECKSUM_KIND_COUNT] = {
    [CHECKSUM_NONE] = "",         [CHECKSUM_CRC32] = "CRC32",
    [CHECKSUM_CRC32C] = "CRC32C", [CHECKSUM_CRC64NVME] = "CRC64NVME",
    [CHECKSUM_SHA1] = "SHA1",     [CHECKSUM_SHA256] = "SHA256",
};

static const char *const mode_names[] = {
    [LOCK_NONE] = "", [LOCK_GOVERNANCE] = "GOVERNANCE", [LOCK_COMPLIANCE] = "COMPLIANCE"};

/* --- writing --- */

static void put_pairs(json_writer *w, const char *name, const object_pair *pairs, size_t count)
{
    if (count == 0) {
        return;
    }
    json_key(w, name);
    json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        bool plain = str_is_utf8(pairs[i].value);

        json_begin_array(w);
        json_put_str(w, pairs[i].name);
        if (plain) {
            json_put_str(w, pairs[i].value);
        } else {
            arena *scratch = arena_create();

            json_put_str(w, str_to_hex(scratch, pairs[i].value.data, pairs[i].value.size));
            json_put_bool(w, true);
            arena_free(scratch);
        }
        json_end_array(w);
    }
    json_end_array(w);
}

static void put_checksum(json_writer *w, const object_checksum *checksum)
{
    if (checksum->kind == CHECKSUM_NONE) {
        return;
    }
    json_key(w, "sum");
    json_begin_array(w);
    json_put_c(w, checksum_names[checksum->kind]);
    json_put_str(w, checksum->value);
    json_put_bool(w, checksum->composite);
    json_end_array(w);
}

static void put_lock(json_writer *w, const object_lock *lock)
{
    if (lock->mode != LOCK_NONE) {
        json_member_c(w, "mode", mode_names[lock->mode]);
        json_member_int(w, "until", lock->retain_until_us);
    }
    if (lock->legal_hold) {
        json_member_bool(w, "hold", true);
    }
}

static void put_parts(json_writer *w, const object_part *parts, size_t count)
{
    if (count == 0) {
        return;
    }
    json_key(w, "parts");
    json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(w);
        json_member_int(w, "n", parts[i].number);
        json_member_int(w, "size", parts[i].size_bytes);
        json_member_str(w, "etag", parts[i].etag);
        put_checksum(w, &parts[i].checksum);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_text(json_writer *w, const char *name, str text)
{
    if (!str_is_empty(text)) {
        json_member_str(w, name, text);
    }
}

str store__format_details(const object_info *info, arena *a)
{
    const object_attributes *attributes = &info->attributes;
    buf *out = buf_in(a, DETAILS_SIZE_MAX);
    json_writer w;

    json_writer_init(&w, out);
    json_begin_object(&w);
    put_text(&w, "owner", attributes->owner);
    put_text(&w, "acl", attributes->acl);
    put_text(&w, "class", attributes->storage_class);
    if (attributes->encrypted) {
        json_member_bool(&w, "encrypted", true);
    }
    put_pairs(&w, "headers", attributes->headers, attributes->header_count);
    put_pairs(&w, "tags", attributes->tags, attributes->tag_count);
    put_lock(&w, &attributes->lock);
    put_checksum(&w, &info->checksum);
    put_parts(&w, info->parts, info->part_count);
    json_end_object(&w);
    return out->size <= 2 ? STR_NULL : buf_str(out);
}

/* --- reading --- */

static status bad(error *err)
{
    return error_set(err, STATUS_CORRUPT, "details of an object are not what was written");
}

static status read_pairs(const json *list, arena *a, const object_pair **ret_pairs,
                         size_t *ret_count, error *err)
{
    size_t count = json_count(list);
    object_pair *pairs = ARENA_ARRAY(a, object_pair, count + 1);

    for (size_t i = 0; i < count; i++) {
        const json *pair = json_at(list, i);

        pairs[i].name = json_str_or(json_at(pair, 0), STR_NULL);
        pairs[i].value = json_str_or(json_at(pair, 1), STR_NULL);
        if (str_is_null(pairs[i].name) || str_is_null(pairs[i].value)) {
            return bad(err);
        }
        if (json_bool_or(json_at(pair, 2), false)) {
            TRY(str_from_hex(a, pairs[i].value, &pairs[i].value, err));
        }
    }
    *ret_pairs = count > 0 ? pairs : NULL;
    *ret_count = count;
    return STATUS_OK;
}

static status read_checksum(const json *sum, object_checksum *ret_checksum, error *err)
{
    str name = json_str_or(json_at(sum, 0), STR_NULL);

    *ret_checksum = (object_checksum){.kind = CHECKSUM_NONE};
    if (sum == NULL) {
        return STATUS_OK;
    }
    for (int i = CHECKSUM_NONE + 1; i < CHECKSUM_KIND_COUNT; i++) {
        if (str_equal(name, str_c(checksum_names[i]))) {
            *ret_checksum = (object_checksum){.kind = (object_checksum_kind)i,
                                              .value = json_str_or(json_at(sum, 1), STR("")),
                                              .composite = json_bool_or(json_at(sum, 2), false)};
            return STATUS_OK;
        }
    }
    return bad(err);
}

static status read_lock(const json *tree, object_lock *ret_lock, error *err)
{
    str mode = json_str_or(json_get(tree, "mode"), STR(""));

    *ret_lock = (object_lock){.retain_until_us = json_int64_or(json_get(tree, "until"), 0),
                              .legal_hold = json_bool_or(json_get(tree, "hold"), false)};
    return store__parse_lock_mode(mode, &ret_lock->mode) ? STATUS_OK : bad(err);
}

static status read_parts(const json *list, arena *a, object_info *info, error *err)
{
    size_t count = json_count(list);
    object_part *parts = ARENA_ARRAY(a, object_part, count + 1);

    for (size_t i = 0; i < count; i++) {
        const json *part = json_at(list, i);

        parts[i] = (object_part){.number = (int)json_int64_or(json_get(part, "n"), 0),
                                 .size_bytes = json_int64_or(json_get(part, "size"), 0),
                                 .etag = json_str_or(json_get(part, "etag"), STR(""))};
        TRY(read_checksum(json_get(part, "sum"), &parts[i].checksum, err));
    }
    info->parts = count > 0 ? parts : NULL;
    info->part_count = count;
    return STATUS_OK;
}

bool store__parse_lock_mode(str text, object_lock_mode *ret_mode)
{
    for (size_t i = 0; i < COUNT_OF(mode_names); i++) {
        if (str_equal(text, str_c(mode_names[i]))) {
            *ret_mode = (object_lock_mode)i;
            return true;
        }
    }
    return false;
}

status store__parse_details(str text, arena *a, object_info *info, error *err)
{
    object_attributes *attributes = &info->attributes;
    const json *tree;

    if (str_is_null(text)) {
        return STATUS_OK;
    }
    TRY(json_parse(str_copy(a, text), a, &tree, err));
    attributes->owner = json_str_or(json_get(tree, "owner"), STR_NULL);
    attributes->acl = json_str_or(json_get(tree, "acl"), STR_NULL);
    attributes->storage_class = json_str_or(json_get(tree, "class"), STR_NULL);
    attributes->encrypted = json_bool_or(json_get(tree, "encrypted"), false);
    TRY(read_pairs(json_get(tree, "headers"), a, &attributes->headers, &attributes->header_count,
                   err));
    TRY(read_pairs(json_get(tree, "tags"), a, &attributes->tags, &attributes->tag_count, err));
    TRY(read_lock(tree, &attributes->lock, err));
    TRY(read_checksum(json_get(tree, "sum"), &info->checksum, err));
    return read_parts(json_get(tree, "parts"), a, info, err);
}
