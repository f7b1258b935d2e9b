# Third-party libraries, by the name that tarn_module(LIBS …) uses. Which module may use which
# library is said in src/<module>/CMakeLists.txt, and nowhere else.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

foreach(package jansson libfyaml expat zlib libzstd snappy liblz4 libcrypto libssl libcurl sqlite3
                libseccomp libedit cmocka)
    pkg_check_modules(${package} QUIET IMPORTED_TARGET ${package})
    if(NOT ${package}_FOUND)
        message(FATAL_ERROR "${package} is not installed; run tools/bootstrap (or make bootstrap)")
    endif()
    add_library(package::${package} ALIAS PkgConfig::${package})
endforeach()

# Debian's CRoaring comes without a pkg-config file.
find_library(ROARING_LIBRARY roaring)
find_path(ROARING_INCLUDE roaring/roaring.h)
if(NOT ROARING_LIBRARY OR NOT ROARING_INCLUDE)
    message(FATAL_ERROR "libroaring is not installed; run tools/bootstrap (or make bootstrap)")
endif()
add_library(roaring INTERFACE IMPORTED GLOBAL)
target_link_libraries(roaring INTERFACE ${ROARING_LIBRARY})
target_include_directories(roaring SYSTEM INTERFACE ${ROARING_INCLUDE})
add_library(package::roaring ALIAS roaring)

add_library(dl INTERFACE IMPORTED GLOBAL)
target_link_libraries(dl INTERFACE ${CMAKE_DL_LIBS})
add_library(package::dl ALIAS dl)

add_library(math INTERFACE IMPORTED GLOBAL)
target_link_libraries(math INTERFACE m)
add_library(package::m ALIAS math)

# The official DuckDB library is opened at run time: all the build does is to lay it beside the
# program, where the program looks for it first.
set(TARN_DUCKDB ${TARN_DEPS}/duckdb/libduckdb.so)
file(CREATE_LINK ${TARN_DUCKDB} ${CMAKE_BINARY_DIR}/libduckdb.so SYMBOLIC)
if(NOT EXISTS ${TARN_DUCKDB})
    message(STATUS "DuckDB is not in ${TARN_DEPS}: SQL will not run before tools/bootstrap has been run")
endif()
