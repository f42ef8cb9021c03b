# What the targets of this project's own code share: the language, the warnings, how they are built.

# Raised together with the inline namespace, in a minor version too, when what a program was compiled
# with does not fit the new library any more: docs/compatibility.md.
set(OUTBOX_SOVERSION 1)

function(outbox_own_code target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast
    # GCC 12 and 13 see overlaps in `"text" + string` that are not there (gcc.gnu.org/PR105651).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
    # Optimising, GCC 12 sees more of them: in its own headers, which it does not know as such when they
    # are precompiled.
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-array-bounds>
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-stringop-overread>
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-stringop-overflow>
    $<$<BOOL:${OUTBOX_WARNINGS_AS_ERRORS}>:-Werror>)
endfunction()

# A relay to another engine: the library outbox::<name>, with the engine's client. Nothing of it is in
# outbox::outbox. PACKAGE is what a consumer of a static one has to find, PKG_CONFIG its name there.
function(outbox_add_relay name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PACKAGE;PKG_CONFIG" "SOURCES;CLIENT")
  add_library(outbox_${name} ${arg_SOURCES})
  add_library(outbox::${name} ALIAS outbox_${name})
  outbox_own_code(outbox_${name})
  set_target_properties(outbox_${name} PROPERTIES
    EXPORT_NAME ${name}
    VERSION ${PROJECT_VERSION}
    SOVERSION ${OUTBOX_SOVERSION}
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
  outbox_compile_together_in_debug(outbox_${name})
  target_include_directories(outbox_${name} PRIVATE ${PROJECT_SOURCE_DIR}/lib)
  target_link_libraries(outbox_${name} PUBLIC outbox PRIVATE ${arg_CLIENT})
  set_property(GLOBAL APPEND PROPERTY OUTBOX_RELAYS ${name})
  set_property(GLOBAL PROPERTY OUTBOX_RELAY_PACKAGE_${name} ${arg_PACKAGE})
  set_property(GLOBAL PROPERTY OUTBOX_RELAY_PKG_CONFIG_${name} ${arg_PKG_CONFIG})
endfunction()

# Headers that nearly every file of a kind includes are compiled once: half of the build was their
# parsing. A file still includes what it uses: tests/consumers builds the library without them. CLI11 is not one of
# them: each file that only sees it compiles its validators, for 3 s.
set(OUTBOX_LIBRARY_HEADERS
  <algorithm> <array> <atomic> <chrono> <cstdint> <functional> <map> <memory> <mutex> <optional> <random>
  <set> <span> <stdexcept> <string> <string_view> <utility> <vector>
  <sqlite3.h> <SQLiteCpp/SQLiteCpp.h>)
set(OUTBOX_PROGRAM_HEADERS
  ${OUTBOX_LIBRARY_HEADERS} <filesystem> <fstream> <iostream> <sstream> <thread> <nlohmann/json.hpp>)

# An object library whose only use is that the programs of tools and tests share its precompiled headers.
function(outbox_add_program_headers)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/outbox_program_headers.cpp)
  if(NOT EXISTS ${source})
    file(WRITE ${source} "// Carries precompiled headers.\n")
  endif()
  add_library(outbox_program_headers OBJECT ${source})
  outbox_own_code(outbox_program_headers)
  target_link_libraries(outbox_program_headers PRIVATE
    SQLiteCpp SQLite::SQLite3 nlohmann_json::nlohmann_json Threads::Threads)
  target_precompile_headers(outbox_program_headers PRIVATE ${OUTBOX_PROGRAM_HEADERS})
endfunction()

# Builds a target with these headers. GCC takes them only when the macros that the headers ask for are the
# same: they are SQLiteCpp's.
function(outbox_share_headers target)
  target_precompile_headers(${target} REUSE_FROM outbox_program_headers)
  target_compile_definitions(${target} PRIVATE
    $<TARGET_PROPERTY:SQLiteCpp,INTERFACE_COMPILE_DEFINITIONS>)
endfunction()

# Of a library. Optimised, file by file: a program that links the archive gets only the files that it needs.
function(outbox_compile_together_in_debug target)
  if(CMAKE_BUILD_TYPE STREQUAL "Debug")
    outbox_compile_together(${target})
  else()
    set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
  endif()
endfunction()

# Each file alone would compile the same inline code of nlohmann/json, CLI11 or doctest again, which takes longer
# than its own. So names in anonymous namespaces must differ within a target.
function(outbox_compile_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${OUTBOX_COMPILE_TOGETHER} UNITY_BUILD_BATCH_SIZE 32)
endfunction()
