/* err: one error space for the whole program. 0 is success; the protocol's codes keep ZooKeeper's numbers, our own
 * start at -1000 so that they can never be sent by mistake for one of those. */
#ifndef ZOKOR_BASE_ERR_H
#define ZOKOR_BASE_ERR_H

/* X(name, number, text a client library shows after "KeeperErrorCode = ") */
#define ERR_LIST(X)                                                                                  \
    X(ERR_OK, 0, "OK")                                                                               \
    X(ERR_SYSTEM, -1, "SystemError")                                                                 \
    X(ERR_RUNTIME_INCONSISTENCY, -2, "RuntimeInconsistency")                                         \
    X(ERR_DATA_INCONSISTENCY, -3, "DataInconsistency")                                               \
    X(ERR_CONNECTION_LOSS, -4, "ConnectionLoss")                                                     \
    X(ERR_MARSHALLING, -5, "MarshallingError")                                                       \
    X(ERR_UNIMPLEMENTED, -6, "Unimplemented")                                                        \
    X(ERR_OPERATION_TIMEOUT, -7, "OperationTimeout")                                                 \
    X(ERR_BAD_ARGUMENTS, -8, "BadArguments")                                                         \
    X(ERR_UNKNOWN_SESSION, -12, "Unknown error UNKNOWNSESSION")                                      \
    X(ERR_NEW_CONFIG_NO_QUORUM, -13, "NewConfigNoQuorum")                                            \
    X(ERR_RECONFIG_IN_PROGRESS, -14, "ReconfigInProgress")                                           \
    X(ERR_API, -100, "APIError")                                                                     \
    X(ERR_NO_NODE, -101, "NoNode")                                                                   \
    X(ERR_NO_AUTH, -102, "NoAuth")                                                                   \
    X(ERR_BAD_VERSION, -103, "BadVersion")                                                           \
    X(ERR_NO_CHILDREN_FOR_EPHEMERALS, -108, "NoChildrenForEphemerals")                               \
    X(ERR_NODE_EXISTS, -110, "NodeExists")                                                           \
    X(ERR_NOT_EMPTY, -111, "Directory not empty")                                                    \
    X(ERR_SESSION_EXPIRED, -112, "Session expired")                                                  \
    X(ERR_INVALID_CALLBACK, -113, "Invalid callback")                                                \
    X(ERR_INVALID_ACL, -114, "InvalidACL")                                                           \
    X(ERR_AUTH_FAILED, -115, "AuthFailed")                                                           \
    X(ERR_SESSION_MOVED, -118, "Session moved")                                                      \
    X(ERR_NOT_READ_ONLY, -119, "Not a read-only call")                                               \
    X(ERR_EPHEMERAL_ON_LOCAL_SESSION, -120, "Ephemeral node on local session")                       \
    X(ERR_NO_WATCHER, -121, "No such watcher")                                                       \
    X(ERR_REQUEST_TIMEOUT, -122, "Unknown error REQUESTTIMEOUT")                                     \
    X(ERR_RECONFIG_DISABLED, -123, "Reconfig is disabled")                                           \
    X(ERR_SESSION_CLOSED_REQUIRE_SASL, -124, "Session closed because client failed to authenticate") \
    X(ERR_QUOTA_EXCEEDED, -125, "Quota has exceeded")                                                \
    X(ERR_THROTTLED_OP, -127, "Op throttled due to high load")                                       \
    X(ERR_NO_MEMORY, -1000, "out of memory")                                                         \
    X(ERR_IO, -1001, "input/output error")                                                           \
    X(ERR_NO_SPACE, -1002, "no space left on device")                                                \
    X(ERR_NOT_FOUND, -1003, "no such file or entry")                                                 \
    X(ERR_EXISTS, -1004, "exists already")                                                           \
    X(ERR_ACCESS, -1005, "permission denied")                                                        \
    X(ERR_TOO_LONG, -1006, "longer than its limit")                                                  \
    X(ERR_TRUNCATED, -1007, "ends too early")                                                        \
    X(ERR_CORRUPT, -1008, "damaged")                                                                 \
    X(ERR_VERSION, -1009, "unknown format or version")                                               \
    X(ERR_END, -1010, "end of data")                                                                 \
    X(ERR_BUSY, -1011, "busy")                                                                       \
    X(ERR_INVALID, -1012, "invalid value")                                                           \
    X(ERR_GAP, -1013, "a transaction is missing")                                                    \
    X(ERR_TOO_MANY_FILES, -1014, "too many open files")                                              \
    X(ERR_ADDRESS_IN_USE, -1015, "address already in use")                                           \
    X(ERR_UNSUPPORTED, -1016, "not supported")                                                       \
    X(ERR_CLOSED, -1017, "closed")

enum err {
#define X(name, number, text) name = number,
    ERR_LIST(X)
#undef X
};

/* The text of a code of the list; "Unknown error" for any other number. Never NULL, never freed. */
const char *err_text(int err);

/* The enumerator's name without "ERR_" ("NO_NODE"), for logs; "?" for a number not in the list. */
const char *err_name(int err);

#endif
