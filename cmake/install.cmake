# Where `make install` puts things: the program, and the DuckDB library where the program looks for it.
include(GNUInstallDirs)
if(TARGET tarn)
    install(TARGETS tarn RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
# The program looks in ../lib/tarn beside itself, whatever the distribution calls its libdir.
install(PROGRAMS ${TARN_DUCKDB} DESTINATION lib/tarn)
install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/tarn)
