# Writes the version header; a script for cmake -P. See version.cmake.
set(commit "")
if(EXISTS ${SOURCE}/.commit) # a source archive made by `make dist`
    file(STRINGS ${SOURCE}/.commit commit LIMIT_COUNT 1)
else()
    execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
                    OUTPUT_VARIABLE commit ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
if(NOT commit)
    set(commit unknown)
endif()
set(TARN_VERSION ${VERSION})
set(TARN_COMMIT ${commit})
configure_file(${SOURCE}/cmake/version.h.in ${OUTPUT} @ONLY)
