#include "sim/agenda.h"
#include "base/mem.h"

void agenda_init(struct agenda *a)
{
    *a = (struct agenda){ .cap = 256 };
    a->items = mem_alloc(a->cap * sizeof *a->items);
}

void agenda_fini(struct agenda *a)
{
    for (size_t i = 0; i < a->count; i++)
        mem_free(a->items[i].p);
    mem_free(a->items);
    *a = (struct agenda){ 0 };
}

static bool before(const struct agenda_item *a, const struct agenda_item *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->serial < b->serial;
}

void agenda_add(struct agenda *a, struct agenda_item item)
{
    if (a->count == a->cap) {
        a->cap *= 2;
        a->items = mem_realloc(a->items, a->cap * sizeof *a->items);
    }
    item.serial = a->next_serial++;
    size_t at = a->count++;
    while (at != 0 && before(&item, &a->items[(at - 1) / 2])) {
        a->items[at] = a->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    a->items[at] = item;
}

bool agenda_next(struct agenda *a, struct agenda_item *item)
{
    if (a->count == 0)
        return false;
    *item = a->items[0];
    struct agenda_item last = a->items[--a->count];
    size_t at = 0;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= a->count)
            break;
        if (child + 1 < a->count && before(&a->items[child + 1], &a->items[child]))
            child++;
        if (!before(&a->items[child], &last))
            break;
        a->items[at] = a->items[child];
        at = child;
    }
    if (a->count != 0)
        a->items[at] = last;
    return true;
}
