/* The conflict matrix: every change against every change that came between the snapshot it was computed from and its
 * commit, for both isolation levels, where both touch the same rows and where they do not. What is expected is
 * written down below, from the rules of docs/iceberg.md and of the reference implementation, not from the code. The
 * matrix is printed into docs/iceberg.md: the test compares, and writes it with TARN_UPDATE_DOCS=1. timeout: 300 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "operations.h"
#include "tarn/base/fs.h"

typedef enum operation {
    APPEND,
    OVERWRITE_FILES,
    OVERWRITE_FILTER,
    OVERWRITE_PARTITIONS,
    ROW_DELETE,
    ROW_UPDATE,
    VECTOR_DELETE,
    REWRITE,
    METADATA_DELETE,
    SCHEMA_CHANGE,
    ROLLBACK,
    OPERATION_COUNT
} operation;

static const char *const names[] = {
    [APPEND] = "append",
    [OVERWRITE_FILES] = "overwrite of files",
    [OVERWRITE_FILTER] = "overwrite by filter",
    [OVERWRITE_PARTITIONS] = "dynamic overwrite",
    [ROW_DELETE] = "row delete",
    [ROW_UPDATE] = "row update",
    [VECTOR_DELETE] = "row delete (vector)",
    [REWRITE] = "rewrite",
    [METADATA_DELETE] = "delete by metadata",
    [SCHEMA_CHANGE] = "schema change",
    [ROLLBACK] = "rollback",
};

/* Columns: what came between, in the order above. '+' passes; 'o' conflicts where both touch the same rows; 'x'
 * conflicts always; '-' there is no such table (position deletes are of version 2, vectors of 3). */
static const char *const expected[2][OPERATION_COUNT] = {
    [ICE_SERIALIZABLE] =
        {
            /*                     a    of   of   do   rd   ru   vd   rw   md   sc   rb */
            [APPEND] = "+++++++++++",
            [OVERWRITE_FILES] = "ooooooooo+x",
            [OVERWRITE_FILTER] = "ooooooooo+x",
            [OVERWRITE_PARTITIONS] = "ooooooooo+x",
            [ROW_DELETE] = "oooo+o-o++x",
            [ROW_UPDATE] = "oooooo-oo+x",
            [VECTOR_DELETE] = "oooo--oo++x",
            [REWRITE] = "+oooooooo+x",
            [METADATA_DELETE] = "ooooooooo+x",
            [SCHEMA_CHANGE] = "+++++++++++",
            [ROLLBACK] = "+++++++++++",
        },
    [ICE_SNAPSHOT_ISOLATION] =
        {
            [APPEND] = "+++++++++++",
            [OVERWRITE_FILES] = "+oooooooo+x",
            [OVERWRITE_FILTER] = "+oooooooo+x",
            [OVERWRITE_PARTITIONS] = "+oooooooo+x",
            [ROW_DELETE] = "+ooo++-o++x",
            [ROW_UPDATE] = "+ooooo-oo+x",
            [VECTOR_DELETE] = "+ooo--oo++x",
            [REWRITE] = "+oooooooo+x",
            [METADATA_DELETE] = "+oooooooo+x",
            [SCHEMA_CHANGE] = "+++++++++++",
            [ROLLBACK] = "+++++++++++",
        },
};

/* One change by one writer, computed from what the table was when it was prepared. */
typedef struct prepared {
    operation what;
    ice_file data; /* that it concerns */
    ice_file added[2];
    ice_overwrite change;
    int64_t rollback_to;
} prepared;

static const ice_property quick_retries[] = {{STR_INIT("commit.retry.min-wait-ms"), STR_INIT("0")}};

static void prepare(fixture *f, test_table *t, operation what, int32_t day, ice_isolation isolation,
                    prepared *p)
{
    const ice_metadata *m = t->latest;
    static int64_t next_id = 1000;
    bool vector = what == VECTOR_DELETE;

    *p = (prepared){.what = what, .data = op_find(f, t, day * 100)};
    p->rollback_to = m->snapshots[0].id;
    p->change = (ice_overwrite){.isolation = isolation,
                                .read_snapshot_id = m->current_snapshot_id,
                                .added = p->added,
                                .filter = op_day_is(f->arena, day)};
    next_id += 10;
    p->added[0] = op_file(f->arena, m, day, next_id, 5);
    p->change.added_count = 1;
    p->change.removed = &p->data;
    switch (what) {
    case OVERWRITE_FILES:
    case REWRITE:
        p->change.kind = what == REWRITE ? ICE_REWRITE : ICE_OVERWRITE_FILES;
        p->change.removed_count = 1;
        break;
    case OVERWRITE_FILTER:
        p->change.kind = ICE_OVERWRITE_FILTER;
        break;
    case OVERWRITE_PARTITIONS:
        p->change.kind = ICE_OVERWRITE_PARTITIONS;
        break;
    case METADATA_DELETE:
        p->change.kind = ICE_OVERWRITE_FILTER;
        p->change.added_count = 0;
        break;
    case ROW_UPDATE:
        p->added[1] = p->added[0];
        p->change.added_count = 2;
        p->added[0] = op_deletes(f->arena, &p->data, 2, false);
        p->change.kind = ICE_ROW_DELTA;
        break;
    case ROW_DELETE:
    case VECTOR_DELETE:
        p->added[0] = op_deletes(f->arena, &p->data, 2, vector);
        p->change.kind = ICE_ROW_DELTA;
        break;
    default:
        break;
    }
}

