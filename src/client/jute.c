/* Freeing of the records of zookeeper.jute.h: one line a record, naming the fields that own memory. */
#include "zookeeper/zookeeper.jute.h"
#include <errno.h>
#include <stdlib.h>

void deallocate_String(char **s)
{
    free(*s);
    *s = NULL;
}

void deallocate_Buffer(struct buffer *b)
{
    free(b->buff);
    b->buff = NULL;
}

int64_t zoo_htonll(int64_t v)
{
    return (int64_t)__builtin_bswap64((uint64_t)v);
}

#define VECTOR(name, element, free_element)             \
    int allocate_##name(struct name *v, int32_t len)    \
    {                                                   \
        v->count = 0;                                   \
        v->data = NULL;                                 \
        if (len <= 0)                                   \
            return 0;                                   \
        v->data = calloc((size_t)len, sizeof(element)); \
        if (v->data == NULL)                            \
            return ENOMEM;                              \
        v->count = len;                                 \
        return 0;                                       \
    }                                                   \
    int deallocate_##name(struct name *v)               \
    {                                                   \
        if (v->data != NULL) {                          \
            for (int32_t i = 0; i < v->count; i++)      \
                free_element(&v->data[i]);              \
            free(v->data);                              \
            v->data = NULL;                             \
        }                                               \
        v->count = 0;                                   \
        return 0;                                       \
    }
VECTOR(String_vector, char *, deallocate_String)
VECTOR(ACL_vector, struct ACL, deallocate_ACL)
VECTOR(ClientInfo_vector, struct ClientInfo, deallocate_ClientInfo)
VECTOR(Id_vector, struct Id, deallocate_Id)
VECTOR(Txn_vector, struct Txn, deallocate_Txn)

#define TEXT(field) deallocate_String(&v->field);
#define BYTES(field) deallocate_Buffer(&v->field);
#define PART(type, field) deallocate_##type(&v->field);
#define LIST(type, field) (void)deallocate_##type(&v->field);
#define RECORD(name, fields)               \
    void deallocate_##name(struct name *v) \
    {                                      \
        fields                             \
    }
/* Numbers only. */
#define FLAT(name)                         \
    void deallocate_##name(struct name *v) \
    {                                      \
        (void)v;                           \
    }

RECORD(Id, TEXT(scheme) TEXT(id))
RECORD(ACL, PART(Id, id))
FLAT(Stat)
FLAT(StatPersisted)
RECORD(ClientInfo, TEXT(authScheme) TEXT(user))
RECORD(ConnectRequest, BYTES(passwd))
RECORD(ConnectResponse, BYTES(passwd))
RECORD(SetWatches, LIST(String_vector, dataWatches) LIST(String_vector, existWatches) LIST(String_vector, childWatches))
RECORD(SetWatches2, LIST(String_vector, dataWatches) LIST(String_vector, existWatches) LIST(String_vector, childWatches)
                        LIST(String_vector, persistentWatches) LIST(String_vector, persistentRecursiveWatches))
FLAT(RequestHeader)
FLAT(MultiHeader)
RECORD(AuthPacket, TEXT(scheme) BYTES(auth))
FLAT(ReplyHeader)
RECORD(GetDataRequest, TEXT(path))
RECORD(SetDataRequest, TEXT(path) BYTES(data))
RECORD(ReconfigRequest, TEXT(joiningServers) TEXT(leavingServers) TEXT(newMembers))
RECORD(SetDataResponse, PART(Stat, stat))
RECORD(GetSASLRequest, BYTES(token))
RECORD(SetSASLRequest, BYTES(token))
RECORD(SetSASLResponse, BYTES(token))
RECORD(CreateRequest, TEXT(path) BYTES(data) LIST(ACL_vector, acl))
RECORD(CreateTTLRequest, TEXT(path) BYTES(data) LIST(ACL_vector, acl))
RECORD(DeleteRequest, TEXT(path))
RECORD(GetChildrenRequest, TEXT(path))
RECORD(GetAllChildrenNumberRequest, TEXT(path))
RECORD(GetChildren2Request, TEXT(path))
RECORD(CheckVersionRequest, TEXT(path))
RECORD(GetMaxChildrenRequest, TEXT(path))
FLAT(GetMaxChildrenResponse)
RECORD(SetMaxChildrenRequest, TEXT(path))
RECORD(SyncRequest, TEXT(path))
RECORD(SyncResponse, TEXT(path))
RECORD(GetACLRequest, TEXT(path))
RECORD(SetACLRequest, TEXT(path) LIST(ACL_vector, acl))
RECORD(SetACLResponse, PART(Stat, stat))
RECORD(AddWatchRequest, TEXT(path))
RECORD(WatcherEvent, TEXT(path))
FLAT(ErrorResponse)
RECORD(CreateResponse, TEXT(path))
RECORD(Create2Response, TEXT(path) PART(Stat, stat))
RECORD(ExistsRequest, TEXT(path))
RECORD(ExistsResponse, PART(Stat, stat))
RECORD(GetDataResponse, BYTES(data) PART(Stat, stat))
RECORD(GetChildrenResponse, LIST(String_vector, children))
FLAT(GetAllChildrenNumberResponse)
RECORD(GetChildren2Response, LIST(String_vector, children) PART(Stat, stat))
RECORD(GetACLResponse, LIST(ACL_vector, acl) PART(Stat, stat))
RECORD(CheckWatchesRequest, TEXT(path))
RECORD(RemoveWatchesRequest, TEXT(path))
RECORD(GetEphemeralsRequest, TEXT(prefixPath))
RECORD(GetEphemeralsResponse, LIST(String_vector, ephemerals))
RECORD(WhoAmIResponse, LIST(ClientInfo_vector, clientInfo))
FLAT(LearnerInfo)
RECORD(QuorumPacket, BYTES(data) LIST(Id_vector, authinfo))
RECORD(QuorumAuthPacket, BYTES(token))
FLAT(FileHeader)
FLAT(TxnDigest)
FLAT(TxnHeader)
RECORD(CreateTxnV0, TEXT(path) BYTES(data) LIST(ACL_vector, acl))
RECORD(CreateTxn, TEXT(path) BYTES(data) LIST(ACL_vector, acl))
RECORD(CreateTTLTxn, TEXT(path) BYTES(data) LIST(ACL_vector, acl))
RECORD(CreateContainerTxn, TEXT(path) BYTES(data) LIST(ACL_vector, acl))
RECORD(DeleteTxn, TEXT(path))
RECORD(SetDataTxn, TEXT(path) BYTES(data))
RECORD(CheckVersionTxn, TEXT(path))
RECORD(SetACLTxn, TEXT(path) LIST(ACL_vector, acl))
RECORD(SetMaxChildrenTxn, TEXT(path))
FLAT(CreateSessionTxn)
RECORD(CloseSessionTxn, LIST(String_vector, paths2Delete))
FLAT(ErrorTxn)
RECORD(Txn, BYTES(data))
RECORD(MultiTxn, LIST(Txn_vector, txns))
