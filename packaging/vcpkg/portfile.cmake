# Not run: vcpkg is not in Debian 12. SOURCE_PATH is what vcpkg_from_github gives for the release's tag.
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS
    -DOUTBOX_BUILD_TESTS=OFF
    -DOUTBOX_BUILD_TOOLS=OFF
    -DOUTBOX_INSTALL=ON
    -DOUTBOX_WARNINGS_AS_ERRORS=OFF
    -DCMAKE_DISABLE_FIND_PACKAGE_ccache=ON)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/outbox)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
