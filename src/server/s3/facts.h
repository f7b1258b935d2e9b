/* facts.h: the cache of what is parsed of buckets. Thread-safe. */
#ifndef TARN_SERVER_S3_FACTS_H
#define TARN_SERVER_S3_FACTS_H

#include "s3/s3.h"

s3_facts_cache *s3_facts_cache_create(void);
void s3_facts_cache_free(s3_facts_cache *cache); /* NULL is fine */

#endif
