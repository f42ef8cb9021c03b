# The app that is killed, as an app's author would build it: public headers only.
add_executable(torture_host EXCLUDE_FROM_ALL torture/host.cpp)
outbox_own_code(torture_host)
target_link_libraries(torture_host PRIVATE outbox::outbox SQLiteCpp SQLite::SQLite3)

# Each call that SQLite makes of the file system fails.
add_executable(io_faults EXCLUDE_FROM_ALL faults/io.cpp)
outbox_own_code(io_faults)
target_link_libraries(io_faults PRIVATE test_support track_server_lib)

# The power fails, and what was not synced is lost in part.
add_executable(power_cuts EXCLUDE_FROM_ALL faults/power.cpp)
outbox_own_code(power_cuts)
target_link_libraries(power_cuts PRIVATE test_support track_server_lib)

# All that the rows run.
add_custom_target(torture DEPENDS torture_host io_faults power_cuts outbox_cli track_server simulation allocation_faults cli_fuzz
  liveness outbox_tests)
