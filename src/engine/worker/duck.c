/* Opening the DuckDB library and filling the table of its functions. Where the library lies is decided by the
 * server (pool_library.c). */
#include "worker/duck.h"

#include <dlfcn.h>
#include <string.h>

duck_api duck;

typedef struct entry {
    const char *name;
    size_t offset;
} entry;

static const entry entries[] = {
#define X(returns, name, parameters) {"duckdb_" #name, offsetof(duck_api, name)},
    DUCK_API_TABLE(X) DUCK_DEPRECATED_TABLE(X)
#undef X
};

static status unusable(error *err, const char *path, const char *reason)
{
    (void)error_set(err, STATUS_UNAVAILABLE, "the DuckDB library \"%s\" cannot be used: %s", path,
                    reason);
    error_hint(
        err, "Run tools/bootstrap, or set engine.duckdb_library to the path of a libduckdb.so %sx.",
        DUCK_VERSION_PREFIX);
    return STATUS_UNAVAILABLE;
}

status duck_load(const char *path, error *err)
{
    /* Lazy: of some ten thousand functions that the library binds to itself a worker calls few. */
    void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    const char *version;

    if (library == NULL) {
        return unusable(err, path, dlerror());
    }
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        void *function = dlsym(library, entries[i].name);

        if (function == NULL) {
            (void)dlclose(library);
            return unusable(err, path, "it lacks a function that tarn needs");
        }
        memcpy((char *)&duck + entries[i].offset, &function, sizeof(function));
    }
    version = duck.library_version();
    if (version == NULL ||
        strncmp(version, DUCK_VERSION_PREFIX, strlen(DUCK_VERSION_PREFIX)) != 0) {
        (void)error_set(err, STATUS_UNAVAILABLE,
                        "the DuckDB library \"%s\" is version %s, but tarn needs %sx", path,
                        version != NULL ? version : "(none)", DUCK_VERSION_PREFIX);
        error_hint(
            err,
            "Run tools/bootstrap, or set engine.duckdb_library to the path of a libduckdb.so %sx.",
            DUCK_VERSION_PREFIX);
        return STATUS_UNAVAILABLE;
    }
    return STATUS_OK;
}
