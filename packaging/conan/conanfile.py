# Not run: Conan is not in Debian 12.
from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout


class OutboxConan(ConanFile):
    name = "outbox"
    version = "1.0.0"
    description = "A durable event outbox for C++ servers on SQLite"
    license = "MIT"
    topics = ("outbox", "sqlite", "events", "delivery")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False]}
    default_options = {"shared": False, "fPIC": True}
    implements = ["auto_shared_fpic"]
    exports_sources = "CMakeLists.txt", "include/*", "lib/*", "migrations/*", "tools/cmake/*", "LICENSE"

    def requirements(self):
        self.requires("sqlite3/[>=3.37 <4]", transitive_headers=True)
        self.requires("sqlitecpp/[>=3 <4]")
        self.requires("libcurl/[>=7.85 <9]")
        self.requires("nlohmann_json/[>=3.11 <4]", transitive_headers=True)

    def validate(self):
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["OUTBOX_BUILD_TESTS"] = False
        toolchain.cache_variables["OUTBOX_BUILD_TOOLS"] = False
        toolchain.cache_variables["OUTBOX_INSTALL"] = True
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "outbox")
        self.cpp_info.set_property("cmake_target_name", "outbox::outbox")
        self.cpp_info.libs = ["outbox"]
        self.cpp_info.system_libs = ["pthread"]