static status add_column(void *context, ice_builder *b, error *err)
{
    const prepared *p = context;
    ice_value id;
    char name[32];
    ice_add_column added = {.doc = STR_NULL, .type = ice_type_primitive(ICE_LONG)};

    TRY(ice_value_decode(ice_type_primitive(ICE_LONG), p->added[0].lower_bounds[0].value, &id,
                         err));
    (void)snprintf(name, sizeof(name), "more%lld", (long long)id.integer);
    added.name = str_c(name);
    return ice_builder_add_column(b, &added, err);
}

static status roll_back(void *context, ice_builder *b, error *err)
{
    const prepared *p = context;
    ice_ref main_ref = {.name = STR("main"),
                        .snapshot_id = p->rollback_to,
                        .max_ref_age_ms = -1,
                        .max_snapshot_age_ms = -1,
                        .min_snapshots_to_keep = -1};

    return ice_builder_set_ref(b, &main_ref, err);
}

static status commit(const ice_committer *committer, prepared *p, arena *a, error *err)
{
    ice_commit_result result;

    switch (p->what) {
    case APPEND:
        return op_append(committer, p->added, 1, a, &result, err);
    case SCHEMA_CHANGE:
        return ice_metadata_update(committer, add_column, p, NULL, err);
    case ROLLBACK:
        return ice_metadata_update(committer, roll_back, p, NULL, err);
    default:
        return op_overwrite(committer, &p->change, a, &result, err);
    }
}

/* A committer that lets another writer go first, after everything of its own was staged. */
typedef struct interrupted {
    test_table *table;
    prepared *other;
    bool happened;
    status outcome;
    error err;
} interrupted;

static status interrupted_load(void *context, arena *a, ice_metadata **ret_metadata,
                               str *ret_location, error *err)
{
    interrupted *x = context;

    return test_load(x->table, a, ret_metadata, ret_location, err);
}

static status interrupted_commit(void *context, str base_location, str new_location,
                                 const ice_metadata *new_metadata, store_staged *const *staged,
                                 size_t staged_count, const str *obsolete, size_t obsolete_count,
                                 status (*extra)(void *extra_context, state_txn *txn, error *err),
                                 void *extra_context, error *err)
{
    interrupted *x = context;

    if (!x->happened) {
        arena *a = arena_create();

        x->happened = true;
        x->outcome = commit(&x->table->committer, x->other, a, &x->err);
        arena_free(a);
    }
    return test_commit_change(x->table, base_location, new_location, new_metadata, staged,
                              staged_count, obsolete, obsolete_count, extra, extra_context, err);
}

/* Days 1 and 2, a file each, after a first snapshot that a rollback goes to. */
static test_table *make_table(fixture *f, const test_table *store, int number, int version)
{
    str location = str_printf(f->arena, "s3://warehouse/t%d", number);
    test_table *t = test_table_create_in(f, store, location, "day", quick_retries, 1, version);
    ice_file files[2];
    ice_commit_result result;

    files[0] = op_file(f->arena, t->latest, 3, 300, 5);
    EXPECT_OK(op_append(&t->committer, files, 1, f->arena, &result, &f->err));
    files[0] = op_file(f->arena, t->latest, 1, 100, 10);
    files[1] = op_file(f->arena, t->latest, 2, 200, 10);
    EXPECT_OK(op_append(&t->committer, files, 2, f->arena, &result, &f->err));
    return t;
}

/* True where the first change passes although the second came between. */
static bool passes(fixture *f, const test_table *store, operation mine, operation others,
                   bool overlap, ice_isolation isolation)
{
    static int number = 1;
    bool vectors = mine == VECTOR_DELETE || others == VECTOR_DELETE;
    test_table *t = make_table(f, store, number++, vectors ? 3 : 2);
    prepared p;
    prepared between;
    interrupted x = {.table = t, .other = &between, .err = ERROR_INIT};
    ice_committer committer = {
        .load = interrupted_load, .commit = interrupted_commit, .context = &x, .storage = t->st};
    int64_t before = t->latest->last_sequence_number;
    status s;

    prepare(f, t, mine, 1, isolation, &p);
    prepare(f, t, others, overlap ? 1 : 2, isolation, &between);
    s = commit(&committer, &p, f->arena, &f->err);
    assert_true(x.happened);
    if (x.outcome != STATUS_OK) {
        fail_msg("%s alone: %s", names[others], x.err.message);
    }
    if (s != STATUS_OK && s != STATUS_CONFLICT) {
        fail_msg("%s after %s: %s", names[mine], names[others], f->err.message);
    }
    if (s == STATUS_CONFLICT && others != ROLLBACK) {
        str id = str_printf(f->arena, "(snapshot %lld)", (long long)t->latest->current_snapshot_id);

        /* Named are the operation in between and what it did. */
        assert_true(str_find(str_c(f->err.message), id) != STR_NPOS);
        assert_true(str_find(str_c(f->err.message), STR(" came between: it ")) != STR_NPOS);
        assert_int_equal(t->latest->last_sequence_number, before + 1);
    }
    error_clear(&f->err);
    return s == STATUS_OK;
}

