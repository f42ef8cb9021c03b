# The app that is killed, as an app's author would build it: public headers only.
add_executable(torture_host EXCLUDE_FROM_ALL torture/host.cpp)
outbox_own_code(torture_host)
target_link_libraries(torture_host PRIVATE outbox::outbox SQLiteCpp SQLite::SQLite3)

# All that the rows run.
add_custom_target(torture DEPENDS torture_host outbox_cli track_server simulation allocation_faults cli_fuzz
  liveness outbox_tests)
