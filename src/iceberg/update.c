/* update.c: changes of a table's metadata that bring no files: the builder within the loop of attempt.c. */
#include "builder.h"

typedef struct update {
    status (*change)(void *context, ice_builder *b, error *err);
    void *context;
    ice_metadata *result;
} update;

static status build(void *context, ice__change *c, error *err)
{
    update *u = context;
    ice_builder *b = ice_builder_create(c->base, c->memory);

    TRY(u->change(u->context, b, err));
    if (ice__metadata_same(c->base, &b->now)) {
        c->nothing = true;
        return STATUS_OK;
    }
    TRY(ice__builder_check_main(b, err));
    TRY(ice__builder_finish(b, c->base_location, err));
    ice__metadata_assign(&c->next, &b->now);
    c->obsolete = b->obsolete;
    return STATUS_OK;
}

static void done(void *context, const ice__change *c, const ice_metadata *now, int attempt)
{
    update *u = context;

    (void)c;
    (void)attempt;
    u->result = ice_metadata_ref(now);
}

status ice_metadata_update(const ice_committer *committer,
                           status (*change)(void *context, ice_builder *b, error *err),
                           void *context, ice_metadata **ret_metadata, error *err)
{
    update u = {.change = change, .context = context};
    ice__work work = {.build = build, .done = done, .context = &u};
    status s = ice__commit_work(committer, &work, err);

    if (s == STATUS_OK && err != NULL) {
        error_clear(err); /* of the attempts before */
    }
    if (s != STATUS_OK || ret_metadata == NULL) {
        ice_metadata_unref(u.result);
        return s;
    }
    *ret_metadata = u.result;
    return STATUS_OK;
}
