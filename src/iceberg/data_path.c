/* data_path.c: where a new data file goes. */
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"
#include "tarn/iceberg/commit.h"

#include "internal.h"

enum { PATH_VALUE_MAX = 60 };

/* Partition folders are for people: what might be read in two ways (percent signs above all) is left out. */
static void put_safe(buf *out, str text)
{
    size_t size = text.size > PATH_VALUE_MAX ? PATH_VALUE_MAX : text.size;

    for (size_t i = 0; i < size; i++) {
        char c = text.data[i];
        bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '.';

        buf_add_char(out, safe ? c : '_');
    }
}

static void put_month(buf *out, int64_t months)
{
    int64_t year = 1970 + ice__floor_div(months, 12);

    buf_printf(out, "%04lld-%02lld", (long long)year,
               (long long)(months - ice__floor_div(months, 12) * 12 + 1));
}

void ice_transform_format(const ice_transform *t, const ice_value *v, buf *text)
{
    ice_type type = {.kind = v->kind, .scale = v->scale};

    if (v->is_null) {
        buf_add_c(text, "null");
        return;
    }
    switch (t->kind) {
    case ICE_YEAR:
        buf_printf(text, "%04lld", (long long)(1970 + v->integer));
        break;
    case ICE_MONTH:
        put_month(text, v->integer);
        break;
    case ICE_DAY:
        ice__date_format(v->integer, text);
        break;
    case ICE_HOUR:
        ice__date_format(ice__floor_div(v->integer, 24), text);
        buf_printf(text, "-%02lld", (long long)(v->integer - ice__floor_div(v->integer, 24) * 24));
        break;
    default:
        ice_value_format(&type, v, text);
        break;
    }
}

static void put_partition_value(buf *out, const ice_transform *t, const ice_value *v, arena *a)
{
    buf *text = buf_in(a, LIMIT_MIB);

    ice_transform_format(t, v, text);
    put_safe(out, buf_str(text));
}

str ice_data_location(const ice_metadata *m, const ice_spec *spec, const ice_value *partition,
                      arena *a)
{
    str folder = ice_metadata_property(m, "write.data.path", NULL);
    buf *out = buf_in(a, LIMIT_MIB);
    char uuid[37];

    while (folder.size > 1 && folder.data[folder.size - 1] == '/') {
        folder.size--;
    }
    if (folder.size > 0) {
        buf_add_str(out, folder);
    } else {
        buf_add_str(out, m->location);
        buf_add_c(out, "/data");
    }
    for (size_t i = 0; i < spec->field_count; i++) {
        buf_add_char(out, '/');
        put_safe(out, spec->fields[i].name);
        buf_add_char(out, '=');
        put_partition_value(out, &spec->fields[i].transform, &partition[i], a);
    }
    random_uuid(uuid);
    buf_printf(out, "/%s.parquet", uuid);
    return buf_str(out);
}
