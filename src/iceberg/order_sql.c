/* order_sql.c: the text form of sort orders, as WRITE ORDERED BY takes it: "region, bucket(4, id) DESC NULLS LAST".
 *
 * Without a word about nulls they stand first in ascending and last in descending fields, as Iceberg's other writers
 * have it. */
#include "spec_sql.h"

#include "tarn/base/vec.h"
#include "tarn/iceberg/evolve.h"

static status take_nulls(ice__sql_reader *r, ice_sort_field *field)
{
    if (!ice__sql_take_word(r, "nulls")) {
        return STATUS_OK;
    }
    field->nulls_last = ice__sql_take_word(r, "last");
    if (!field->nulls_last && !ice__sql_take_word(r, "first")) {
        return ice__sql_fail(r, r->at, STATUS_SYNTAX, "FIRST or LAST is expected here");
    }
    return STATUS_OK;
}

static status take_field(ice__sql_reader *r, ice_sort_field *ret_field)
{
    ice_sort_field field;
    ice__sql_term term;

    TRY(ice__sql_take_term(r, &term));
    field = (ice_sort_field){.source_id = term.source->id, .transform = term.transform};
    field.descending = ice__sql_take_word(r, "desc");
    if (!field.descending) {
        (void)ice__sql_take_word(r, "asc");
    }
    field.nulls_last = field.descending;
    TRY(take_nulls(r, &field));
    *ret_field = field;
    return STATUS_OK;
}

status ice_sort_order_parse_sql(str text, const ice_schema *schema, arena *a,
                                ice_sort_order *ret_order, error *err)
{
    ice__sql_reader r = {
        .what = "order", .text = str_copy(a, text), .schema = schema, .memory = a, .err = err};
    VEC(ice_sort_field) fields = {0};

    if (ice__sql_peek(&r) != '\0') {
        do {
            ice_sort_field field;
            size_t start;

            (void)ice__sql_peek(&r);
            start = r.at;
            TRY(take_field(&r, &field));
            for (size_t i = 0; i < fields.count; i++) {
                if (fields.items[i].source_id == field.source_id &&
                    str_equal(fields.items[i].transform.text, field.transform.text)) {
                    return ice__sql_fail(&r, start, STATUS_INVALID, "a field is named twice");
                }
            }
            vec_push(a, &fields, field);
        } while (ice__sql_take(&r, ','));
        if (ice__sql_peek(&r) != '\0') {
            return ice__sql_fail(&r, r.at, STATUS_SYNTAX, "\",\" or the end is expected here");
        }
    }
    *ret_order = (ice_sort_order){.id = 0, .fields = fields.items, .field_count = fields.count};
    return STATUS_OK;
}
