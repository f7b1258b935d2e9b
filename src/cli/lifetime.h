/* lifetime.h: how long a key lasts, as people type it. */
#ifndef TARN_CLI_LIFETIME_H
#define TARN_CLI_LIFETIME_H

#include <stdint.h>

#include "tarn/base/str.h"

/* "90s", "15m", "12h", "30d", as --expires has it. USAGE. */
status lifetime_parse(str text, int64_t *ret_seconds, error *err);

#endif
