/* catalog.h: what commands of tables share. */
#ifndef TARN_CLI_COMMAND_CATALOG_H
#define TARN_CLI_COMMAND_CATALOG_H

#include "context.h"

/* Namespace and table of a name as it is typed: "a.b.t" is table t of namespace a.b; quotes hide dots. */
status table_segments(cli *c, str name, str ret_segments[2], error *err);

#endif
