# outbox as its users get it. What consumers_test.cpp runs is built here, once, as fixtures of CTest:
#
#   static   the library of this build, installed
#   shared   the library as a host with another compiler builds it inside its own project, installed
#
# and consumers of each by find_package; and a host that builds the library inside its own project.
# OUTBOX_ALL_CONSUMERS=ON builds consumers and hosts of both kinds with both compilers, else there is
# one consumer of each kind, and one host. All of it stays below the build folder.

option(OUTBOX_ALL_CONSUMERS "Test consumers and hosts of both kinds, with both compilers" OFF)
set(pairs static-g++ shared-clang++)
set(hosts shared-clang++)
if(OUTBOX_ALL_CONSUMERS)
  list(APPEND pairs static-clang++ shared-g++)
  set(hosts ${pairs})
endif()
list(JOIN pairs " " words)
list(JOIN hosts " " host_words)
target_compile_definitions(outbox_tests PRIVATE
  OUTBOX_CONSUMER_BUILDS="${words}" OUTBOX_HOST_BUILDS="${host_words}")
set(consumers ${CMAKE_CURRENT_BINARY_DIR}/consumers)
set(launcher)
if(OUTBOX_CCACHE)
  set(launcher -DCMAKE_CXX_COMPILER_LAUNCHER=${OUTBOX_CCACHE})
endif()

function(add_fixture name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SETUP;NEEDS" "COMMAND")
  add_test(NAME ${name} COMMAND ${arg_COMMAND})
  set_tests_properties(${name} PROPERTIES TIMEOUT 1800 FIXTURES_SETUP ${arg_SETUP})
  if(arg_NEEDS)
    set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED ${arg_NEEDS})
  endif()
endfunction()

# --fresh: the folder may have been made by an older checkout.
function(add_build name compiler)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "SOURCE;FIXTURE;NEEDS" "OPTIONS")
  add_fixture(consumers/build_${name} SETUP ${arg_FIXTURE} NEEDS ${arg_NEEDS} COMMAND
    ${CMAKE_CTEST_COMMAND} --build-and-test
      ${CMAKE_CURRENT_LIST_DIR}/${arg_SOURCE} ${consumers}/${name}
      --build-generator Ninja --build-noclean --build-options --fresh
      -DCMAKE_CXX_COMPILER=${compiler} ${launcher} ${arg_OPTIONS})
endfunction()

function(add_install name build)
  add_fixture(consumers/install_${name} SETUP consumers_${name} NEEDS ${ARGN} COMMAND
    ${CMAKE_COMMAND} -DBUILD=${build} -DPREFIX=${consumers}/${name}
      -P ${CMAKE_CURRENT_LIST_DIR}/install.cmake)
endfunction()

foreach(host IN LISTS hosts)
  string(REGEX MATCH "^(shared|static)-(.+)$" parts ${host})
  set(compiler ${CMAKE_MATCH_2})
  string(COMPARE EQUAL ${CMAKE_MATCH_1} shared is_shared)
  add_build(host-${host} ${compiler} SOURCE add_subdirectory FIXTURE consumers_host OPTIONS
    -DOUTBOX_SOURCE_DIR=${PROJECT_SOURCE_DIR} -DBUILD_SHARED_LIBS=${is_shared} -DOUTBOX_INSTALL=ON
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DCMAKE_UNITY_BUILD=ON -DOUTBOX_WITH_NATS=${OUTBOX_WITH_NATS})
  set_tests_properties(consumers/build_host-${host} PROPERTIES PROCESSORS 2 COST 1000)
endforeach()

add_install(static ${PROJECT_BINARY_DIR})
add_install(shared ${consumers}/host-shared-clang++ consumers_host)
foreach(pair IN LISTS pairs)
  string(REGEX MATCH "^(shared|static)-(.+)$" parts ${pair})
  set(kind ${CMAKE_MATCH_1})
  add_build(${pair} ${CMAKE_MATCH_2} SOURCE find_package FIXTURE consumers NEEDS consumers_${kind}
    OPTIONS -DCMAKE_PREFIX_PATH=${consumers}/${kind})
endforeach()

set_tests_properties(consumers/consumers PROPERTIES FIXTURES_REQUIRED
  "consumers;consumers_host;consumers_static;consumers_shared")
if(OUTBOX_CCACHE)
  set_tests_properties(consumers/consumers PROPERTIES ENVIRONMENT "OUTBOX_CCACHE=${OUTBOX_CCACHE}")
endif()
