/* notify: tells the service manager how the process is, as sd_notify(3) does, without its library. */
#ifndef ZOKOR_OS_NOTIFY_H
#define ZOKOR_OS_NOTIFY_H

/* Sends lines of NAME=VALUE ("READY=1", "STOPPING=1", "STATUS=...") to the socket that NOTIFY_SOCKET names. 0, also
 * when no manager asked to be told; ERR_INVALID for a name that is no socket's, ERR_IO when it could not be sent. Never
 * blocks: a manager that does not read is not told. */
int notify_send(const char *lines);

#endif
