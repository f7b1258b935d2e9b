/* query.h: the services on the S3 port that speak AWS's query protocol: STS and IAM. POST / with a form, or
 * GET /?Action=…; which of the two is meant, the signature says. */
#ifndef TARN_SERVER_S3_QUERY_H
#define TARN_SERVER_S3_QUERY_H

#include "s3/s3.h"
#include "tarn/net/uri.h"

typedef struct s3_parameters {
    uri_pair *pairs;
    size_t count;
} s3_parameters;
/* STR_NULL where absent. */
str s3_parameter(const s3_parameters *p, const char *name);
/* A code of the table in query.c. */
status s3_query_fail(error *err, const char *code, const char *text);

typedef enum s3_query_flags {
    S3_QUERY_NO_RESULT = 1
} s3_query_flags; /* of the answer: no element "…Result" */

/* `run` writes what stands in the answer's result. */
typedef struct s3_query_action {
    const char *name;
    const char *const *parameters; /* that it takes, ended by NULL; others are refused */
    status (*run)(s3_call *c, const s3_parameters *p, buf *out, error *err);
    unsigned flags;
    const char *who; /* who may, for the docs */
    const char *summary;
} s3_query_action;

typedef struct s3_query_service {
    const char *name; /* as signatures name it */
    const char *version, *xmlns;
    const s3_query_action *actions;
    size_t count;
} s3_query_service;
extern const s3_query_service s3_service_sts; /* sts.c */
extern const s3_query_service s3_service_iam; /* iam.c */

/* Whether the request is for one of them: by address and method alone, known before the signature is. */
bool s3_is_query(const s3_call *c);
/* Before the signature is checked: reads the form. Its digest is what was signed. */
status s3_query_read(s3_call *c, error *err);
/* Which one is meant; after s3_query_read. */
const s3_query_service *s3_query_service_of(const s3_call *c);
/* In the service's shape and codes. */
void s3_query_answer_error(s3_call *c, const error *err);

#endif
