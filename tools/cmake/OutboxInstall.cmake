# cmake --install: headers, library, CMake package, pkg-config file. In components, so that packages can
# split them: Runtime is the shared library, Development what a program is built with, Tools the CLI.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME Development)

set_target_properties(outbox PROPERTIES EXPORT_NAME outbox)
target_include_directories(outbox PUBLIC $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(outbox_testing PROPERTIES EXPORT_NAME testing)
install(TARGETS outbox EXPORT outboxTargets
  LIBRARY COMPONENT Runtime NAMELINK_COMPONENT Development)
install(TARGETS outbox_testing EXPORT outboxTargets)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/outbox DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/outbox)
# CMake 4.3 and later can also find the package without CMake code (cps-org.github.io). Not run here.
if(CMAKE_VERSION VERSION_GREATER_EQUAL 4.3)
  install(PACKAGE_INFO outbox EXPORT outboxTargets)
endif()
install(EXPORT outboxTargets NAMESPACE outbox:: DESTINATION ${package_folder})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/outboxConfig.cmake.in
  ${PROJECT_BINARY_DIR}/outboxConfig.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/outboxConfigVersion.cmake
  COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/outboxConfig.cmake ${PROJECT_BINARY_DIR}/outboxConfigVersion.cmake
  DESTINATION ${package_folder})

# A static library leaves its needs to the program; a shared one brings them. SQLiteCpp's archive is
# named by hand, since it has no .pc file on Debian.
if(BUILD_SHARED_LIBS)
  set(OUTBOX_PC_REQUIRES "")
  set(OUTBOX_PC_LIBS "")
else()
  set(OUTBOX_PC_REQUIRES "sqlite3 >= 3.37, libcurl >= 7.85")
  set(OUTBOX_PC_LIBS " -lSQLiteCpp -pthread")
endif()
# Found from where the .pc file lies, so that an installed tree may be moved (cmake --install --prefix).
file(RELATIVE_PATH OUTBOX_PC_PREFIX
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${CMAKE_CURRENT_LIST_DIR}/outbox.pc.in ${PROJECT_BINARY_DIR}/outbox.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/outbox.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# Each relay is a component: find_package(outbox COMPONENTS nats), or outbox-nats.pc.
get_property(relays GLOBAL PROPERTY OUTBOX_RELAYS)
foreach(name IN LISTS relays)
  get_property(OUTBOX_RELAY_PACKAGE GLOBAL PROPERTY OUTBOX_RELAY_PACKAGE_${name})
  set(OUTBOX_RELAY ${name})
  install(TARGETS outbox_${name} EXPORT outbox_${name}Targets
    LIBRARY COMPONENT Runtime NAMELINK_COMPONENT Development)
  install(EXPORT outbox_${name}Targets NAMESPACE outbox:: DESTINATION ${package_folder})
  configure_file(${CMAKE_CURRENT_LIST_DIR}/outboxRelay.cmake.in
    ${PROJECT_BINARY_DIR}/outbox-${name}.cmake @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/outbox-${name}.cmake
    ${CMAKE_CURRENT_LIST_DIR}/Find${OUTBOX_RELAY_PACKAGE}.cmake DESTINATION ${package_folder})
  set(OUTBOX_RELAY_PC_REQUIRES "")
  if(NOT BUILD_SHARED_LIBS)
    get_property(OUTBOX_RELAY_PC_REQUIRES GLOBAL PROPERTY OUTBOX_RELAY_PKG_CONFIG_${name})
  endif()
  configure_file(${CMAKE_CURRENT_LIST_DIR}/outboxRelay.pc.in ${PROJECT_BINARY_DIR}/outbox-${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/outbox-${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
