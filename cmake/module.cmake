# tarn_module(NAME x [EXECUTABLE program] [DEPENDS module…] [LIBS package…])
#
# One module is one library, tarn_x, of all .c files below src/x. Its public headers are in
# src/x/include/tarn/x. A module sees the public headers of the modules on its DEPENDS line and of
# no others: what it may include is written in one place, and anything else does not compile.
# LIBS are third-party libraries (packages.cmake) that only this module's .c files may include.
#
# tools/gen-layers reads these calls too: keep DEPENDS and LIBS each in one line or block of
# plain words.
function(tarn_module)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;EXECUTABLE" "DEPENDS;LIBS")
    if(arg_UNPARSED_ARGUMENTS OR NOT arg_NAME)
        message(FATAL_ERROR "tarn_module: NAME is needed, and \"${arg_UNPARSED_ARGUMENTS}\" is not understood")
    endif()
    set(folder ${CMAKE_SOURCE_DIR}/src/${arg_NAME})
    set(target tarn_${arg_NAME})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.c)
    set(includes ${folder}/include)
    set(links "")
    foreach(module IN LISTS arg_DEPENDS)
        if(NOT TARGET tarn_${module})
            message(FATAL_ERROR "module ${arg_NAME} depends on ${module}, which is not listed above it in src/CMakeLists.txt")
        endif()
        list(APPEND includes ${CMAKE_SOURCE_DIR}/src/${module}/include)
        list(APPEND links tarn_${module})
    endforeach()
    foreach(package IN LISTS arg_LIBS)
        list(APPEND links package::${package})
    endforeach()
    set_property(GLOBAL APPEND PROPERTY TARN_MODULES ${arg_NAME})
    set_property(GLOBAL PROPERTY TARN_INCLUDES_${arg_NAME} ${includes})
    set_property(GLOBAL PROPERTY TARN_DEPENDS_${arg_NAME} ${arg_DEPENDS})
    set_property(GLOBAL PROPERTY TARN_LIBS_${arg_NAME} ${arg_LIBS})

    if(NOT sources) # headers alone, so far
        if(NOT arg_EXECUTABLE)
            add_library(${target} INTERFACE)
            list(TRANSFORM links REPLACE "(.+)" "$<LINK_ONLY:\\1>")
            target_link_libraries(${target} INTERFACE ${links})
        endif()
        return()
    endif()
    if(arg_EXECUTABLE)
        set(target ${arg_EXECUTABLE})
        add_executable(${target} ${sources})
        set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
    else()
        add_library(${target} ${sources})
    endif()
    add_dependencies(${target} tarn_version)
    target_include_directories(${target} PRIVATE ${includes} ${folder} ${TARN_GENERATED})
    # PRIVATE: a static library hands its needs on to the linker, but a shared one (the build that
    # checks layers) gets to see only what its DEPENDS line names.
    target_link_libraries(${target} PRIVATE ${links} Threads::Threads)
endfunction()
