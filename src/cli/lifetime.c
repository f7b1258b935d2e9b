/* The value of --expires. What it means for a key is the server's matter. */
#include "lifetime.h"

#include <stddef.h>

static const struct {
    char letter;
    int64_t seconds;
} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};

status lifetime_parse(str text, int64_t *ret_seconds, error *err)
{
    int64_t count = 0;

    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (text.size > 1 && text.data[text.size - 1] == units[i].letter &&
            str_to_int64(str_slice(text, 0, text.size - 1), &count, NULL) == STATUS_OK &&
            count > 0 && count < 1000000) {
            *ret_seconds = count * units[i].seconds;
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_USAGE, "--expires \"%.*s\" is no duration such as 12h or 30d",
                     STR_ARG(text));
}
