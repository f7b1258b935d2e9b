# tarn/version.h: TARN_VERSION and TARN_COMMIT. The header is looked at in every build and rewritten
# only when the commit changed, so that only the files which include it are compiled again.
set(TARN_GENERATED ${CMAKE_BINARY_DIR}/generated)
set(version_command
    ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
    -DOUTPUT=${TARN_GENERATED}/tarn/version.h -P ${CMAKE_SOURCE_DIR}/cmake/write_version.cmake)
execute_process(COMMAND ${version_command} COMMAND_ERROR_IS_FATAL ANY)
add_custom_target(tarn_version COMMAND ${version_command}
                  BYPRODUCTS ${TARN_GENERATED}/tarn/version.h COMMENT "" VERBATIM)
