/* Reference pages made from the tables in the code. The commands' page is `tarn help --markdown`. */
#include "docs.h"

#include <stdio.h>
#include <string.h>

#include "tarn/access/access.h"
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
        "# Actions\n\nWhat one may do, and whether the role `reader` may. `root` may everything.\n\n"
        "| action | lets one | reader |\n|---|---|---|\n");
#define X(id, name, meaning, reader) buf_add_c(out, "| `" name "` | " meaning " | " #reader " |\n");
    ACTION_TABLE(X)
#undef X
}

static void properties_page(buf *out)
{
    size_t count = 0;
    const ice_property_info *infos = ice_property_infos(&count);

    buf_add_c(
        out,
        "# Table properties\n\nSet with `CREATE TABLE … WITH ('name' = 'value')`. Others are kept and not "
        "judged.\n\n| property | type | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "| `%s` | %s | `%s` | %s |\n", infos[i].key, infos[i].type,
                   infos[i].fallback, infos[i].meaning);
    }
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
    {"settings", settings_page}, {"routes", routes_page},   {"metrics", metrics_page},
    {"errors", errors_page},     {"actions", actions_page}, {"properties", properties_page},
    {"faults", faults_page},
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
