/* tarn key create, ls, drop, revoke-sessions: bearer keys and S3 key pairs of principals. */
#include "connect.h"
#include "lifetime.h"
#include "output.h"
#include "tarn/base/limits.h"

static const argument name_argument[] = {{.name = "NAME", .help = "name of the principal"}};
static const argument key_argument[] = {
    {.name = "KEY",
     .help = "id of a key as tarn key ls shows it: an access key id, or 16 hex digits"}};
static const option create_options[] = {
    {.name = "s3", .help = "a key pair for S3 clients: access key id and secret"},
    {.name = "expires",
     .value = "DURATION",
     .help = "ends after this time: 12h, 30d; default: never"},
};
static const option ls_options[] = {{.name = "s3", .help = "S3 key pairs instead of bearer keys"}};

/* One row, whose columns scripts can cut; in JSON the object itself. */
static status show_made(cli *c, const json *made, const list_column *columns, size_t count,
                        error *err)
{
    buf *text = buf_in(c->memory, LIMIT_MIB);
    const json *list = NULL;

    if (c->format == OUTPUT_JSON || c->format == OUTPUT_JSONL) {
        return output_record(c, made, columns, count, err);
    }
    buf_add_char(text, '[');
    json_format(made, text);
    buf_add_char(text, ']');
    TRY(json_parse(buf_str(text), c->memory, &list, err));
    return output_list(c, list, columns, count, err);
}

static status run_create(cli *c, error *err)
{
    static const list_column bearer[] = {
        {"id", "id", ""}, {"key", "key", ""}, {"expires_at", "expires", ""}};
    static const list_column pair[] = {{"access_key", "access_key", ""}, {"secret", "secret", ""}};
    str name = c->in.arguments.items[0];
    str expires = invocation_get(&c->in, "expires");
    bool s3 = invocation_has(&c->in, "s3");
    const json *answer = NULL;
    buf *body = buf_in(c->memory, LIMIT_MIB);
    json_writer w;
    int64_t seconds = 0;

    json_writer_init(&w, body);
    json_begin_object(&w);
    if (!str_is_null(expires)) {
        TRY(lifetime_parse(expires, &seconds, err));
        json_member_int(&w, "expires_in_s", seconds);
    }
    json_end_object(&w);
    TRY(api_json(c, HTTP_POST,
                 api_path(c->memory,
                          s3 ? "/api/v1/principals/%/s3-keys" : "/api/v1/principals/%/keys", &name,
                          1),
                 buf_str(body), &answer, err));
    TRY(s3 ? show_made(c, answer, pair, COUNT_OF(pair), err)
           : show_made(c, answer, bearer, COUNT_OF(bearer), err));
    message_note(c, s3 ? "The secret is shown this once: keep it."
                       : "The key is shown this once: keep it.");
    return STATUS_OK;
}

static status run_ls(cli *c, error *err)
{
    static const list_column bearer[] = {
        {"id", "id", ""}, {"created_at", "created", ""}, {"expires_at", "expires", ""}};
    static const list_column pair[] = {{"access_key", "access_key", ""},
                                       {"created_at", "created", ""},
                                       {"expires_at", "expires", ""},
                                       {"status", "status", ""}};
    str name = c->in.arguments.items[0];
    bool s3 = invocation_has(&c->in, "s3");
    const json *answer = NULL;

    TRY(api_json(c, HTTP_GET,
                 api_path(c->memory,
                          s3 ? "/api/v1/principals/%/s3-keys" : "/api/v1/principals/%/keys", &name,
                          1),
                 STR(""), &answer, err));
    return s3 ? output_list(c, json_get(answer, "s3_keys"), pair, COUNT_OF(pair), err)
              : output_list(c, json_get(answer, "keys"), bearer, COUNT_OF(bearer), err);
}

static status run_drop(cli *c, error *err)
{
    str key = c->in.arguments.items[0];
    const char *path = key.size == 20 ? "/api/v1/s3-keys/%" : "/api/v1/keys/%";

    if (c->dry_run) {
        message_note(c, "would drop key %.*s", STR_ARG(key));
        return STATUS_OK;
    }
    TRY(message_confirm(c, err, "drop key \"%.*s\"", STR_ARG(key)));
    TRY(api_json(c, HTTP_DELETE, api_path(c->memory, path, &key, 1), STR(""), NULL, err));
    message_note(c, "key %.*s dropped", STR_ARG(key));
    return STATUS_OK;
}

static status run_revoke(cli *c, error *err)
{
    str name = c->in.arguments.items[0];

    if (c->dry_run) {
        message_note(c, "would end the sessions of %.*s", STR_ARG(name));
        return STATUS_OK;
    }
    TRY(api_json(c, HTTP_DELETE, api_path(c->memory, "/api/v1/principals/%/s3-sessions", &name, 1),
                 STR(""), NULL, err));
    message_note(c, "sessions of %.*s ended", STR_ARG(name));
    return STATUS_OK;
}

const command command_key_create = {.name = "key create",
                                    .summary = "make a key, or an S3 key pair, for a principal",
                                    ARGUMENTS(name_argument),
                                    OPTIONS(create_options),
                                    .run = run_create};
const command command_key_ls = {.name = "key ls",
                                .summary = "list a principal's keys",
                                ARGUMENTS(name_argument),
                                OPTIONS(ls_options),
                                .run = run_ls};
const command command_key_drop = {.name = "key drop",
                                  .summary = "take a key away; who used it is out at once",
                                  ARGUMENTS(key_argument),
                                  .run = run_drop};
const command command_key_revoke = {.name = "key revoke-sessions",
                                    .summary = "end all S3 sessions of a principal",
                                    ARGUMENTS(name_argument),
                                    .run = run_revoke};
