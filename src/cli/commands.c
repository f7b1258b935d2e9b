/* Every command. The order is the one of help; the commands of a group stand together. */
#include "command.h"

#define COMMAND_TABLE(X)   \
    X(serve)               \
    X(sql)                 \
    X(load)                \
    X(generate)            \
    X(table_ls)            \
    X(table_show)          \
    X(table_history)       \
    X(table_files)         \
    X(table_rename)        \
    X(table_register)      \
    X(table_drop)          \
    X(table_undrop)        \
    X(table_protect)       \
    X(table_unprotect)     \
    X(namespace_ls)        \
    X(namespace_show)      \
    X(namespace_create)    \
    X(namespace_drop)      \
    X(namespace_protect)   \
    X(namespace_unprotect) \
    X(catalog_ls)          \
    X(catalog_create)      \
    X(catalog_drop)        \
    X(catalog_events)      \
    X(s3_ls)               \
    X(s3_cp)               \
    X(s3_mv)               \
    X(s3_rm)               \
    X(s3_mb)               \
    X(s3_rb)               \
    X(s3_stat)             \
    X(s3_presign)          \
    X(s3_du)               \
    X(s3_sync)             \
    X(user_ls)             \
    X(user_show)           \
    X(user_create)         \
    X(user_drop)           \
    X(key_create)          \
    X(key_ls)              \
    X(key_drop)            \
    X(key_revoke)          \
    X(connect)             \
    X(query_ls)            \
    X(query_cancel)        \
    X(status)              \
    X(config_show)         \
    X(doctor)              \
    X(backup)              \
    X(restore)             \
    X(recover)             \
    X(version)             \
    X(help)                \
    X(completion)

#define X(name) extern const command command_##name;
COMMAND_TABLE(X)
#undef X

const command *const cli_commands[] = {
#define X(name) &command_##name,
    COMMAND_TABLE(X)
#undef X
};
const size_t cli_command_count = COUNT_OF(cli_commands);
