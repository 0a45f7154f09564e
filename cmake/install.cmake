# What `cmake --install` puts where, in three components: the program and its service, the client library, and what is
# needed to build programs with it. cmake/package.cmake makes a Debian package of each.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
find_program(ZOKOR_GZIP gzip REQUIRED)
set(ZOKOR_SOVERSION 0)

# install_page(FILE DESTINATION NAME COMPONENT): compressed, as Debian wants it.
function(install_page FILE DESTINATION NAME COMPONENT)
  set(to ${CMAKE_BINARY_DIR}/packaging/${COMPONENT}-${NAME}.gz)
  execute_process(COMMAND ${ZOKOR_GZIP} -9nc ${CMAKE_SOURCE_DIR}/${FILE} OUTPUT_FILE ${to} COMMAND_ERROR_IS_FATAL ANY)
  set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${FILE})
  install(FILES ${to} DESTINATION ${DESTINATION} RENAME ${NAME}.gz COMPONENT ${COMPONENT})
endfunction()
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/packaging)

if(TARGET zokor)
  install(TARGETS zokor RUNTIME COMPONENT zokor)
endif()
install(PROGRAMS
  scripts/zkCleanup.sh scripts/zkCli.sh scripts/zkServer-initialize.sh scripts/zkServer.sh
  scripts/zkSnapShotToolkit.sh scripts/zkSnapshotComparer.sh scripts/zkSnapshotRecursiveSummaryToolkit.sh
  scripts/zkTxnLogToolkit.sh DESTINATION ${CMAKE_INSTALL_DATADIR}/zokor/bin COMPONENT zokor)
install(FILES scripts/zkEnv.sh DESTINATION ${CMAKE_INSTALL_DATADIR}/zokor/bin COMPONENT zokor)
install(FILES packaging/zoo.cfg DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/zokor COMPONENT zokor)
configure_file(packaging/systemd/zokor.service.in ${CMAKE_BINARY_DIR}/packaging/zokor.service @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/packaging/zokor.service DESTINATION lib/systemd/system COMPONENT zokor)
install(FILES packaging/systemd/zokor.sysusers DESTINATION lib/sysusers.d RENAME zokor.conf COMPONENT zokor)
install(FILES packaging/systemd/zokor.tmpfiles DESTINATION lib/tmpfiles.d RENAME zokor.conf COMPONENT zokor)
install(FILES packaging/completions/zokor.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
        RENAME zokor COMPONENT zokor)
install(FILES packaging/completions/_zokor DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT zokor)
install(FILES packaging/completions/zokor.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
        COMPONENT zokor)
# The scripts with Apache's names, where Debian's package zookeeper has those, and the configuration where they look.
install(DIRECTORY scripts/ DESTINATION ${CMAKE_INSTALL_DATADIR}/zokor/bin COMPONENT zokor USE_SOURCE_PERMISSIONS)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/links)
file(CREATE_LINK ${CMAKE_INSTALL_FULL_SYSCONFDIR}/zokor ${CMAKE_BINARY_DIR}/links/conf SYMBOLIC)
install(FILES ${CMAKE_BINARY_DIR}/links/conf DESTINATION ${CMAKE_INSTALL_DATADIR}/zokor COMPONENT zokor)
file(GLOB pages CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/docs/man/*.1)
foreach(page ${pages})
  get_filename_component(name ${page} NAME)
  install_page(${page} ${CMAKE_INSTALL_MANDIR}/man1 ${name} zokor)
endforeach()
foreach(package zokor libzokor0 libzokor-tls0 libzokor-dev)
  install(FILES packaging/debian/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} COMPONENT ${package})
  install_page(CHANGELOG.md ${CMAKE_INSTALL_DATADIR}/doc/${package} changelog ${package})
  install_page(packaging/debian/changelog ${CMAKE_INSTALL_DATADIR}/doc/${package} changelog.Debian ${package})
endforeach()

# install_library(NAME APACHE): lib<NAME>.so.VERSION and its links. Apache's name stands in a folder of its own, where
# only those find it who ask for it (LD_LIBRARY_PATH), so that both libraries can be installed.
function(install_library NAME APACHE)
  install(TARGETS lib${NAME} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libzokor0
          NAMELINK_COMPONENT libzokor-dev PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  file(CREATE_LINK ../lib${NAME}.so.${PROJECT_VERSION} ${CMAKE_BINARY_DIR}/links/${APACHE} SYMBOLIC)
  install(FILES ${CMAKE_BINARY_DIR}/links/${APACHE} DESTINATION ${CMAKE_INSTALL_LIBDIR}/zokor COMPONENT libzokor0)
endfunction()

if(TARGET libzokor)
  install_library(zokor libzookeeper_mt.so.2)
  install_library(zokor_st libzookeeper_st.so.2)
  # Loaded by the library when a handle asks for TLS; nothing links with it.
  install(TARGETS libzokor_tls LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libzokor-tls0
          NAMELINK_SKIP PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  # Not below include/ itself: zookeeper/zookeeper.h is there if Apache's library is installed, too.
  install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/libzokor COMPONENT libzokor-dev)
  foreach(name zokor zokor_st)
    configure_file(packaging/${name}.pc.in ${CMAKE_BINARY_DIR}/packaging/${name}.pc @ONLY)
    install(FILES ${CMAKE_BINARY_DIR}/packaging/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
            COMPONENT libzokor-dev)
  endforeach()
  set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/zokor)
  configure_package_config_file(packaging/zokor-config.cmake.in ${CMAKE_BINARY_DIR}/packaging/zokor-config.cmake
    INSTALL_DESTINATION ${cmake_dir} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
  write_basic_package_version_file(${CMAKE_BINARY_DIR}/packaging/zokor-config-version.cmake
    COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_BINARY_DIR}/packaging/zokor-config.cmake
          ${CMAKE_BINARY_DIR}/packaging/zokor-config-version.cmake
          DESTINATION ${cmake_dir} COMPONENT libzokor-dev)
  install_page(docs/man/libzokor.3 ${CMAKE_INSTALL_MANDIR}/man3 libzokor.3 libzokor-dev)
endif()
include(cmake/package.cmake)
