# Choices that a plain `cmake -B dir` gets without a preset.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT CMAKE_BUILD_TYPE AND NOT multi_config)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# Assertions guard promises of the program and stay on in every build: no -DNDEBUG.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -g")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g")

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

if(TARN_LTO)
    include(CheckIPOSupported)
    check_ipo_supported(LANGUAGES C)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()

if(NOT TARN_DEPS)
    if(DEFINED ENV{TARN_DEPS} AND NOT "$ENV{TARN_DEPS}" STREQUAL "")
        set(TARN_DEPS $ENV{TARN_DEPS})
    else()
        set(TARN_DEPS ${CMAKE_SOURCE_DIR}/.deps)
    endif()
endif()
get_filename_component(TARN_DEPS ${TARN_DEPS} ABSOLUTE)

# The distribution's own Python: tests use nothing outside its standard library.
if(EXISTS /usr/bin/python3)
    set(TARN_PYTHON /usr/bin/python3)
else()
    find_program(TARN_PYTHON python3 REQUIRED)
endif()
