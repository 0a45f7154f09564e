/* The constants of the C interface: data objects, since programs copy them at their start. */
#include "zokor/client.h"
#include <string.h>

const int ZOO_PERM_READ = 1;
const int ZOO_PERM_WRITE = 2;
const int ZOO_PERM_CREATE = 4;
const int ZOO_PERM_DELETE = 8;
const int ZOO_PERM_ADMIN = 16;
const int ZOO_PERM_ALL = 31;

const int ZOOKEEPER_WRITE = 1;
const int ZOOKEEPER_READ = 2;

const int ZOO_PERSISTENT = 0;
const int ZOO_EPHEMERAL = 1;
const int ZOO_PERSISTENT_SEQUENTIAL = 2;
const int ZOO_EPHEMERAL_SEQUENTIAL = 3;
const int ZOO_CONTAINER = 4;
const int ZOO_PERSISTENT_WITH_TTL = 5;
const int ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL = 6;
const int ZOO_SEQUENCE = 2;

const int ZOO_EXPIRED_SESSION_STATE = -112;
const int ZOO_AUTH_FAILED_STATE = -113;
const int ZOO_CONNECTING_STATE = 1;
const int ZOO_ASSOCIATING_STATE = 2;
const int ZOO_CONNECTED_STATE = 3;
const int ZOO_READONLY_STATE = 5;
const int ZOO_SSL_CONNECTING_STATE = 7;
const int ZOO_NOTCONNECTED_STATE = 999;

const int ZOO_CREATED_EVENT = 1;
const int ZOO_DELETED_EVENT = 2;
const int ZOO_CHANGED_EVENT = 3;
const int ZOO_CHILD_EVENT = 4;
const int ZOO_SESSION_EVENT = -1;
const int ZOO_NOTWATCHING_EVENT = -2;

struct Id ZOO_ANYONE_ID_UNSAFE = { (char *)"world", (char *)"anyone" };
struct Id ZOO_AUTH_IDS = { (char *)"auth", (char *)"" };

static struct ACL open_acl[] = { { 31, { (char *)"world", (char *)"anyone" } } };
static struct ACL read_acl[] = { { 1, { (char *)"world", (char *)"anyone" } } };
static struct ACL creator_acl[] = { { 31, { (char *)"auth", (char *)"" } } };
struct ACL_vector ZOO_OPEN_ACL_UNSAFE = { 1, open_acl };
struct ACL_vector ZOO_READ_ACL_UNSAFE = { 1, read_acl };
struct ACL_vector ZOO_CREATOR_ALL_ACL = { 1, creator_acl };

/* The texts are those of Apache's library: programs print and compare them. */
const char *zerror(int c)
{
    static const struct {
        int code;
        const char *text;
    } texts[] = {
        { ZOK, "ok" },
        { ZSYSTEMERROR, "system error" },
        { ZRUNTIMEINCONSISTENCY, "run time inconsistency" },
        { ZDATAINCONSISTENCY, "data inconsistency" },
        { ZCONNECTIONLOSS, "connection loss" },
        { ZMARSHALLINGERROR, "marshalling error" },
        { ZUNIMPLEMENTED, "unimplemented" },
        { ZOPERATIONTIMEOUT, "operation timeout" },
        { ZBADARGUMENTS, "bad arguments" },
        { ZINVALIDSTATE, "invalid zhandle state" },
        { ZNEWCONFIGNOQUORUM, "no quorum of new config is connected and up-to-date with the leader of last committed "
                              "config - try invoking reconfiguration after new servers are connected and synced" },
        { ZRECONFIGINPROGRESS, "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)" },
        { ZSSLCONNECTIONERROR, "ssl connection error" },
        { ZAPIERROR, "api error" },
        { ZNONODE, "no node" },
        { ZNOAUTH, "not authenticated" },
        { ZBADVERSION, "bad version" },
        { ZNOCHILDRENFOREPHEMERALS, "no children for ephemerals" },
        { ZNODEEXISTS, "node exists" },
        { ZNOTEMPTY, "not empty" },
        { ZSESSIONEXPIRED, "session expired" },
        { ZINVALIDCALLBACK, "invalid callback" },
        { ZINVALIDACL, "invalid acl" },
        { ZAUTHFAILED, "authentication failed" },
        { ZCLOSING, "zookeeper is closing" },
        { ZNOTHING, "(not error) no server responses to process" },
        { ZSESSIONMOVED, "session moved to another server, so operation is ignored" },
        { ZNOTREADONLY, "state-changing request is passed to read-only server" },
        { ZEPHEMERALONLOCALSESSION, "attempt to create ephemeral node on a local session" },
        { ZNOWATCHER, "the watcher couldn't be found" },
        { ZREQUESTTIMEOUT, "request timed out" },
        { ZRECONFIGDISABLED,
          "attempts to perform a reconfiguration operation when reconfiguration feature is disable" },
        { ZSESSIONCLOSEDREQUIRESASLAUTH,
          "session closed by server because client is required to do SASL authentication" },
        { ZQUOTAEXCEEDED, "quota exceeded" },
        { ZTHROTTLEDOP, "Operation was throttled due to high load" },
    };
    if (c > 0)
        return strerror(c);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].code == c)
            return texts[i].text;
    }
    return "unknown error";
}
