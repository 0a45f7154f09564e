/* The client's side: any bytes as what a server says once there is a session. Requests of every shape wait, watchers
 * are set; whatever is delivered is read as the shape it was asked for. The first byte chooses which shape comes first,
 * and with its highest bit that the session begins with a login by SASL. */
#include "base/err.h"
#include "base/mem.h"
#include "client/core.h"
#include "client/decode.h"
#include "wire/proto.h"

#define REQUESTS 16

static void nobody(void)
{
}

static void feed(struct client_core *c, const uint8_t *p, size_t n)
{
    while (n > 0) {
        uint8_t *to;
        size_t room;
        client_room(c, &to, &room);
        ASSERT(room > 0);
        room = room > n ? n : room;
        memcpy(to, p, room);
        client_received(c, room, 1);
        p += room;
        n -= room;
    }
}

/* Steps of a login as long as the core asks for them; what they are comes of the server's bytes. */
static void log_in(struct client_core *c, const uint8_t *p, size_t n)
{
    while (n > 0) {
        size_t part = n < 12 ? n : 12;
        struct slice token;
        feed(c, p, part);
        if (client_need(c, 1) == CLIENT_NEED_LOGIN) {
            bool begins = client_login_token(c, &token);
            enum login_state how = begins || token.n == 0 ? LOGIN_MORE : (enum login_state)(token.p[0] % 4);
            client_login_answer(c, how, token, 1);
        }
        p += part;
        n -= part;
    }
}

static void open_session(struct client_core *c, bool logs_in)
{
    static const uint8_t answer[] = { 0, 0, 0,  37, 0, 0, 0, 0, 0, 0, 0x27, 0x10, 0, 0, 0, 0, 0, 0, 0, 7, 0,
                                      0, 0, 16, 0,  0, 0, 0, 0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0 };
    const struct client_addr a = { .n = 1 };
    ASSERT(client_need(c, 1) == CLIENT_NEED_RESOLVE);
    client_resolved(c, &a, 1, 1);
    ASSERT(client_need(c, 1) == CLIENT_NEED_CONNECT);
    client_opened(c, 1);
    feed(c, answer, sizeof(answer));
    ASSERT(client_state_of(c) == (logs_in ? CLIENT_STATE_ASSOCIATING : CLIENT_STATE_CONNECTED));
}

static void read_body(const struct client_done *d, struct arena *arena)
{
    struct client_body b = client_body_of(d->body, d->body_n, slice_str("/zk"));
    struct String_vector strings;
    struct ClientInfo_vector ids;
    struct ACL_vector acl;
    struct Stat stat;
    const char *p;
    int32_t type, err;
    int n;
    switch (d->call.tag % 6) {
    case 0:
        client_body_paths(&b, arena, &strings);
        break;
    case 1:
        client_body_data(&b, &p, &n);
        break;
    case 2:
        client_body_acls(&b, arena, &acl);
        break;
    case 3:
        client_body_ids(&b, arena, &ids);
        break;
    case 4:
        while (client_body_part(&b, &type, &err) == 1)
            (void)client_body_path(&b);
        break;
    default:
        (void)client_body_text(&b);
    }
    client_body_stat(&b, &stat);
    arena_reset(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const bool logs_in = size > 0 && (data[0] & 0x80) != 0;
    const struct client_config config = {
        .timeout_ms = 10000, .seed = 1, .chroot = slice_str("/zk"), .watcher = { .fn = nobody }, .logs_in = logs_in
    };
    struct client_core *c = client_new(&config, 1);
    struct client_dones dones = { 0 };
    struct arena arena;
    size_t told = 0;
    if (size == 0) {
        client_free(c);
        return 0;
    }
    arena_init(&arena, 4096);
    open_session(c, logs_in);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        const struct client_call call = { .fn = nobody, .tag = data[0] + i };
        const struct client_watch_wish wish = { (enum client_watch_kind)(i % CLIENT_WATCH_KINDS),
                                                slice_str("/zk/t"),
                                                { .fn = nobody } };
        struct buf *b;
        ASSERT(client_begin(c, WIRE_OP_GET_DATA, &b) == 0);
        ASSERT(client_commit(c, &call, 0, &wish) == 0);
    }
    for (int k = 0; k < CLIENT_WATCH_KINDS; k++)
        client_watches_add(client_watch_tables(c), (enum client_watch_kind)k, slice_str("/t"),
                           (struct client_watcher){ .fn = nobody });
    if (logs_in)
        log_in(c, data + 1, size - 1);
    else
        feed(c, data + 1, size - 1);
    client_abort(c);
    while (client_take_done(c, &dones)) {
        for (size_t i = 0; i < dones.n; i++) {
            told += !dones.p[i].is_event;
            if (!dones.p[i].is_event && dones.p[i].rc == 0)
                read_body(&dones.p[i], &arena);
            client_done_fini(&dones.p[i]);
        }
        dones.n = 0;
    }
    ASSERT(told == REQUESTS);
    mem_free(dones.p);
    arena_fini(&arena);
    client_free(c);
    return 0;
}
