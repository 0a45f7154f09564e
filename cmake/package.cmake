# Debian packages: `./dev package`, or `cpack` in a build folder whose prefix is /usr.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME zokor)
set(CPACK_PACKAGE_CONTACT "The Zokor maintainers <maintainers@zokor.invalid>")
set(CPACK_PACKAGE_VENDOR "Zokor")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_OUTPUT_FILE_PREFIX ${CMAKE_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_COMPONENTS_ALL zokor libzokor0 libzokor-tls0 libzokor-dev)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(debian ${CMAKE_SOURCE_DIR}/packaging/debian)
set(CPACK_DEBIAN_ZOKOR_PACKAGE_NAME zokor)
set(CPACK_DEBIAN_ZOKOR_PACKAGE_SECTION database)
set(CPACK_DEBIAN_ZOKOR_DESCRIPTION "ZooKeeper server in C
Speaks ZooKeeper's client and server protocols and reads and writes its files,
so that clients, data directories and zoo.cfg of Apache ZooKeeper work with it
unchanged, alone or in an ensemble with Apache's servers.

Brings the server with its service, a shell, a load generator and tools for
logs and snapshots.")
# Loaded when something needs them: the HTTP port, SASL, the prompt of the shell; Kerberos.
set(CPACK_DEBIAN_ZOKOR_PACKAGE_RECOMMENDS "libmicrohttpd12, libsasl2-2, libedit2")
set(CPACK_DEBIAN_ZOKOR_PACKAGE_SUGGESTS
    "libsasl2-modules, libsasl2-modules-gssapi-mit, libkrb5-3, libgssapi-krb5-2, libzokor0")
set(CPACK_DEBIAN_ZOKOR_PACKAGE_CONTROL_EXTRA
    "${debian}/conffiles;${debian}/postinst;${debian}/prerm;${debian}/postrm")

set(CPACK_DEBIAN_LIBZOKOR0_PACKAGE_NAME libzokor0)
set(CPACK_DEBIAN_LIBZOKOR0_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBZOKOR0_DESCRIPTION "client library for ZooKeeper servers
Has the interface and the symbols of Apache's C client, so that programs made
for that run on it, and what it lacks: persistent watches, deadlines, several
reads in a request.")
set(CPACK_DEBIAN_LIBZOKOR0_PACKAGE_RECOMMENDS "libzokor-tls0, zlib1g")
set(CPACK_DEBIAN_LIBZOKOR0_PACKAGE_SUGGESTS "libsasl2-2, libsasl2-modules, libsasl2-modules-gssapi-mit")
set(CPACK_DEBIAN_LIBZOKOR0_PACKAGE_CONTROL_EXTRA "${debian}/triggers")

set(CPACK_DEBIAN_LIBZOKOR-TLS0_PACKAGE_NAME libzokor-tls0)
set(CPACK_DEBIAN_LIBZOKOR-TLS0_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBZOKOR-TLS0_DESCRIPTION "client library for ZooKeeper servers (TLS)
What libzokor0 loads when a connection is to be encrypted. A package of its own,
so that programs without TLS do not need OpenSSL.")
set(CPACK_DEBIAN_LIBZOKOR-TLS0_PACKAGE_CONTROL_EXTRA "${debian}/triggers")

set(CPACK_DEBIAN_LIBZOKOR-DEV_PACKAGE_NAME libzokor-dev)
set(CPACK_DEBIAN_LIBZOKOR-DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBZOKOR-DEV_DESCRIPTION "client library for ZooKeeper servers (development files)
Headers, pkg-config and CMake files for programs that use libzokor.")
set(CPACK_DEBIAN_LIBZOKOR-DEV_PACKAGE_DEPENDS "libzokor0 (= ${PROJECT_VERSION}-1)")
include(CPack)
