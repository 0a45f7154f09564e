/* mhd: libmicrohttpd, loaded when an HTTP port is wanted and not before. It brings along GnuTLS and seven more
 * libraries; a server without HTTP, and every tool, is spared the memory and the milliseconds. */
#ifndef ZOKOR_ADMIN_MHD_H
#define ZOKOR_ADMIN_MHD_H

#include <microhttpd.h>

struct mhd {
    __typeof__(&MHD_start_daemon) start_daemon;
    __typeof__(&MHD_stop_daemon) stop_daemon;
    __typeof__(&MHD_add_connection) add_connection;
    __typeof__(&MHD_suspend_connection) suspend_connection;
    __typeof__(&MHD_resume_connection) resume_connection;
    __typeof__(&MHD_create_response_from_buffer) create_response_from_buffer;
    __typeof__(&MHD_create_response_from_callback) create_response_from_callback;
    __typeof__(&MHD_create_response_from_fd64) create_response_from_fd64;
    __typeof__(&MHD_add_response_header) add_response_header;
    __typeof__(&MHD_queue_response) queue_response;
    __typeof__(&MHD_destroy_response) destroy_response;
    __typeof__(&MHD_lookup_connection_value) lookup_connection_value;
    __typeof__(&MHD_get_connection_info) get_connection_info;
};

/* The one table; NULL if the library cannot be loaded, then *why says so (lives on). Before threads start. */
const struct mhd *mhd_load(const char **why);

#endif
