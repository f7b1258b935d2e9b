/* tarn restore, recover: work on a data directory that no server uses. */
#include <inttypes.h>

#include "connect.h"
#include "output.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"

#define PATIENCE_MS 15000 /* for a private server to end with its last client */
#define RETRY_MS 100

static status print_counts(cli *c, int64_t objects, int64_t tables, error *err)
{
    static const list_column columns[] = {{"objects", "objects", ""}, {"tables", "tables", ""}};
    const json *record = NULL;
    str text = tables < 0
                   ? str_printf(c->memory, "{\"objects\": %" PRId64 "}", objects)
                   : str_printf(c->memory, "{\"objects\": %" PRId64 ", \"tables\": %" PRId64 "}",
                                objects, tables);

    TRY(json_parse(text, c->memory, &record, err));
    return output_record(c, record, columns, COUNT_OF(columns), err);
}

static status recover_when_free(cli *c, int64_t *ret_objects, int64_t *ret_tables, error *err)
{
    int64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;

    for (;;) {
        status result = c->hooks->recover(c->settings, c->yes, ret_objects, ret_tables, err);
        if (result != STATUS_BUSY || fs_exists(context_data_path(c, "run/server.json")) ||
            clock_mono_ms() > deadline_ms || interrupt_signal != 0) {
            return result;
        }
        clock_sleep_ms(RETRY_MS);
    }
}

static status run_recover(cli *c, error *err)
{
    int64_t objects = 0;
    int64_t tables = 0;

    TRY(context_settings(c, err));
    TRY(context_check_data(c, err));
    if (c->dry_run) {
        message_note(c, "would rebuild %s from the blobs", context_data_path(c, "tarn.db"));
        return STATUS_OK;
    }
    status result = recover_when_free(c, &objects, &tables, err);
    if (result == STATUS_EXISTS && err->hint[0] == '\0') {
        error_hint(err, "With --yes it is kept aside and rebuilt.");
    }
    TRY(result);
    return print_counts(c, objects, tables, err);
}

const command command_recover = {
    .name = "recover",
    .summary = "rebuild the database of a data directory from its blobs alone",
    .details =
        "Refused while a server runs, and without --yes where tarn.db exists. Prints the objects and "
        "tables that were found. What files do not tell is gone: events, times at which things were "
        "made, users and keys.",
    .run = run_recover,
};

static const argument restore_arguments[] = {
    {.name = "SOURCE", .help = "folder that tarn backup made", .kind = ARGUMENT_FILE}};

static status run_restore(cli *c, error *err)
{
    int64_t objects = 0;
    const char *source = str_to_c(c->memory, c->in.arguments.items[0]);

    TRY(context_settings(c, err));
    TRY(context_check_data(c, err));
    if (c->dry_run) {
        message_note(c, "would restore %s to %.*s", source, STR_ARG(c->settings->data_path));
        return STATUS_OK;
    }
    TRY(c->hooks->restore(c->settings, source, &objects, err));
    return print_counts(c, objects, -1, err);
}

const command command_restore = {
    .name = "restore",
    .summary = "put a backup back into an empty data directory",
    ARGUMENTS(restore_arguments),
    .run = run_restore,
};
