# Compiler and linker flags for every target: warnings, hardening, sanitizers.
#
# Compilers differ in what they accept, so each flag is tried once, at configure time, and left out
# where it is unknown. Warnings are the same list for both compilers.
include(CheckCCompilerFlag)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

# Adds the first of the given alternatives that the compiler accepts.
function(tarn_flag)
    foreach(flag IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "HAS${flag}" known)
        set(CMAKE_REQUIRED_FLAGS -Werror)
        set(CMAKE_REQUIRED_QUIET ON)
        check_c_compiler_flag(${flag} ${known})
        if(${known})
            add_compile_options(${flag})
            return()
        endif()
    endforeach()
endfunction()

add_compile_definitions(_GNU_SOURCE)
# Paths in messages and debug information are relative to the source tree, also where ccache has made
# them relative to the build directory (CCACHE_BASEDIR, see Makefile).
file(RELATIVE_PATH up ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=${up}=)

# --- warnings ---
foreach(warning
        all extra pedantic shadow conversion no-sign-conversion strict-prototypes missing-prototypes
        old-style-definition vla pointer-arith cast-qual format=2 write-strings undef
        implicit-fallthrough double-promotion
        # gcc alone
        duplicated-cond duplicated-branches logical-op jump-misses-init
        # clang alone
        comma unreachable-code thread-safety)
    tarn_flag(-W${warning})
endforeach()
# Text that is cut on purpose (error messages) is said so in the function's contract.
tarn_flag(-Wno-format-truncation)
# Outputs are written only on success, which gcc cannot see across TRY: at -O2 it takes every second
# one for uninitialised. Clang's check of the same name follows only paths that exist.
tarn_flag(-Wno-maybe-uninitialized)
# Instrumentation hides from gcc what it knows about pointers: this one then cries wolf.
if(NOT TARN_SANITIZE AND NOT TARN_FUZZ)
    tarn_flag(-Wnull-dereference)
endif()
if(TARN_WERROR)
    add_compile_options(-Werror)
endif()

# --- code generation and hardening ---
tarn_flag(-fno-common)
tarn_flag(-fno-strict-aliasing)
if(BUILD_SHARED_LIBS)
    # This build exists to find undefined references, so it hides nothing and allows none.
    add_link_options(-Wl,-z,defs)
else()
    tarn_flag(-fvisibility=hidden)
endif()
add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)

if(TARN_SANITIZE OR TARN_FUZZ)
    set(sanitize ${TARN_SANITIZE})
    if(TARN_FUZZ)
        set(sanitize "address,undefined")
        add_compile_options(-fsanitize=fuzzer-no-link)
    endif()
    add_compile_options(-fsanitize=${sanitize} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${sanitize})
else()
    tarn_flag(-fstack-protector-strong)
    tarn_flag(-fstack-clash-protection)
    tarn_flag(-fcf-protection=full)
    tarn_flag(-mbranch-protection=standard)
    tarn_flag(-ftrivial-auto-var-init=zero -ftrivial-auto-var-init=pattern)
    if(NOT CMAKE_BUILD_TYPE STREQUAL Debug)
        # Some compilers bring a level of their own: taken back first, or the redefinition warns.
        add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
    endif()
endif()
