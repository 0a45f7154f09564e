/* pattern_program: what pattern.c makes of a pattern and pattern_run.c runs. */
#ifndef ZOKOR_BASE_PATTERN_PROGRAM_H
#define ZOKOR_BASE_PATTERN_PROGRAM_H

#include "base/pattern.h"

/* Longer programs are refused: {n,m} writes its part m times. */
#define PATTERN_STEPS_MAX 1000

/* Bits of the characters below 128, PATTERN_CHAR_OTHER and PATTERN_CHAR_LINE. */
struct pattern_set {
    uint8_t bits[17];
};

enum pattern_op {
    PATTERN_CHAR,  /* a character of set */
    PATTERN_SPLIT, /* go on at x, or if that comes to nothing at y; both from here */
    PATTERN_JUMP,  /* go on at x */
    PATTERN_SAVE,  /* this place is mark number x */
    PATTERN_START, /* only at the start of the text */
    PATTERN_END,   /* only at its end */
    PATTERN_LAST,  /* only at its end or before its last line terminator */
    PATTERN_MATCH,
};

struct pattern_step {
    enum pattern_op op;
    int x, y;
    struct pattern_set set;
};

struct pattern {
    struct pattern_step *steps;
    size_t count;
    unsigned group_count;
};

#endif
