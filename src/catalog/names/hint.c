/* version-hint.text: for programs that find a table by its folder. Only tables in plain folders have it.
 * The catalog does not read it: it follows the pointer, may lag behind it after a crash, and is replaced
 * whole. */
#include "internal.h"

#include "tarn/base/fs.h"
#include "tarn/base/log.h"

#define METADATA_SUFFIX ".metadata.json"

/* Readers put the suffix behind what they find in the file. */
static str hint_text(str metadata_location)
{
    size_t slash = str_find_last_char(metadata_location, '/');
    str name = str_slice(metadata_location, slash + 1, metadata_location.size);

    return str_ends_with(name, STR(METADATA_SUFFIX))
               ? str_slice(name, 0, name.size - (sizeof(METADATA_SUFFIX) - 1))
               : name;
}

void catalog__write_hint(catalog *c, str metadata_location)
{
    if (!store_is_local(metadata_location)) {
        return;
    }
    arena *a = arena_create();
    error err = ERROR_INIT;
    char *path = NULL;
    size_t slash = str_find_last_char(metadata_location, '/');
    str location =
        str_concat(a, str_slice(metadata_location, 0, slash), STR("/" CATALOG__HINT_NAME));
    status result = store_local_path(c->storage, location, a, &path, &err);

    if (result == STATUS_OK) {
        result = fs_write_file(path, hint_text(metadata_location), 0644, &err);
    }
    if (result != STATUS_OK) {
        log_failure("version hint not written", &err);
    }
    arena_free(a);
}
