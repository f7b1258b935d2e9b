/* Reference pages made from the tables in the code. The commands' page is `tarn help --markdown`. */
#include "docs.h"

#include <stdio.h>
#include <string.h>

#include "tarn/access/access.h"
#include "tarn/access/s3.h"
#include "tarn/base/buf.h"
#include "tarn/base/fault.h"
#include "tarn/base/limits.h"
#include "tarn/iceberg/metadata.h"
#include "tarn/server/server.h"
#include "tarn/settings/settings.h"

static void settings_page(buf *out)
{
    buf_add_c(
        out,
        "# Settings\n\nPrecedence: default, settings file, environment, flag. `a.b_c` is `TARN_A_B_C` in the "
        "environment, `--a.b_c VALUE` as a flag, and member `b_c` of `a` in `tarn.yaml`. "
        "`tarn config show --origin` tells where each value came from.\n\n"
        "| setting | default | takes | meaning |\n|---|---|---|---|\n");
    static const char *const kinds[] = {
        [SETTING_TEXT] = "text",          [SETTING_ADDRESS] = "host:port or none",
        [SETTING_LIST] = "list (a:b:c)",  [SETTING_INT] = "whole number",
        [SETTING_SIZE] = "size",          [SETTING_DURATION] = "duration",
        [SETTING_BOOL] = "true or false",
    };
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const setting_info *info = setting_describe((setting)i);
        buf_printf(out, "| `%s` | `%s` | ", info->name, info->fallback);
        for (const char *c = info->kind == SETTING_CHOICE ? info->choices : kinds[info->kind];
             *c != '\0'; c++) {
            buf_add_c(out, *c == '|' ? ", " : (const char[]){*c, '\0'});
        }
        buf_printf(out, " | %s |\n", info->meaning);
    }
}

static void routes_page(buf *out)
{
    size_t count = 0;
    const route_info *routes = server_routes(&count);

    buf_add_c(
        out,
        "# Routes\n\nAuthentication: `Authorization: Bearer KEY`, or basic with user and key. The right is what "
        "the caller must have ([actions](actions.md)); `none` needs no key.\n\n"
        "| method | path | right | does |\n|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "| %s | `%s` | %s | %s |\n", routes[i].method, routes[i].pattern,
                   routes[i].action, routes[i].summary);
    }
}

static void metrics_page(buf *out)
{
    buf_add_c(out, "# Metrics\n\n`GET /metrics`, Prometheus text format.\n\n");
    server_format_metrics(out);
}

static void errors_page(buf *out)
{
    buf_add_c(
        out,
        "# Errors\n\nEvery failure is one of these, in every protocol. `retry`: the same request may succeed "
        "later.\n\n"
        "| code | HTTP | exit code | SQLSTATE | Iceberg type | retry |\n|---|---|---|---|---|---|\n");
    for (int i = STATUS_OK + 1; i < STATUS_COUNT; i++) {
        const status_info *info = status_describe((status)i);
        buf_printf(out, "| `%s` | %d | %d | %s | %s | %s |\n", info->code, info->http_status,
                   info->exit_code, info->sqlstate, info->iceberg_type,
                   info->retryable ? "yes" : "");
    }
}

static void actions_page(buf *out)
{
    buf_add_c(
        out,
        "# Actions\n\nWhat one may do, and whether the roles `reader`, `user` and `writer` may. "
        "`root` may everything.\n\n"
        "| action | lets one | reader | user | writer |\n|---|---|---|---|---|\n");
#define X(id, name, meaning, reader, user, writer) \
    buf_add_c(out, "| `" name "` | " meaning " | " #reader " | " #user " | " #writer " |\n");
    ACTION_TABLE(X)
#undef X
}

static void put_permission(buf *out, unsigned bits)
{
    static const struct {
        unsigned bits;
        const char *name;
    } names[] = {{S3_READ, "READ"},
                 {S3_WRITE, "WRITE"},
                 {S3_READ_ACP, "READ_ACP"},
                 {S3_WRITE_ACP, "WRITE_ACP"}};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (bits == names[i].bits) {
            buf_add_c(out, names[i].name);
        }
    }
}

