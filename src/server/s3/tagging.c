/* Tags of buckets and of objects. */
#include <stdlib.h>

#include "s3/handlers.h"

#define OBJECT_TAGS_MAX 10
#define BUCKET_TAGS_MAX 50

static status read_tags(s3_call *c, size_t max, object_pair **ret_tags, size_t *ret_count,
                        error *err)
{
    const xml_element *root = NULL;
    size_t at = 0;

    TRY(s3_read_xml(c, "Tagging", &root, err));
    const xml_element *set = xml_child(root, "TagSet");
    if (set == NULL) {
        return s3_fail(err, "MalformedXML", "Tagging without a TagSet");
    }
    size_t count = xml_count(set, "Tag");
    object_pair *tags = ARENA_ARRAY(c->a, object_pair, count);
    for (const xml_element *e = xml_child(set, "Tag"); e != NULL; e = xml_next(e)) {
        str name = xml_child_text(e, "Key");
        str value = xml_child_text(e, "Value");
        if (str_is_null(name) || str_is_null(value)) {
            return s3_fail(err, "MalformedXML", "a Tag has a Key and a Value");
        }
        tags[at++] = (object_pair){.name = name, .value = value};
    }
    TRY(s3_tags_check(tags, count, max, err));
    *ret_tags = tags;
    *ret_count = count;
    return STATUS_OK;
}

static int by_name(const void *a, const void *b)
{
    const object_pair *const *left = a;
    const object_pair *const *right = b;
    return str_compare((*left)->name, (*right)->name);
}

static void add_tags(s3_call *c, buf *out, const object_pair *tags, size_t count)
{
    const object_pair **sorted = ARENA_ARRAY(c->a, const object_pair *, count);

    for (size_t i = 0; i < count; i++) {
        sorted[i] = &tags[i];
    }
    if (count > 1) {
        qsort(sorted, count, sizeof(*sorted), by_name);
    }
    xml_open(out, "TagSet");
    for (size_t i = 0; i < count; i++) {
        xml_open(out, "Tag");
        xml_add_text(out, "Key", sorted[i]->name);
        xml_add_text(out, "Value", sorted[i]->value);
        xml_close(out, "Tag");
    }
    xml_close(out, "TagSet");
}

/* ---- of a bucket ---- */

status s3_bucket_tags_get(s3_call *c, error *err)
{
    str text = bucket_document(c->facts->info, "tagging");

    if (str_is_null(text)) {
        return s3_fail(err, "NoSuchTagSet", "the bucket has no tags");
    }
    http_respond(c->x, 200, "application/xml", text);
    return STATUS_OK;
}

status s3_bucket_tags_put(s3_call *c, error *err)
{
    object_pair *tags = NULL;
    size_t count = 0;

    TRY(read_tags(c, BUCKET_TAGS_MAX, &tags, &count, err));
    buf *out = s3_xml_begin(c, "Tagging");
    add_tags(c, out, tags, count);
    xml_close(out, "Tagging");
    TRY(buf_check(out, "tags", err));
    TRY(bucket_set_document(c->app->storage, c->bucket, "tagging", buf_str(out), err));
    s3_empty(c, 204);
    return STATUS_OK;
}

status s3_bucket_tags_delete(s3_call *c, error *err)
{
    TRY(bucket_set_document(c->app->storage, c->bucket, "tagging", STR_NULL, err));
    s3_empty(c, 204);
    return STATUS_OK;
}

/* ---- of an object ---- */

static status the_object(s3_call *c, error *err)
{
    if (c->object_status != STATUS_OK) {
        *err = c->object_error;
    }
    return c->object_status;
}

status s3_object_tags_get(s3_call *c, error *err)
{
    TRY(the_object(c, err));
    s3_write_version(c, c->facts, &c->object);
    buf *out = s3_xml_begin(c, "Tagging");
    add_tags(c, out, c->object.attributes.tags, c->object.attributes.tag_count);
    return s3_xml_send(c, 200, "Tagging", out, err);
}

status s3_object_tags_put(s3_call *c, error *err)
{
    object_pair *tags = NULL;
    size_t count = 0;

    TRY(the_object(c, err));
    TRY(read_tags(c, OBJECT_TAGS_MAX, &tags, &count, err));
    c->request_tags = tags;
    c->request_tag_count = count;
    /* Policies may ask for the tags, which are known only now. */
    TRY(s3_allow(c, str_is_null(c->version) ? c->route->action : c->route->version_action, c->facts,
                 c->key, &c->object, err));
    TRY(object_set_tags(c->app->storage, c->bucket, c->key, c->version, tags, count, err));
    s3_write_version(c, c->facts, &c->object);
    s3_empty(c, 200);
    return STATUS_OK;
}

status s3_object_tags_delete(s3_call *c, error *err)
{
    TRY(the_object(c, err));
    TRY(object_set_tags(c->app->storage, c->bucket, c->key, c->version, NULL, 0, err));
    s3_write_version(c, c->facts, &c->object);
    s3_empty(c, 204);
    return STATUS_OK;
}
