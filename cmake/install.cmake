# Where `make install` puts things: the program, and the DuckDB library where the program looks for it.
include(GNUInstallDirs)
if(TARGET tarn)
    install(TARGETS tarn RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
# The program looks in ../lib/tarn beside itself, whatever the distribution calls its libdir.
install(PROGRAMS ${TARN_DUCKDB} DESTINATION lib/tarn)
install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/tarn)

# The Iceberg library alone, for programs without a server: `cmake --install … --component iceberg` after building the
# target tarn-iceberg. One archive of the modules it is made of, their public headers, and what pkg-config has to say:
# the packages on their LIBS lines.
get_property(TARN_ICEBERG_MODULES GLOBAL PROPERTY TARN_DEPENDS_iceberg)
list(APPEND TARN_ICEBERG_MODULES iceberg)

add_library(tarn-iceberg STATIC EXCLUDE_FROM_ALL)
set(TARN_ICEBERG_REQUIRES "")
set(TARN_ICEBERG_LIBS "")
foreach(module IN LISTS TARN_ICEBERG_MODULES)
    target_sources(tarn-iceberg PRIVATE $<TARGET_OBJECTS:tarn_${module}>)
    install(DIRECTORY src/${module}/include/ DESTINATION include/tarn-iceberg COMPONENT iceberg EXCLUDE_FROM_ALL)
    get_property(libs GLOBAL PROPERTY TARN_LIBS_${module})
    foreach(package IN LISTS libs)
        if(TARGET PkgConfig::${package})
            string(APPEND TARN_ICEBERG_REQUIRES " ${package}")
        else()
            string(APPEND TARN_ICEBERG_LIBS " -l${package}")
        endif()
    endforeach()
endforeach()
set_target_properties(tarn-iceberg PROPERTIES LINKER_LANGUAGE C)
configure_file(cmake/tarn-iceberg.pc.in ${CMAKE_BINARY_DIR}/tarn-iceberg.pc @ONLY)
install(TARGETS tarn-iceberg ARCHIVE DESTINATION lib COMPONENT iceberg EXCLUDE_FROM_ALL)
install(FILES ${CMAKE_BINARY_DIR}/tarn-iceberg.pc DESTINATION lib/pkgconfig COMPONENT iceberg EXCLUDE_FROM_ALL)
install(DIRECTORY examples/plan_scan DESTINATION share/doc/tarn-iceberg/examples COMPONENT iceberg EXCLUDE_FROM_ALL)
install(FILES LICENSE NOTICE DESTINATION share/doc/tarn-iceberg COMPONENT iceberg EXCLUDE_FROM_ALL)
