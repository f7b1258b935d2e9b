# How tests are found: by file name. Nobody edits a list to add one.
#
#   tests/unit/<module>/test_<x>.c      unit.<module>.<x>     label unit
#   tests/fuzz/fuzz_<x>.c               fuzz.<x>              label fuzz
#   tests/integration/<x>.sh, .py       integration.<x>       label integration
#   tools/lint/*                        lint.<x>              label lint
#
# A test that exits with 77 is skipped; its output says why.
# `# timeout: 120` (seconds) in a script, or `/* timeout: 120 */` in a C file, changes its limit: what an idle machine
# needs, with room. It is there for tests that hang, so a busy machine gets three times as long, and instrumented
# programs nine times.
# `# labels: slow` in a script adds labels: what is slow runs in one build alone.
# `# without: sanitizers` keeps a script out of builds in which it cannot work.
# Unit tests of the modules below get the label threaded: CI runs those under ThreadSanitizer.
set(TARN_THREADED base net state store access catalog engine)
# die_after_fork=0: idle helpers of parallel_for (base) are alive where a test forks.
set(TARN_TEST_TIMEOUT_S 60)
set(TARN_TEST_ENV
    TARN_BIN=${CMAKE_BINARY_DIR}/tarn
    TARN_SOURCE=${CMAKE_SOURCE_DIR}
    TARN_BUILD=${CMAKE_BINARY_DIR}
    TARN_SANITIZE=${TARN_SANITIZE}
    PYTHONDONTWRITEBYTECODE=1
    ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1:strict_string_checks=1
    UBSAN_OPTIONS=print_stacktrace=1:abort_on_error=1
    TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:die_after_fork=0)

# The timeout that the file asks for, or the usual one.
function(tarn_timeout file ret_seconds)
    file(STRINGS ${file} line REGEX "^(#|/\\*|//) timeout: [0-9]+" LIMIT_COUNT 1)
    set(seconds ${TARN_TEST_TIMEOUT_S})
    if(line MATCHES "timeout: ([0-9]+)")
        set(seconds ${CMAKE_MATCH_1})
    endif()
    math(EXPR seconds "${seconds} * 3")
    if(TARN_SANITIZE)
        math(EXPR seconds "${seconds} * 3")
    endif()
    set(${ret_seconds} ${seconds} PARENT_SCOPE)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
endfunction()

# The module's libraries and include directories, for a program that tests it.
function(tarn_use_module target module)
    get_property(includes GLOBAL PROPERTY TARN_INCLUDES_${module})
    get_property(depends GLOBAL PROPERTY TARN_DEPENDS_${module})
    target_include_directories(${target} PRIVATE ${includes} ${CMAKE_SOURCE_DIR}/src/${module})
    target_link_libraries(${target} PRIVATE tarn_${module})
    foreach(dependency IN LISTS depends)
        target_link_libraries(${target} PRIVATE tarn_${dependency})
    endforeach()
endfunction()

# tarn_test(module name): tests/unit/<module>/test_<name>.c
function(tarn_test module name)
    set(source ${CMAKE_SOURCE_DIR}/tests/unit/${module}/test_${name}.c)
    set(target test_${module}_${name})
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests ${TARN_GENERATED})
    tarn_use_module(${target} ${module})
    target_link_libraries(${target} PRIVATE tarn_test_support package::cmocka Threads::Threads)
    tarn_timeout(${source} seconds)
    set(labels unit ${module})
    if(module IN_LIST TARN_THREADED)
        list(APPEND labels threaded)
    endif()
    add_test(NAME unit.${module}.${name} COMMAND ${target})
    set_tests_properties(unit.${module}.${name} PROPERTIES
        LABELS "${labels}" TIMEOUT ${seconds} SKIP_RETURN_CODE 77 ENVIRONMENT "${TARN_TEST_ENV}")
endfunction()

# tarn_fuzz(name): tests/fuzz/fuzz_<name>.c, linked with the modules whose headers it includes.
# In the fuzz build it is a libFuzzer program; in all others it replays tests/fuzz/corpus/<name> and
# mutations of it, always the same ones.
function(tarn_fuzz name)
    set(source ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_${name}.c)
    set(target fuzz_${name})
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests ${TARN_GENERATED})
    file(STRINGS ${source} includes REGEX "^#include \"tarn/[a-z]+/")
    set(modules base)
    foreach(line IN LISTS includes)
        string(REGEX REPLACE "^#include \"tarn/([a-z]+)/.*" "\\1" module "${line}")
        list(APPEND modules ${module})
    endforeach()
    list(REMOVE_DUPLICATES modules)
    foreach(module IN LISTS modules)
        tarn_use_module(${target} ${module})
    endforeach()
    target_link_libraries(${target} PRIVATE Threads::Threads)
    tarn_timeout(${source} seconds)
    if(TARN_FUZZ)
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    else()
        target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/fuzz_replay.c)
        add_test(NAME fuzz.${name}
                 COMMAND ${target} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
        set_tests_properties(fuzz.${name} PROPERTIES
            LABELS "fuzz;${modules}" TIMEOUT ${seconds} SKIP_RETURN_CODE 77 ENVIRONMENT "${TARN_TEST_ENV}")
    endif()
endfunction()

# tarn_script(label file): one ctest test that runs a script of its own, alone.
function(tarn_script label file)
    get_filename_component(name ${file} NAME_WE)
    get_filename_component(extension ${file} LAST_EXT)
    set(command ${file})
    if(extension STREQUAL ".py")
        set(command ${TARN_PYTHON} ${file})
    elseif(extension STREQUAL ".sh")
        set(command bash ${file})
    endif()
    tarn_timeout(${file} seconds)
    file(STRINGS ${file} labels REGEX "^# labels: " LIMIT_COUNT 1)
    string(REGEX REPLACE "^# labels: " "" labels "${labels}")
    separate_arguments(labels)
    file(STRINGS ${file} without REGEX "^# without: sanitizers" LIMIT_COUNT 1)
    if(without AND TARN_SANITIZE)
        return()
    endif()
    add_test(NAME ${label}.${name} COMMAND ${command})
    set_tests_properties(${label}.${name} PROPERTIES
        LABELS "${label};${labels}" TIMEOUT ${seconds} SKIP_RETURN_CODE 77 RUN_SERIAL ON
        WORKING_DIRECTORY ${CMAKE_BINARY_DIR} ENVIRONMENT "${TARN_TEST_ENV}")
endfunction()
