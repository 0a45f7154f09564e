/* out: the list of effects of one turn. */
#include "base/mem.h"
#include "zab/zab.h"

#define ARENA_BYTES (64 * 1024)

void zab_out_init(struct zab_out *out)
{
    *out = (struct zab_out){ 0 };
    arena_init(&out->arena, ARENA_BYTES);
}

void zab_out_reset(struct zab_out *out)
{
    out->count = 0;
    arena_reset(&out->arena);
}

void zab_out_fini(struct zab_out *out)
{
    mem_free(out->fx);
    arena_fini(&out->arena);
    *out = (struct zab_out){ 0 };
}
