# The NATS client library, libnats: the target Nats::nats. Its own package file in Debian 12 names paths
# that are not there.

find_path(Nats_INCLUDE_DIR nats/nats.h)
find_library(Nats_LIBRARY nats)
mark_as_advanced(Nats_INCLUDE_DIR Nats_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Nats DEFAULT_MSG Nats_LIBRARY Nats_INCLUDE_DIR)

if(Nats_FOUND AND NOT TARGET Nats::nats)
  add_library(Nats::nats UNKNOWN IMPORTED)
  set_target_properties(Nats::nats PROPERTIES
    IMPORTED_LOCATION ${Nats_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${Nats_INCLUDE_DIR})
endif()
