/* What the decision must know of a bucket, parsed once per version of its row and shared by the requests that use it.
 *
 * A parsed entry keeps the row's reference, so a row that changed has another address and is parsed anew. */
#include "s3/facts.h"

#include <pthread.h>

#include "tarn/base/map.h"
#include "tarn/base/ref.h"

#define FACTS_MAX 4096 /* buckets kept parsed; beyond, all are forgotten and read again */

typedef struct entry {
    refcount refs;
    arena *memory;
    const bucket_ref *bucket;
    s3_facts facts;
} entry;

struct s3_facts_cache {
    pthread_mutex_t lock;
    map *entries; /* by name */
};

s3_facts_cache *s3_facts_cache_create(void)
{
    s3_facts_cache *cache = NEW(s3_facts_cache);
    pthread_mutex_init(&cache->lock, NULL);
    cache->entries = map_create(NULL);
    return cache;
}

static void entry_drop(void *object)
{
    entry *e = object;

    if (e != NULL && ref_drop(&e->refs)) {
        bucket_release(e->bucket);
        arena_free(e->memory);
        mem_free(e);
    }
}

static void forget_all(s3_facts_cache *cache)
{
    map_entry at;

    for (size_t i = 0; map_next(cache->entries, &i, &at);) {
        entry_drop(at.value);
    }
    map_free(cache->entries);
    cache->entries = map_create(NULL);
}

void s3_facts_cache_free(s3_facts_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    forget_all(cache);
    map_free(cache->entries);
    pthread_mutex_destroy(&cache->lock);
    mem_free(cache);
}

/* ---- reading the documents ---- */

static status read_block(entry *e, error *err)
{
    str text = bucket_document(e->facts.info, "public-access-block");
    const xml_element *root = NULL;
    s3_public_block *block = &e->facts.rights.block;

    if (str_is_empty(text)) {
        return STATUS_OK;
    }
    TRY(xml_parse(text, e->memory, &root, err));
    block->block_public_acls = str_equal(xml_child_text(root, "BlockPublicAcls"), STR("true"));
    block->ignore_public_acls = str_equal(xml_child_text(root, "IgnorePublicAcls"), STR("true"));
    block->block_public_policy = str_equal(xml_child_text(root, "BlockPublicPolicy"), STR("true"));
    block->restrict_public_buckets =
        str_equal(xml_child_text(root, "RestrictPublicBuckets"), STR("true"));
    return STATUS_OK;
}

static status read_documents(entry *e, error *err)
{
    const bucket_info *info = e->facts.info;
    s3_bucket_facts *rights = &e->facts.rights;
    str policy_text = bucket_document(info, "policy");
    str ownership = bucket_document(info, "ownership");

    rights->owner = info->owner;
    if (!str_is_empty(policy_text)) {
        TRY(policy_parse(policy_text, POLICY_OF_BUCKET, info->name, e->memory, &rights->policy,
                         err));
    }
    rights->policy_binds_owner = !str_is_null(bucket_document(info, "policy-binds-owner"));
    str acl = bucket_document(info, "acl");
    TRY(s3_acl_parse(str_is_null(acl) ? STR("") : acl, info->owner, e->memory, &rights->acl, err));
    rights->acls_off = str_find(ownership, STR("BucketOwnerEnforced")) != STR_NPOS;
    e->facts.encrypts = !str_is_empty(bucket_document(info, "encryption"));
    return read_block(e, err);
}

/* A document that cannot be read denies everything: the error goes to the client. Takes `bucket` over. */
static status entry_create(const bucket_ref *bucket, entry **ret_entry, error *err)
{
    entry *e = NEW(entry);
    ref_init(&e->refs);
    e->memory = arena_create();
    e->bucket = bucket;
    e->facts.info = bucket_ref_info(bucket);
    status result = read_documents(e, err);

    if (result != STATUS_OK) {
        entry_drop(e);
        error_context(err, "settings of the bucket");
        err->kind = STATUS_INTERNAL;
        err->s3_code = NULL;
        return STATUS_INTERNAL;
    }
    *ret_entry = e;
    return STATUS_OK;
}

static entry *find_current(s3_facts_cache *cache, str name, const bucket_ref *bucket)
{
    pthread_mutex_lock(&cache->lock);
    entry *e = map_get(cache->entries, name);
    if (e != NULL && e->bucket == bucket) {
        ref_take(&e->refs);
    } else {
        e = NULL;
    }
    pthread_mutex_unlock(&cache->lock);
    return e;
}

static void keep(s3_facts_cache *cache, str name, entry *e)
{
    pthread_mutex_lock(&cache->lock);
    if (map_count(cache->entries) >= FACTS_MAX) {
        forget_all(cache);
    }
    ref_take(&e->refs);
    entry_drop(map_remove(cache->entries, name));
    map_set(cache->entries, e->facts.info->name, e);
    pthread_mutex_unlock(&cache->lock);
}

status s3_facts_find(s3_call *c, str bucket, const s3_facts **ret_facts, error *err)
{
    s3_facts_cache *cache = c->app->s3_facts;
    const bucket_ref *ref = NULL;

    TRY(bucket_acquire(c->app->storage, bucket, &ref, err));
    entry *e = find_current(cache, bucket, ref);
    if (e != NULL) {
        bucket_release(ref);
    } else {
        TRY(entry_create(ref, &e, err));
        keep(cache, bucket, e);
    }
    arena_defer(c->a, entry_drop, e);
    *ret_facts = &e->facts;
    return STATUS_OK;
}
