/* Views that stay between queries: found by their text, made at its second time, the longest unused given up. */
#include "worker/kept.h"

#include <string.h>

#include "tarn/base/arena.h"
#include "tarn/base/mem.h"
#include "worker/session.h"

static kept_set *find(kept_views *k, str text)
{
    for (size_t i = 0; i < KEPT_SETS_MAX; i++) {
        kept_set *set = &k->sets[i];

        if (set->text != NULL && str_equal(str_from(set->text, set->size), text)) {
            return set;
        }
    }
    return NULL;
}

static bool was_seen(kept_views *k, str text)
{
    uint64_t hash = str_hash(text);

    for (size_t i = 0; i < KEPT_SEEN_MAX; i++) {
        if (k->seen[i] == hash) {
            return true;
        }
    }
    k->seen[k->seen_at] = hash;
    k->seen_at = (k->seen_at + 1) % KEPT_SEEN_MAX;
    return false;
}

static bool run_quietly(duck_connection *connection, const char *sql)
{
    duck_result result = {.internal = NULL};
    bool done = duck.query(connection, sql, &result) == DUCK_SUCCESS;

    duck.destroy_result(&result);
    return done;
}

static void forget_statement(kept_statement *one)
{
    if (one->text != NULL) {
        duck.destroy_prepare(&one->prepared);
        mem_free(one->text);
        *one = (kept_statement){.text = NULL};
    }
}

/* Outside of any transaction of the session's. */
static void give_up(session *s, kept_set *set)
{
    arena *a = arena_create();

    for (size_t i = 0; i < KEPT_STATEMENTS_MAX; i++) {
        forget_statement(&set->statements[i]);
    }
    if (set->connection != NULL) {
        duck.disconnect(&set->connection);
    }
    (void)run_quietly(s->connection,
                      arena_printf(a, "DETACH DATABASE IF EXISTS \"" KEPT_CATALOG "%llu\"",
                                   (unsigned long long)set->number));
    arena_free(a);
    mem_free(set->text);
    *set = (kept_set){.text = NULL};
}

static kept_set *make_room(session *s)
{
    kept_views *k = &s->kept;
    kept_set *oldest = &k->sets[0];

    for (size_t i = 0; i < KEPT_SETS_MAX; i++) {
        if (k->sets[i].text == NULL) {
            return &k->sets[i];
        }
        if (k->sets[i].used_at < oldest->used_at) {
            oldest = &k->sets[i];
        }
    }
    give_up(s, oldest);
    return oldest;
}

/* NULL where it fails: the usual way tells why. */
static kept_set *make(session *s, str text)
{
    arena *a = arena_create();
    kept_set *set = make_room(s);
    bool done;

    set->number = ++s->kept.made;
    set->text = mem_alloc(text.size + 1);
    memcpy(set->text, text.data, text.size);
    set->size = text.size;
    done = duck.connect(s->database, &set->connection) == DUCK_SUCCESS &&
           run_quietly(set->connection,
                       arena_printf(a,
                                    "SET errors_as_json = true; SET TimeZone = 'UTC'; "
                                    "ATTACH ':memory:' AS \"" KEPT_CATALOG
                                    "%llu\"; USE \"" KEPT_CATALOG "%llu\"; %.*s; COMMIT",
                                    (unsigned long long)set->number,
                                    (unsigned long long)set->number, STR_ARG(text)));
    arena_free(a);
    if (!done) {
        give_up(s, set);
        return NULL;
    }
    return set;
}

bool kept_begin(session *s, str text)
{
    kept_views *k = &s->kept;
    kept_set *set;

    if (str_is_null(text) || text.size > KEPT_TEXT_MAX) {
        return false;
    }
    set = find(k, text);
    if (set == NULL && was_seen(k, text)) {
        set = make(s, text);
    }
    if (set == NULL) {
        return false;
    }
    set->used_at = ++k->uses;
    k->current = set;
    k->outside = session_use(s, set->connection);
    return true;
}

void kept_end(session *s)
{
    (void)session_use(s, s->kept.outside);
    s->kept.current = NULL;
}

duck_prepared *kept_find_statement(session *s, str sql)
{
    kept_set *set = s->kept.current;

    for (size_t i = 0; set != NULL && i < KEPT_STATEMENTS_MAX; i++) {
        kept_statement *one = &set->statements[i];

        if (one->text != NULL && str_equal(str_from(one->text, one->size), sql)) {
            one->used_at = ++s->kept.uses;
            return one->prepared;
        }
    }
    return NULL;
}

bool kept_add_statement(session *s, str sql, duck_prepared *statement)
{
    kept_set *set = s->kept.current;
    kept_statement *place;

    if (set == NULL || sql.size > KEPT_STATEMENT_TEXT_MAX) {
        return false;
    }
    place = &set->statements[0];
    for (size_t i = 1; i < KEPT_STATEMENTS_MAX; i++) {
        if (set->statements[i].used_at < place->used_at) { /* 0 where it is free */
            place = &set->statements[i];
        }
    }
    forget_statement(place);
    *place = (kept_statement){.text = mem_alloc(sql.size + 1),
                              .size = sql.size,
                              .prepared = statement,
                              .used_at = ++s->kept.uses};
    memcpy(place->text, sql.data, sql.size);
    return true;
}
