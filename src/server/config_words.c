#include "server/config_words.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\f' || c == '\n' || c == '\r';
}

bool config_words_next(struct slice *text, struct arena *arena, struct slice *word)
{
    size_t i = 0;
    while (i < text->n && (is_blank(text->p[i])))
        i++;
    if (i == text->n)
        return false;
    uint8_t *to = arena_alloc(arena, text->n - i + 1);
    size_t n = 0;
    uint8_t quote = 0;
    for (; i < text->n; i++) {
        uint8_t c = text->p[i];
        if (quote == 0 && (is_blank(c)))
            break;
        if (quote == 0 && (c == '"' || c == '\''))
            quote = c;
        else if (c == quote)
            quote = 0;
        else if (c == '\\' && quote != '\'' && i + 1 < text->n)
            to[n++] = text->p[++i];
        else
            to[n++] = c;
    }
    to[n] = 0;
    *word = slice_of(to, n);
    *text = slice_of(text->p + i, text->n - i);
    return true;
}
