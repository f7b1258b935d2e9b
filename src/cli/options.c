/* The options that every command has. Settings are options too (--http.listen): their table is
 * settings.h. */
#include "command.h"

/* clang-format off */
const option global_options[] = {
    {.name = "data", .value = "DIR", .help = "data directory (TARN_DATA)"},
    {.name = "config", .value = "FILE", .help = "settings file (TARN_CONFIG)"},
    {.name = "server", .value = "URL", .help = "server to talk to (TARN_SERVER); default: the data directory's own"},
    {.name = "key-file", .value = "FILE", .help = "file with the key to use (TARN_KEY_FILE; TARN_KEY holds the key itself)"},
    {.name = "output", .letter = 'o', .value = "FORMAT", .choices = "table|tsv|csv|json|jsonl|md|box|arrow|parquet",
     .help = "how results are written; default: table on a terminal, tsv elsewhere"},
    {.name = "quiet", .letter = 'q', .help = "nothing on stderr but errors"},
    {.name = "verbose", .letter = 'v', .help = "more on stderr: which server, request ids, times"},
    {.name = "color", .value = "WHEN", .choices = "auto|always|never", .help = "colours; auto: on a terminal (NO_COLOR, TERM)"},
    {.name = "progress", .value = "WHEN", .choices = "auto|never|json",
     .help = "progress on stderr; auto: on a terminal; json: one object a line"},
    {.name = "yes", .letter = 'y', .help = "do not ask before something is removed"},
    {.name = "dry-run", .help = "say what would be done, and do nothing"},
    {.name = "help", .letter = 'h', .help = "help for the command"},
};
/* clang-format on */

const size_t global_option_count = COUNT_OF(global_options);