static void s3_actions_page(buf *out)
{
    static const char *const owners[] = {
        [S3_OF_SERVICE] = "any account",
        [S3_OF_BUCKET] = "the bucket's owner",
        [S3_OF_CONTENTS] = "the bucket's owner",
        [S3_OF_UPLOAD] = "the bucket's owner, who began the upload",
        [S3_OF_OBJECT] = "the object's owner",
    };
    size_t count = 0;
    const s3_action_info *infos = access_s3_actions(&count);

    buf_add_c(
        out,
        "# Actions of S3\n\nWhat policies may name, who may without one, and which permission of an ACL grants "
        "it ([access](../access.md)).\n\n"
        "| action | of | granted on the bucket | granted on the object |\n|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "| `%s` | %s | ", infos[i].name, owners[infos[i].scope]);
        put_permission(out, infos[i].bucket_permission);
        buf_add_c(out, " | ");
        put_permission(out, infos[i].object_permission);
        buf_add_c(out, " |\n");
    }
}

/* "a|b" would end a cell of the table. */
static void put_words(buf *out, str words)
{
    str rest = words;

    for (bool first = true; !str_is_null(rest); first = false) {
        str word = str_cut(rest, '|', &rest);

        buf_add_c(out, first ? "" : ", ");
        buf_add_str(out, word);
    }
}

static void properties_page(buf *out)
{
    size_t count = 0;
    const ice_property_info *infos = ice_property_infos(&count);

    buf_add_c(
        out,
        "# Table properties\n\nSet with `CREATE TABLE … WITH ('name' = 'value')` and `ALTER TABLE … SET "
        "PROPERTIES ('name' = 'value')`. tarn acts on those of the first table; those of the second are kept "
        "for other programs that use the table, and checked. Unknown names are kept and not judged, but for "
        "those that begin with `tarn.`.\n");
    for (int honoured = 1; honoured >= 0; honoured--) {
        buf_printf(out, "\n## %s\n\n| property | type | default | meaning |\n|---|---|---|---|\n",
                   honoured ? "What tarn acts on" : "What it passes on");
        for (size_t i = 0; i < count; i++) {
            if (infos[i].honoured == (honoured == 1)) {
                buf_printf(out, "| `%s` | ", infos[i].key);
                put_words(out, str_c(infos[i].type));
                buf_printf(out, " | `%s` | %s |\n", infos[i].fallback, infos[i].meaning);
            }
        }
    }
    buf_add_c(
        out,
        "\nTypes: `int` is a whole number from 0, `count` from 1 (both up to 2147483647), `long` and "
        "`size` the same up to 9223372036854775807.\n");
}

static void faults_page(buf *out)
{
    buf_add_c(
        out,
        "# Fault points\n\nWhere tests make tarn fail, wait or die: `TARN_FAULT=name=action[:argument][@n]` with "
        "`TARN_FAULT_ALLOW=1`; actions are `fail`, `delay` and `kill` (base/fault.h).\n\n"
        "| point | where |\n|---|---|\n");
#define X(id, name, where) buf_add_c(out, "| `" name "` | " where " |\n");
    FAULT_TABLE(X)
#undef X
}

static const struct {
    const char *name;
    void (*format)(buf *out);
} pages[] = {
    {"settings", settings_page},     {"routes", routes_page},
    {"metrics", metrics_page},       {"errors", errors_page},
    {"actions", actions_page},       {"s3_actions", s3_actions_page},
    {"properties", properties_page}, {"faults", faults_page},
    {"s3", server_format_s3},        {"catalog", server_format_catalog},
};

static int print_page(void (*format)(buf *out))
{
    buf out;

    buf_init(&out, LIMIT_JSON_BODY);
    format(&out);
    size_t written = fwrite(out.data, 1, out.size, stdout);
    int code = written == out.size && !out.failed ? 0 : 1;
    buf_release(&out);
    return code;
}

int docs_main(int argc, char **argv)
{
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        if (argc < 3) {
            puts(pages[i].name);
        } else if (strcmp(argv[2], pages[i].name) == 0) {
            return print_page(pages[i].format);
        }
    }
    return argc < 3 ? 0 : status_describe(STATUS_USAGE)->exit_code;
}
