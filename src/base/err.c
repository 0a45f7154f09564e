#include "base/err.h"

const char *err_text(int err)
{
    switch (err) {
#define X(name, number, text) \
    case number:              \
        return text;
        ERR_LIST(X)
#undef X
    default:
        return "Unknown error";
    }
}

const char *err_name(int err)
{
    switch (err) {
#define X(name, number, text) \
    case number:              \
        return &#name[4];
        ERR_LIST(X)
#undef X
    default:
        return "?";
    }
}