static char verdict(fixture *f, const test_table *store, operation mine, operation others,
                    ice_isolation isolation)
{
    bool positions = mine == ROW_DELETE || mine == ROW_UPDATE;
    bool other_positions = others == ROW_DELETE || others == ROW_UPDATE;
    bool apart;
    bool together;

    if ((positions && others == VECTOR_DELETE) || (other_positions && mine == VECTOR_DELETE)) {
        return '-';
    }
    apart = passes(f, store, mine, others, false, isolation);
    together = passes(f, store, mine, others, true, isolation);
    assert_true(apart || !together);
    return together ? '+' : apart ? 'o' : 'x';
}

/* --- the document --- */

#define BEGIN STR("<!-- matrix:begin -->\n")
#define END STR("<!-- matrix:end -->\n")

static void put_matrix(buf *out, char found[2][OPERATION_COUNT][OPERATION_COUNT])
{
    static const char *const titles[] = {
        [ICE_SERIALIZABLE] = "serializable", [ICE_SNAPSHOT_ISOLATION] = "snapshot"};

    for (int level = 0; level < 2; level++) {
        buf_printf(out, "\n| %s: this change ↓, after that one → |", titles[level]);
        for (int k = 0; k < OPERATION_COUNT; k++) {
            buf_printf(out, " %s |", names[k]);
        }
        buf_add_c(out, "\n|---|");
        for (int k = 0; k < OPERATION_COUNT; k++) {
            buf_add_c(out, ":-:|");
        }
        for (int i = 0; i < OPERATION_COUNT; i++) {
            buf_printf(out, "\n| %s |", names[i]);
            for (int k = 0; k < OPERATION_COUNT; k++) {
                char c = found[level][i][k];

                buf_printf(out, " %s |",
                           c == '+'   ? "passes"
                           : c == 'o' ? "same rows"
                           : c == 'x' ? "conflict"
                                      : "–");
            }
        }
        buf_add_c(out, "\n");
    }
}

static void compare_with_document(fixture *f, str matrix)
{
    const char *path = test_golden_path(f, "../../docs/iceberg.md");
    buf *out = buf_in(f->arena, 1 << 20);
    str text;
    size_t begin;
    size_t end;
    int fd;

    EXPECT_OK(fs_read_file(path, 1 << 20, f->arena, &text, &f->err));
    begin = str_find(text, BEGIN);
    end = str_find(text, END);
    assert_true(begin != STR_NPOS && end != STR_NPOS && end > begin);
    begin += BEGIN.size;
    if (getenv("TARN_UPDATE_DOCS") == NULL) {
        if (!str_equal(str_slice(text, begin, end), matrix)) {
            fail_msg("docs/iceberg.md has another matrix: run this test with TARN_UPDATE_DOCS=1");
        }
        return;
    }
    buf_add_str(out, str_slice(text, 0, begin));
    buf_add_str(out, matrix);
    buf_add_str(out, str_slice(text, end, text.size));
    EXPECT_OK(fs_open(path, O_WRONLY | O_TRUNC, 0, &fd, &f->err));
    EXPECT_OK(fs_write_all(fd, out->data, out->size, &f->err));
    fs_close(fd);
}

static void test_every_change_against_every_change_that_came_between(void **given)
{
    fixture *f = *given;
    char found[2][OPERATION_COUNT][OPERATION_COUNT];
    buf *matrix = buf_in(f->arena, 1 << 20);
    const test_table *store = make_table(f, NULL, 0, 2);
    int wrong = 0;

    for (int level = 0; level < 2; level++) {
        for (int i = 0; i < OPERATION_COUNT; i++) {
            for (int k = 0; k < OPERATION_COUNT; k++) {
                char c = verdict(f, store, (operation)i, (operation)k, (ice_isolation)level);

                found[level][i][k] = c;
                if (c != expected[level][i][k]) {
                    wrong++;
                    print_message("%s, %s after %s: '%c', not '%c'\n",
                                  level == ICE_SERIALIZABLE ? "serializable" : "snapshot", names[i],
                                  names[k], c, expected[level][i][k]);
                }
            }
        }
    }
    assert_int_equal(wrong, 0);
    put_matrix(matrix, found);
    compare_with_document(f, buf_str(matrix));
}

TESTS(test_every_change_against_every_change_that_came_between)
