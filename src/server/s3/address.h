/* address.h: what a request's target and Host name: bucket and key, decoded once. */
#ifndef TARN_SERVER_S3_ADDRESS_H
#define TARN_SERVER_S3_ADDRESS_H

#include "s3/s3.h"

/* Fills level, bucket, key, version. InvalidURI, KeyTooLongError. */
status s3_address_read(s3_call *c, error *err);
/* The rules for new names: 3 to 63 of a-z, 0-9, "-" and ".", no address. InvalidBucketName. */
status s3_check_bucket_name(str name, error *err);

#endif
