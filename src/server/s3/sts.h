/* sts.h: the Security Token Service on the S3 port: POST / with a form, or GET /?Action=…. */
#ifndef TARN_SERVER_S3_STS_H
#define TARN_SERVER_S3_STS_H

#include "s3/s3.h"

/* By address and method alone; known before the signature is. */
bool s3_is_sts(const s3_call *c);
/* Before the signature is checked: reads the form. Its digest is what was signed. */
status s3_sts_read(s3_call *c, error *err);
/* In STS's shape and codes. */
void s3_sts_answer_error(s3_call *c, const error *err);

#endif
