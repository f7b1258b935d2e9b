/* docs/s3.md: what of S3 is served, from the route table. */
#include "s3/query.h"
#include "tarn/server/server.h"

static const char introduction[] =
    "# S3\n\n"
    "tarn speaks S3 at `s3.listen` (127.0.0.1:9000). The bucket stands in the path, or in front of a name of "
    "`s3.domain`; every region is accepted. A write is answered when it is on disk. `secrets/root.s3` holds root's "
    "access key and secret; `tarn user create NAME --role user` and `tarn key create NAME --s3` make others.\n\n"
    "* **Signatures**: version 4 in header and query, version 2 in the query and in forms, sessions of STS. Bodies: "
    "digest, unsigned, aws-chunked with and without signatures and trailers. Without a signature one is anonymous and "
    "may what bucket policies and ACLs let everybody do.\n"
    "* **Checksums**: CRC32, CRC32C, CRC64NVME, SHA1, SHA256, in headers and trailers, of whole objects and of parts; "
    "Content-MD5. MD5, SHA512 and XXHash as checksums are refused.\n"
    "* **Encryption**: SSE-S3 (`AES256`), by header or as the bucket's default: AES-256-GCM in "
    "blocks, a key for each object, under `secrets/master.key`. SSE-C and SSE-KMS are refused. A query that reads "
    "tables' files which are encrypted gets them decrypted in memory, up to `engine.sealed_bytes` a query; beyond it "
    "the query is refused, naming the object. They never lie in the clear on the disk, but what a query makes of them "
    "may: its spill in `run/` while it runs, new tables. Memory may be swapped out: encrypt the swap space, or have "
    "none.\n"
    "* **The warehouse's bucket** (of `warehouse.location`) is tarn's own: root may do everything in it, but it is in "
    "nobody's list of buckets. It takes no lifecycle rules, object lock or default "
    "encryption, and cannot be deleted: `AccessDenied`. Single objects in it can be written, copied over and deleted "
    "by whoever has the right, root above all, because engines with vended credentials must: nothing there keeps a "
    "live table's files from being destroyed. An object put there with an encryption header is stored, and queries "
    "read it: see below.\n"
    "* **Conditions**: all four on GET and HEAD; `If-Match` and `If-None-Match` on writes, copies, deletes and "
    "completed uploads.\n"
    "* **A lost database**: `tarn recover` makes it anew of the objects' files. Back come buckets with owner, "
    "versioning, lock and documents, and objects with their versions in order, type, metadata, encryption, and the "
    "tags, ACL and lock that they were written with. Lost are: delete markers (what they hid is there again); the "
    "names of copies that share another object's bytes; tags, ACLs, retention and legal holds given or taken after the "
    "writing (an object that was locked later is not locked any more: lock again before you let anybody in); uploads "
    "under way; "
    "users and all keys but root's, so that what users own is root's to give away. A backup (`tarn backup`) loses none "
    "of it.\n"
    "* **Storage classes**: `STANDARD` alone; no transitions, no archive.\n"
    "* Where AWS and the habits of clients differ, clients win: a new bucket takes ACLs; its owner may make it again; "
    "a PUT that makes a null version does not tell its id.\n\n"
    "An operation that is not served answers with the code below, never with an empty success. A "
    "sub-resource by a method or at a level that it does not have is `MethodNotAllowed`, two of them "
    "`InvalidArgument`; a request that changes something is `NotImplemented` with a parameter that is not known.\n";

static void add_rows(buf *out, s3_level level, const char *title)
{
    size_t count = 0;
    const s3_route *rows = s3_routes(&count);

    buf_printf(out, "\n## %s\n\n| operation | request | right | state | |\n|---|---|---|---|---|\n",
               title);
    for (size_t i = 0; i < count; i++) {
        const s3_route *r = &rows[i];
        if (r->level != level) {
            continue;
        }
        buf_printf(out, "| %s | %s%s%s%s | %s | ", r->name, http_method_name(r->method),
                   r->parameter != NULL ? " `" : "", r->parameter != NULL ? r->parameter : "",
                   r->parameter != NULL ? "`" : "", r->action != NULL ? r->action : "");
        if (r->handle != NULL) {
            buf_add_c(out, "served");
        } else {
            buf_printf(out, "refused: `%s`", r->code);
        }
        buf_printf(out, " | %s |\n", r->summary);
    }
}

static void add_actions(buf *out, const s3_query_service *service)
{
    for (size_t i = 0; i < service->count; i++) {
        const s3_query_action *row = &service->actions[i];
        buf_printf(out, "| %s | %s | %s | %s |\n", service->name, row->name, row->who,
                   row->summary);
    }
}

static void add_services(buf *out)
{
    buf_add_c(out,
              "\n## Sessions, users and keys\n\n"
              "STS and IAM answer at `POST /` with a form, signed for `sts` or `iam`: clients' "
              "`endpoint_url` is the S3 port. Any other action is `InvalidAction`, any other "
              "parameter `ValidationError`.\n\n| service | action | who may | |\n"
              "|---|---|---|---|\n");
    add_actions(out, &s3_service_sts);
    add_actions(out, &s3_service_iam);
}

void server_format_s3(buf *out)
{
    buf_add_c(out, introduction);
    add_rows(out, S3_SERVICE, "The service");
    add_rows(out, S3_BUCKET, "Buckets");
    add_rows(out, S3_OBJECT, "Objects");
    add_services(out);
    buf_add_c(
        out,
        "\nMade from the tables in `src/server/s3/routes.c`, `sts.c` and `iam.c`: `make docs`.\n");
}
