# The app that is killed, as an app's author would build it: public headers only.
add_executable(torture_host EXCLUDE_FROM_ALL torture/host.cpp)
outbox_own_code(torture_host)
target_link_libraries(torture_host PRIVATE outbox::outbox SQLiteCpp SQLite::SQLite3)
if(TARGET outbox::nats)
  target_link_libraries(torture_host PRIVATE outbox::nats)
  target_compile_definitions(torture_host PRIVATE OUTBOX_WITH_NATS)
endif()

# What makes the disk of a small app fail: each call of SQLite's file system, or the power.
add_executable(io_faults EXCLUDE_FROM_ALL faults/io.cpp simulation/fault_vfs.cpp)
add_executable(power_cuts EXCLUDE_FROM_ALL faults/power.cpp)
foreach(program IN ITEMS io_faults power_cuts)
  outbox_own_code(${program})
  target_include_directories(${program} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${program} PRIVATE outbox::outbox track_server_lib SQLiteCpp SQLite::SQLite3
    nlohmann_json::nlohmann_json Threads::Threads)
endforeach()

# All that the rows run.
add_custom_target(torture DEPENDS torture_host io_faults power_cuts outbox_cli track_server simulation allocation_faults cli_fuzz
  liveness outbox_tests)
